// One number of each message over time.

import type { MessageReceived } from "@/contract/types";
import { payloadBytes } from "@/format/payload";
import { read } from "@/payload/read";
import { at, numberOf, numericPaths, type Path } from "@/payload/value";
import { keyOf } from "./gathered";

/** What a payload holds, decoded: a value of some structure, or a number as text; else null. */
export type Decode = (message: MessageReceived) => Promise<unknown>;

const KEEP = 1000;

/** Decodes each message once; the oldest are forgotten. */
export function decoder(): Decode {
  const known = new Map<string, Promise<unknown>>();
  return (message) => {
    const key = keyOf(message);
    let found = known.get(key);
    if (!found) {
      found = valueOf(message);
      known.set(key, found);
      const oldest = known.keys().next();
      if (known.size > KEEP && !oldest.done) known.delete(oldest.value);
    }
    return found;
  };
}

async function valueOf(message: MessageReceived): Promise<unknown> {
  const contentType = message.properties?.content_type;
  const reading = await read(payloadBytes(message), { topic: message.topic, contentType });
  const best = reading.kinds[0];
  if (best === "json" || best === "cbor" || best === "msgpack" || best === "sparkplug")
    return reading.values[best];
  return best === "number" ? reading.text : null;
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
