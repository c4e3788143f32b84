// Structured formats to values. The readers of the less usual ones are loaded when first needed.

import { Tagged } from "./value";

export type Structured = "json" | "cbor" | "msgpack" | "sparkplug";

/** Longer payloads are shown as text or bytes only: decoding them would hold up the page. */
export const MAX_DECODED = 2 * 1024 * 1024;

// More digits than a double holds, or an exponent beyond it.
const LONG_NUMBER = /\d{16}|[eE][+-]?\d{3}/;

/** A JSON object or array; whole numbers of any length stay exact. Throws when it is no JSON. */
export async function decodeJson(text: string): Promise<unknown> {
  const plain = JSON.parse(text) as unknown;
  if (!LONG_NUMBER.test(text)) return plain;
  const { decode } = await import("cborg/json");
  try {
    return decode(new TextEncoder().encode(text), { allowBigInt: true, useMaps: true });
  } catch {
    return plain; // nested too deep for a reader that calls itself
  }
}

/** Decode bytes that are said to be of a format; throws when they are not. */
export async function decodeBytes(bytes: Uint8Array, format: Structured): Promise<unknown> {
  if (bytes.length > MAX_DECODED) throw new Error("too long to be decoded");
  if (format === "json") return decodeJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  if (format === "sparkplug") return (await import("./sparkplug")).decodeSparkplug(bytes);
  return format === "cbor" ? decodeCbor(bytes) : decodeMsgpack(bytes);
}

async function decodeCbor(bytes: Uint8Array): Promise<unknown> {
  const { decode } = await import("cborg");
  const tags = new Proxy(
    {},
    {
      get: (_, tag) => (inner: () => unknown) => {
        const value = inner();
        return tag === "55799" ? value : cborTag(String(tag), value);
      },
    },
  );
  return decode(bytes, { useMaps: true, tags });
}

/** Big numbers and times as what they are (RFC 8949, 3.4), other tags by their number. */
function cborTag(tag: string, value: unknown): unknown {
  if ((tag === "2" || tag === "3") && value instanceof Uint8Array && value.length <= 1024) {
    const digits = Array.from(value, (one) => one.toString(16).padStart(2, "0")).join("");
    const number = BigInt(`0x${digits || "0"}`);
    return tag === "2" ? number : -1n - number;
  }
  if (tag === "1" && typeof value === "number") return new Date(value * 1000);
  return new Tagged(`tag ${tag}`, value);
}

async function decodeMsgpack(bytes: Uint8Array): Promise<unknown> {
  const { decode, ExtData } = await import("@msgpack/msgpack");
  const most = bytes.length; // an element takes a byte at least
  const decoded = decode(bytes, {
    useBigInt64: true,
    maxStrLength: most,
    maxBinLength: most,
    maxArrayLength: most,
    maxMapLength: most,
    maxExtLength: most,
    mapKeyConverter: (key) => (typeof key === "number" ? key : String(key)),
  });
  return withoutExt(decoded, (one) => one instanceof ExtData, 0);
}

/** MessagePack extensions as marked bytes; 64-bit numbers that fit as plain ones. */
function withoutExt(value: unknown, isExt: (value: unknown) => boolean, depth: number): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (depth > 200) throw new Error("nested too deep");
  if (isExt(value)) {
    const ext = value as { type: number; data: Uint8Array };
    return new Tagged(`ext ${ext.type}`, ext.data);
  }
  if (Array.isArray(value)) return value.map((one) => withoutExt(one, isExt, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array || value instanceof Date) return value;
  const found = Object.entries(value).map(
    ([key, one]) => [key, withoutExt(one, isExt, depth + 1)] as const,
  );
  return Object.fromEntries(found);
}
