// Payloads for the eye: text, JSON, or bytes. Nothing here ever becomes HTML.

import type { MessageReceived } from "@/contract/types";

/** The bytes of a payload as they are in the document (its beginning, when it was cut). */
export function payloadBytes(message: Pick<MessageReceived, "payload" | "encoding">): Uint8Array {
  if (message.encoding === "utf8") return new TextEncoder().encode(message.payload);
  const binary = atob(message.payload);
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

/** First bytes in hex, for a one-line preview. */
export function hexPreview(bytes: Uint8Array, limit = 24): string {
  const shown = Array.from(bytes.subarray(0, limit), (byte) => byte.toString(16).padStart(2, "0"));
  return shown.join(" ") + (bytes.length > limit ? " …" : "");
}

/** Offset, sixteen bytes and their ASCII per line. */
export function hexDump(bytes: Uint8Array, limit = 4096): string {
  const lines: string[] = [];
  const shown = bytes.subarray(0, limit);
  for (let offset = 0; offset < shown.length; offset += 16) {
    const row = Array.from(shown.subarray(offset, offset + 16));
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·"));
    lines.push(`${offset.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${text.join("")}`);
  }
  return lines.join("\n");
}

// Characters that would move, hide or reverse the text around them.
const UNSAFE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u061c\u180e\ufff9-\ufffb]/g;

/** Text with control and direction characters written out, so that it shows what it is. */
export function visible(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** One line for a list. */
export function oneLine(text: string, limit = 300): string {
  const line = text.length > limit ? text.slice(0, limit) : text;
  return visible(line.replace(/\s+/g, " "));
}

/** Indented JSON when the text is a JSON object or array, else null. */
export function prettyJson(text: string): string | null {
  const start = text.trimStart()[0];
  if (start !== "{" && start !== "[") return null;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}
