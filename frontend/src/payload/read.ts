// What a payload is, by its bytes, its topic and the sender's word; and all it can be shown as.

import { decodeBytes, decodeJson, MAX_DECODED, type Structured } from "./decode";
import { inflate } from "./inflate";
import { packing, type Packing, picture, type Picture } from "./sniff";
import { NUMBER, sizeOf, toText } from "./value";

export type Kind = Structured | "number" | "text" | "image" | "hex" | "base64";
export const KINDS: readonly Kind[] = [
  "json",
  "number",
  "text",
  "image",
  "cbor",
  "msgpack",
  "sparkplug",
  "hex",
  "base64",
];

export interface Unpacked {
  how: Packing;
  from: number;
  cut: boolean;
}

export interface Reading {
  /** The bytes as they are shown: without the compression around them. */
  bytes: Uint8Array;
  unpacked: readonly Unpacked[];
  /** Best first, never empty. */
  kinds: readonly Kind[];
  /** Null when the bytes are no UTF-8. */
  text: string | null;
  values: Readonly<Partial<Record<Structured, unknown>>>;
  picture: Picture | null;
}

export interface Hints {
  topic: string;
  contentType?: string | null | undefined;
}

const MAX_LAYERS = 3;
/** Texts with more control characters than one in so many are bytes that happen to be UTF-8. */
const TEXT_PER_CONTROL = 4;
const SHORT = 8;

/** Look at a payload. Never throws: what cannot be understood is shown as bytes. */
export async function read(payload: Uint8Array, hints: Hints): Promise<Reading> {
  const { bytes, unpacked } = await unpack(payload);
  const text = asText(bytes);
  const image = picture(bytes);
  const values: Partial<Record<Structured, unknown>> = {};
  const kinds: Kind[] = [];
  if (image) kinds.push("image");
  const controls = controlsIn(text ?? "");
  const isPlain = text !== null && controls === 0;
  if (!image && bytes.length > 0) {
    for (const format of candidates(text, isPlain, hints)) {
      const value = await attempt(bytes, text, format);
      if (value === undefined) continue;
      values[format] = value;
      kinds.push(format);
    }
    settle(kinds, values);
  }
  if (isPlain && NUMBER.test(text.trim())) kinds.push("number");
  if (text !== null && isMostlyText(text, controls)) kinds.push("text", "hex");
  else kinds.push("hex", ...(text === null ? [] : (["text"] as const)));
  kinds.push("base64");
  return { bytes, unpacked, kinds, text, values, picture: image };
}

async function unpack(payload: Uint8Array): Promise<Pick<Reading, "bytes" | "unpacked">> {
  let bytes = payload;
  const unpacked: Unpacked[] = [];
  while (unpacked.length < MAX_LAYERS) {
    const how = packing(bytes);
    const inner = how && (await inflate(bytes, how));
    // Two bytes that look like zlib by chance give little and end in an error.
    if (!inner || (inner.cut && how === "zlib" && inner.bytes.length < 64)) break;
    unpacked.push({ how, from: bytes.length, cut: inner.cut });
    bytes = inner.bytes;
  }
  return { bytes, unpacked };
}

/** Some devices end a text with zeros, or have a bell or an escape in it: it is shown as text. */
function isMostlyText(text: string, controls: number): boolean {
  if (controls === 0) return true;
  const plain = text.replace(/\0+$/, "");
  if (plain && controlsIn(plain) === 0) return true;
  return text.length >= SHORT && text.length - controls >= TEXT_PER_CONTROL * controls;
}

/** Characters that a text does not have, other than those that move to the next line or column. */
function controlsIn(text: string): number {
  let found = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 ? code < 0x09 || code > 0x0d : code === 0x7f) found += 1;
  }
  return found;
}

function asText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Which formats are worth trying, the likeliest first. */
function candidates(text: string | null, isPlain: boolean, hints: Hints): Structured[] {
  const found: Structured[] = [];
  const told = (hints.contentType ?? "").toLowerCase();
  if (/^spbv1\.0\/.+\/[nd](?:birth|death|data|cmd)\//i.test(hints.topic)) found.push("sparkplug");
  if (/\bcbor\b/.test(told)) found.push("cbor");
  if (/\b(?:x-)?msgpack\b|messagepack/.test(told)) found.push("msgpack");
  if (text !== null && /^\uFEFF?\s*[[{]/.test(text)) found.push("json");
  else if (!isPlain) found.push("cbor", "msgpack");
  return [...new Set(found)];
}

async function attempt(
  bytes: Uint8Array,
  text: string | null,
  format: Structured,
): Promise<unknown> {
  if (bytes.length > MAX_DECODED) return undefined;
  try {
    const value =
      format === "json"
        ? await decodeJson((text ?? "").replace(/^\uFEFF/, ""))
        : await decodeBytes(bytes, format);
    // Nearly every byte is a number in some format: only what has parts is a finding.
    return sizeOf(value) === null ? undefined : value;
  } catch {
    return undefined;
  }
}

/** CBOR and MessagePack may both fit: the one whose texts are cleaner comes first. */
function settle(kinds: Kind[], values: Partial<Record<Structured, unknown>>): void {
  if (kinds[0] !== "cbor" || kinds[1] !== "msgpack") return;
  const noise = (value: unknown): number =>
    (toText(value, false).match(/\\u00[01]|h'|tag |ext |undefined/g) ?? []).length;
  if (noise(values.msgpack) < noise(values.cbor)) kinds.splice(0, 2, "msgpack", "cbor");
}
