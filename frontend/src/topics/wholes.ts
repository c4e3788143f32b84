// Long messages as a whole: asked for once, a few of them kept.

import type { MessageReceived } from "@/contract/types";
import { ApiError } from "@/live/api";
import * as api from "./api";
import type { MessageNumber } from "./shown";

/** All kept payloads together, in characters. */
const MOST_TEXT = 16_000_000;

type Ask = (topic: string, number: MessageNumber | null) => Promise<MessageReceived>;

export class Wholes {
  private readonly kept = new Map<string, { asked: Promise<MessageReceived>; text: number }>();
  private text = 0;

  constructor(private readonly ask: Ask = api.message) {}

  /** A message by its number; an `ApiError` of status 404 when nobody knows it any more. */
  get(topic: string, number: MessageNumber): Promise<MessageReceived> {
    const key = `${number.epoch}:${number.seq}:${topic}`;
    const known = this.kept.get(key);
    if (known) return known.asked;
    const asked = this.ask(topic, number);
    const entry = { asked, text: 0 };
    this.kept.set(key, entry);
    asked.then(
      (message) => this.keep(key, entry, message.payload.length),
      (error: unknown) => {
        // What is gone stays gone; all else may be asked again.
        if (!isGone(error)) this.kept.delete(key);
      },
    );
    return asked;
  }

  /** The topic's last message. */
  newest(topic: string): Promise<MessageReceived> {
    return this.ask(topic, null);
  }

  private keep(key: string, entry: { text: number }, text: number): void {
    if (this.kept.get(key) !== entry) return;
    entry.text = text;
    this.text += text;
    for (const [oldest, { text: freed }] of this.kept) {
      if (this.text <= MOST_TEXT) return;
      this.kept.delete(oldest);
      this.text -= freed;
    }
  }
}

/** Whether the server knows no such message, or not any more. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}
