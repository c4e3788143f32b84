// One message in the address of the monitor: where it is in the log, and its topic to look it up by.

import type { MessageReceived } from "@/contract/types";
import { topicProblem } from "@/topics/filter";
import { history } from "@/topics/api";
import type { MessageRow } from "./rows";

export interface Place {
  epoch: number;
  seq: number;
  topic: string;
}

/** Answers that are read on the way back to a message; each looks at a bounded part of the log. */
const MOST_PAGES = 10;

export function keyOf({ epoch, seq }: Pick<Place, "epoch" | "seq">): string {
  return `${epoch}:${seq}`;
}

export function rowOf(message: MessageReceived): MessageRow {
  const { epoch, seq } = message;
  return { kind: "message", key: keyOf(message), at: { epoch, seq }, message };
}

export function toText({ epoch, seq, topic }: Place): string {
  return `${epoch}:${seq}:${topic}`;
}

/** Read it back; null when it is none. */
export function fromText(text: unknown): Place | null {
  const found = typeof text === "string" ? /^(\d{1,15}):(\d{1,15}):(.+)$/su.exec(text) : null;
  const [, epoch, seq, topic = ""] = found ?? [];
  if (!found || topicProblem(topic.replace(/^\$/, "")) !== null) return null;
  return { epoch: Number(epoch), seq: Number(seq), topic };
}

type Ask = typeof history;

/** Look for a message in the log; null when the log has moved past it. */
export async function lookUp(
  wanted: Place,
  signal: AbortSignal,
  ask: Ask = history,
): Promise<MessageReceived | null> {
  let before: string | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { messages, next } = await ask(wanted.topic, before, signal);
    const found = messages.find((one) => one.epoch === wanted.epoch && one.seq === wanted.seq);
    if (found) return found;
    const isPast = (one: MessageReceived) =>
      one.epoch < wanted.epoch || (one.epoch === wanted.epoch && one.seq < wanted.seq);
    if (next === null || messages.some(isPast)) return null;
    before = next;
  }
  return null;
}
