// The topic index over HTTP: one level of the tree, a search, one topic.

import type { LevelsReply, TopicInfo, TopicsReply } from "@/contract/types";
import { address, get } from "@/live/api";

const PAGE = 100;

function ask<T>(path: string, query: Record<string, string | null>): Promise<T> {
  return get(`/api/topics${path}`, query);
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
  return address("/api/topics/payload", { topic });
}
