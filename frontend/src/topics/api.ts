// The topic index over HTTP: one level of the tree, a search, one topic, its past.

import type {
  HistoryReply,
  LevelsReply,
  MessageReceived,
  TopicInfo,
  TopicsReply,
} from "@/contract/types";
import { get } from "@/live/api";
import type { MessageNumber } from "./shown";

export const PAGE = 100;

function ask<T>(
  path: string,
  query: Record<string, string | null>,
  signal?: AbortSignal,
): Promise<T> {
  return get(`/api/topics${path}`, query, signal);
}

export function level(
  parent: string | null,
  after: string | null,
  limit = PAGE,
): Promise<LevelsReply> {
  return ask("/levels", { parent, after, limit: String(limit) });
}

/** A text with + or # as a level of its own is a filter, any other is words to look for. */
export function isFilter(text: string): boolean {
  return text.split("/").some((one) => one === "+" || one === "#");
}

export function search(
  text: string,
  values: boolean,
  after: string | null,
  signal: AbortSignal,
): Promise<TopicsReply> {
  const filter = isFilter(text);
  return ask(
    "",
    {
      [filter ? "filter" : "search"]: text,
      values: values && !filter ? "1" : null,
      after,
      limit: String(PAGE),
    },
    signal,
  );
}

/** A few known topics that begin with a text. */
export async function beginningWith(text: string, signal: AbortSignal): Promise<string[]> {
  const found = await ask<TopicsReply>("", { prefix: text, limit: "20" }, signal);
  return found.topics.map(({ topic }) => topic);
}

export function one(topic: string): Promise<TopicInfo> {
  return ask("/one", { topic });
}

export function history(
  topic: string,
  before: string | null,
  signal: AbortSignal,
): Promise<HistoryReply> {
  return ask("/history", { topic, before, limit: "50" }, signal);
}

/** One message with all of its payload; without a number, the topic's last. */
export function message(topic: string, number: MessageNumber | null): Promise<MessageReceived> {
  const { epoch, seq } = number ?? { epoch: null, seq: null };
  return ask("/message", {
    topic,
    epoch: epoch === null ? null : String(epoch),
    seq: seq === null ? null : String(seq),
  });
}
