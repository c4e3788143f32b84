// Decompression by the browser, stopped when it has produced enough.

import type { Packing } from "./sniff";

export const MAX_INFLATED = 2 * 1024 * 1024;

export interface Inflated {
  bytes: Uint8Array;
  /** There was more, or the end was missing or broken. */
  cut: boolean;
}

/** What compressed bytes hold, at most `limit` of it; null when nothing comes out. */
export async function inflate(
  bytes: Uint8Array,
  how: Packing,
  limit = MAX_INFLATED,
): Promise<Inflated | null> {
  const stream = new DecompressionStream(how === "gzip" ? "gzip" : "deflate");
  const writer = stream.writable.getWriter();
  // The reading side reports what goes wrong; in slices, so that a bomb is noticed early.
  void feed(writer, bytes).catch(() => undefined);
  const reader = stream.readable.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  let cut = false;
  try {
    while (length <= limit) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      length += value.length;
    }
    cut = length > limit;
    if (cut) await reader.cancel();
  } catch {
    cut = true;
  }
  if (!length) return null;
  return { bytes: joined(parts, Math.min(length, limit)), cut };
}

async function feed(writer: WritableStreamDefaultWriter, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += 16_384)
    await writer.write(bytes.slice(offset, offset + 16_384));
  await writer.close();
}

function joined(parts: Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part.subarray(0, length - offset), offset);
    offset += Math.min(part.length, length - offset);
  }
  return whole;
}
