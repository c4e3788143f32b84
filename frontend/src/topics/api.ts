// The topic index over HTTP: one level of the tree, a search, one topic.

import type { ErrorReply, LevelsReply, TopicInfo, TopicsReply } from "@/contract/types";
import { basePath } from "@/live/socket";

const PAGE = 100;

async function ask<T>(path: string, query: Record<string, string | null>): Promise<T> {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== null);
  const answer = await fetch(`${basePath()}api/topics${path}?${new URLSearchParams(given)}`);
  if (answer.ok) return (await answer.json()) as T;
  const refusal = (await answer.json().catch(() => null)) as ErrorReply | null;
  throw new Error(refusal?.message ?? `the server answered ${answer.status}`);
}

export function level(parent: string | null, after: string | null): Promise<LevelsReply> {
  return ask("/levels", { parent, after, limit: String(PAGE) });
}

/** A text with + or # as a level of its own is a filter, any other is words to look for. */
export function search(text: string, values: boolean, after: string | null): Promise<TopicsReply> {
  const isFilter = text.split("/").some((one) => one === "+" || one === "#");
  return ask("", {
    [isFilter ? "filter" : "search"]: text,
    values: values && !isFilter ? "1" : null,
    after,
    limit: String(PAGE),
  });
}

export function one(topic: string): Promise<TopicInfo> {
  return ask("/one", { topic });
}

export function payloadAddress(topic: string): string {
  return `${basePath()}api/topics/payload?${new URLSearchParams({ topic })}`;
}
