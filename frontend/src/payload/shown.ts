// The plain text behind each way of showing a payload.

import { visible } from "@/format/payload";
import type { Kind, Reading } from "./read";
import { toText } from "./value";

export function base64Of(bytes: Uint8Array): string {
  let binary = "";
  for (let offset = 0; offset < bytes.length; offset += 8192)
    binary += String.fromCharCode(...bytes.subarray(offset, offset + 8192));
  return btoa(binary);
}

/** Bytes in hex, lines of `perLine`, from `from` on, at most `limit` bytes. */
export function hexLines(
  bytes: Uint8Array,
  perLine: number,
  limit: number,
): { offset: string; hex: string; text: string }[] {
  const lines = [];
  const end = Math.min(bytes.length, limit);
  for (let offset = 0; offset < end; offset += perLine) {
    const row = Array.from(bytes.subarray(offset, Math.min(end, offset + perLine)));
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0"));
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·"));
    lines.push({
      offset: offset.toString(16).padStart(6, "0"),
      hex: hex.join(" ").padEnd(perLine * 3 - 1),
      text: text.join(""),
    });
  }
  return lines;
}

/** Text for the eye: what would hide or turn around is written out; at most `limit` characters. */
export function shownText(
  reading: Reading,
  kind: Kind,
  limit: number,
): { text: string; left: number } {
  const whole = kind === "base64" ? base64Of(reading.bytes) : (reading.text ?? "");
  const text = whole.length > limit ? whole.slice(0, limit) : whole;
  return { text: visible(text), left: whole.length - text.length };
}

/** What the copy button takes: text as it is, bytes in the notation shown. */
export function copyText(reading: Reading, kind: Kind): string {
  if (kind === "json") return reading.text ?? "";
  if (kind === "cbor" || kind === "msgpack" || kind === "sparkplug")
    return toText(reading.values[kind]);
  if (kind === "hex")
    return Array.from(reading.bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  if (kind === "base64" || kind === "image" || reading.text === null)
    return base64Of(reading.bytes);
  return reading.text;
}
