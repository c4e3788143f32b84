// One number of each message over time.

import type { MessageReceived } from "@/contract/types";
import { payloadBytes } from "@/format/payload";
import { read } from "@/payload/read";
import { at, numberOf, numericPaths, type Path } from "@/payload/value";
import { keyOf } from "./gathered";

/** Messages and what each holds: a value of some structure, or a number as text; else null. */
export interface Decoded {
  messages: readonly MessageReceived[];
  values: unknown[];
  /** Messages of which only the beginning is here and that were not loaded: too many, too long. */
  leftOut: number;
}

const KEEP = 1000;
/** Bytes of all messages that are loaded because only their beginning is here. */
const MOST_LOADED = 8 * 1024 * 1024;

/**
 * Decodes each message once; the oldest are forgotten. `whole` brings a message of which only the
 * beginning is here; the newest of these are asked for, within bounds.
 */
export class Decoder {
  private readonly known = new Map<string, Promise<unknown>>();

  constructor(private readonly whole: (message: MessageReceived) => Promise<MessageReceived>) {}

  async decode(messages: readonly MessageReceived[]): Promise<Decoded> {
    let bytes = 0;
    let leftOut = 0;
    const values: Promise<unknown>[] = [];
    for (const message of messages) {
      bytes += message.truncated ? message.size : 0;
      const isLong = Boolean(message.truncated) && bytes > MOST_LOADED;
      if (isLong) {
        leftOut += 1;
        this.known.delete(keyOf(message));
      }
      values.push(isLong ? Promise.resolve(null) : this.one(message));
    }
    return { messages, values: await Promise.all(values), leftOut };
  }

  private one(message: MessageReceived): Promise<unknown> {
    const key = keyOf(message);
    let found = this.known.get(key);
    if (!found) {
      found = this.valueOf(message);
      this.known.set(key, found);
      const oldest = this.known.keys().next();
      if (this.known.size > KEEP && !oldest.done) this.known.delete(oldest.value);
    }
    return found;
  }

  private async valueOf(given: MessageReceived): Promise<unknown> {
    const message = given.truncated ? await this.whole(given).catch(() => given) : given;
    const contentType = message.properties?.content_type;
    const reading = await read(payloadBytes(message), { topic: message.topic, contentType });
    const best = reading.kinds[0];
    if (best === "json" || best === "cbor" || best === "msgpack" || best === "sparkplug")
      return reading.values[best];
    return best === "number" ? reading.text : null;
  }
}

export interface Curve {
  /** Seconds since the epoch, growing. */
  times: number[];
  values: (number | null)[];
}

export function curveOf(
  messages: readonly MessageReceived[],
  values: readonly unknown[],
  path: Path,
): Curve {
  // Turned around first: messages of the same instant keep their order.
  const points = messages
    .map((message, index) => ({ at: message.timestamp, value: numberOf(at(values[index], path)) }))
    .reverse()
    .sort((a, b) => a.at - b.at);
  return { times: points.map((one) => one.at), values: points.map((one) => one.value) };
}

/** Paths to numbers in the newest message that has any. */
export function pathsOf(values: readonly unknown[]): Path[] {
  for (const value of values.slice(0, 20)) {
    const found = numericPaths(value);
    if (found.length) return found;
  }
  return [];
}
