// The messages of one topic that the page has at hand: newest first, each once, bounded.

import type { MessageReceived } from "@/contract/types";

export const MOST_MESSAGES = 300;
/** All payloads together, in characters. */
export const MOST_TEXT = 4_000_000;

export function keyOf(message: Pick<MessageReceived, "epoch" | "seq">): string {
  return `${message.epoch}:${message.seq}`;
}

/** Both lists as one. The newest win when there are too many. */
export function merged(
  known: readonly MessageReceived[],
  fresh: readonly MessageReceived[],
): MessageReceived[] {
  const all = new Map(known.map((one) => [keyOf(one), one]));
  for (const one of fresh) all.set(keyOf(one), one);
  const sorted = [...all.values()].sort((a, b) => b.epoch - a.epoch || b.seq - a.seq);
  let text = 0;
  const end = sorted.findIndex((one) => (text += one.payload.length) > MOST_TEXT);
  return sorted.slice(0, Math.min(end === -1 ? sorted.length : Math.max(end, 1), MOST_MESSAGES));
}
