// What bytes claim to be by their first few: pictures and compressed data.

export type ImageType = "image/png" | "image/jpeg" | "image/gif" | "image/webp";
export interface Picture {
  type: ImageType;
  width: number;
  height: number;
}
export type Packing = "gzip" | "zlib";

/** A browser is not asked to draw more than this: some small files hold enormous pictures. */
export const MAX_PIXELS = 24_000_000;

function starts(bytes: Uint8Array, text: string, offset = 0): boolean {
  for (let index = 0; index < text.length; index += 1)
    if (bytes[offset + index] !== text.charCodeAt(index)) return false;
  return true;
}

/** The picture these bytes hold, with its size; null when they hold none. Never SVG. */
export function picture(bytes: Uint8Array): Picture | null {
  if (bytes.length < 24) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (starts(bytes, "\x89PNG\r\n\x1a\n"))
    return { type: "image/png", width: view.getUint32(16), height: view.getUint32(20) };
  if (starts(bytes, "GIF87a") || starts(bytes, "GIF89a"))
    return {
      type: "image/gif",
      width: view.getUint16(6, true),
      height: view.getUint16(8, true),
    };
  if (starts(bytes, "\xff\xd8\xff")) return jpeg(view);
  if (starts(bytes, "RIFF") && starts(bytes, "WEBP", 8)) return webp(bytes, view);
  return null;
}

function jpeg(view: DataView): Picture | null {
  let offset = 2;
  while (offset + 9 < view.byteLength) {
    if (view.getUint8(offset) !== 0xff) return null;
    const marker = view.getUint8(offset + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame)
      return {
        type: "image/jpeg",
        height: view.getUint16(offset + 5),
        width: view.getUint16(offset + 7),
      };
    offset += 2 + view.getUint16(offset + 2);
  }
  return null;
}

function webp(bytes: Uint8Array, view: DataView): Picture | null {
  const type = "image/webp";
  if (view.byteLength < 30) return null;
  if (starts(bytes, "VP8X", 12)) {
    const read = (at: number): number => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
    return { type, width: read(24) + 1, height: read(27) + 1 };
  }
  if (starts(bytes, "VP8L", 12)) {
    const bits = view.getUint32(21, true);
    return { type, width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
  }
  if (starts(bytes, "VP8 ", 12))
    return {
      type,
      width: view.getUint16(26, true) & 0x3fff,
      height: view.getUint16(28, true) & 0x3fff,
    };
  return null;
}

/** How these bytes claim to be compressed. zlib's two bytes are weak: the rest must prove it. */
export function packing(bytes: Uint8Array): Packing | null {
  const [first = 0, second = 0, third = 0] = bytes;
  if (bytes.length >= 18 && first === 0x1f && second === 0x8b && third === 8) return "gzip";
  const isZlib = first === 0x78 && (first * 256 + second) % 31 === 0 && (second & 0x20) === 0;
  return bytes.length >= 8 && isZlib ? "zlib" : null;
}
