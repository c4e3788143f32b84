// What an expression may ask of a message. The payload is read at most once per message, and only
// when it is asked for.

import type { MessageReceived } from "@/contract/types";

export type Operand = string | number | boolean | null;

/** A message and what was read of it. */
export interface Reader {
  message: MessageReceived;
  /** The payload as JSON; undefined when it is none or only its beginning is here. */
  json: () => unknown;
}

export function read(message: MessageReceived): Reader {
  let known = false;
  let value: unknown;
  return {
    message,
    json: () => {
      if (!known) {
        known = true;
        value = parsed(message);
      }
      return value;
    },
  };
}

function parsed(message: MessageReceived): unknown {
  if (message.encoding !== "utf8" || message.truncated) return undefined;
  try {
    return JSON.parse(message.payload) as unknown;
  } catch {
    return undefined;
  }
}

interface Field {
  /** Whether a path may follow: payload.temp, user.room */
  deep?: boolean;
  /** The values a comparison may be true of; none at all when it is not there. */
  get: (reader: Reader, path: readonly string[]) => Operand[];
}

export const FIELDS: Record<string, Field> = {
  topic: { get: ({ message }) => [message.topic] },
  payload: { deep: true, get: payload },
  qos: { get: ({ message }) => [message.qos] },
  retain: { get: ({ message }) => [message.retain] },
  dup: { get: ({ message }) => [message.dup ?? false] },
  size: { get: ({ message }) => [message.size] },
  binary: { get: ({ message }) => [message.encoding === "base64"] },
  cut: { get: ({ message }) => [message.truncated ?? false] },
  content_type: { get: ({ message }) => [message.properties?.content_type ?? null] },
  response_topic: { get: ({ message }) => [message.properties?.response_topic ?? null] },
  user: {
    deep: true,
    get: ({ message }, path) =>
      (message.properties?.user_properties ?? [])
        .filter(([name]) => !path.length || name === path.join("."))
        .map(([, value]) => value),
  },
};

function payload(reader: Reader, path: readonly string[]): Operand[] {
  const { message } = reader;
  if (!path.length) {
    // Text as it came, and what it says as JSON: 21.5 is a number, "on" is on.
    const plain = message.encoding === "utf8" ? message.payload : null;
    const value = reader.json();
    return isScalar(value) && value !== plain ? [plain, value] : [plain];
  }
  let value: unknown = reader.json();
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return [];
    value = (value as Record<string, unknown>)[step];
  }
  // An object is there, though no value to compare with.
  return [isScalar(value) ? value : JSON.stringify(value)];
}

function isScalar(value: unknown): value is Operand {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}
