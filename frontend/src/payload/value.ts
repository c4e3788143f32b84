// Decoded payloads of every format as one kind of value: what can be listed, found and written out.

/** A value with a mark of its own: a CBOR tag, a MessagePack extension. */
export class Tagged {
  constructor(
    readonly mark: string,
    readonly value: unknown,
  ) {}
}

/** A moment in milliseconds since 1970 that stands as a number in the payload. */
export class Moment {
  constructor(readonly ms: number | bigint) {}

  /** Null when no calendar has it. */
  get seconds(): number | null {
    const ms = Number(this.ms);
    return Number.isNaN(new Date(ms).getTime()) ? null : ms / 1000;
  }
}

export type Path = readonly (string | number)[];
export type Entry = readonly [key: string | number, value: unknown];

const MAX_DEPTH = 64;
const MAX_TEXT = 400_000;

/** How many children a value has; null when it can have none. */
export function sizeOf(value: unknown): number | null {
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  if (value instanceof Tagged) return 1;
  return isRecord(value) ? Object.keys(value).length : null;
}

/** The first children of a value, in their order. */
export function entriesOf(value: unknown, limit: number): Entry[] {
  if (Array.isArray(value)) return value.slice(0, limit).map((one, index) => [index, one] as const);
  if (value instanceof Tagged) return [[value.mark, value.value]];
  const found: Entry[] = [];
  if (value instanceof Map) {
    for (const [key, one] of value as Map<unknown, unknown>) {
      if (found.length >= limit) break;
      found.push([typeof key === "number" ? key : keyText(key), one]);
    }
  } else if (isRecord(value)) {
    for (const key of Object.keys(value).slice(0, limit)) found.push([key, value[key]]);
  }
  return found;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  return !(value instanceof Uint8Array || value instanceof Date || value instanceof Moment);
}

function keyText(key: unknown): string {
  return typeof key === "string" ? key : toText(key, false).slice(0, 200);
}

/** The child of a value; undefined when there is none. */
export function at(value: unknown, path: Path): unknown {
  let here = value;
  for (const key of path) {
    if (here instanceof Map) here = fromMap(here as Map<unknown, unknown>, key);
    else if (here instanceof Tagged) here = here.mark === key ? here.value : undefined;
    else if (Array.isArray(here)) here = typeof key === "number" ? here[key] : undefined;
    else if (isRecord(here)) here = Object.hasOwn(here, key) ? here[String(key)] : undefined;
    else return undefined;
  }
  return here;
}

function fromMap(map: Map<unknown, unknown>, key: string | number): unknown {
  if (map.has(key)) return map.get(key);
  for (const [name, value] of map) if (keyText(name) === key) return value;
  return undefined;
}

/** A number for a chart; null when the value is none. Booleans count as 0 and 1. */
export function numberOf(value: unknown): number | null {
  if (typeof value === "boolean") return Number(value);
  if (value instanceof Moment) return Number(value.ms);
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "string") {
    const text = number.trim();
    return NUMBER.test(text) ? numberOf(Number(text)) : null;
  }
  return typeof number === "number" && Number.isFinite(number) ? number : null;
}

/** A number as devices write them, in digits, and nothing else. */
export const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/;

/** Paths to all numbers of a value but moments, at most `limit`, breadth first. */
export function numericPaths(value: unknown, limit = 60): Path[] {
  const found: Path[] = [];
  let level: { path: Path; value: unknown }[] = [{ path: [], value }];
  for (let depth = 0; depth < 12 && level.length && found.length < limit; depth += 1) {
    const below: typeof level = [];
    for (const here of level) {
      const isNumber = numberOf(here.value) !== null && !(here.value instanceof Moment);
      if (isNumber && found.length < limit) found.push(here.path);
      for (const [key, child] of entriesOf(here.value, 200)) {
        if (below.length < 2000) below.push({ path: [...here.path, key], value: child });
      }
    }
    level = below;
  }
  return found;
}

/** A path as one writes it in a program: `rooms[2].temperature`. */
export function pathText(path: Path): string {
  let text = "";
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`;
    else if (/^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(key)) text += text ? `.${key}` : key;
    else text += `[${JSON.stringify(key)}]`;
  }
  return text;
}

const STEP = /^(?:\.?([\p{L}_$][\p{L}\p{N}_$-]*)|\[(\d{1,15})\]|\[("(?:[^"\\]|\\.)*")\])/u;

/** The path that was written as a text; null when it is none. */
export function pathFrom(text: string): Path | null {
  const path: (string | number)[] = [];
  let rest = text;
  while (rest) {
    const found = STEP.exec(rest);
    if (!found || (path.length === 0 && rest.startsWith("."))) return null;
    const [whole, name, index, quoted] = found;
    try {
      if (name !== undefined) path.push(name);
      else path.push(index === undefined ? (JSON.parse(quoted ?? "") as string) : Number(index));
    } catch {
      return null;
    }
    rest = rest.slice(whole.length);
  }
  return path;
}

/** A value without children in one line, its digits and characters kept. */
export function scalarText(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return `h'${hex(value)}'`;
  if (value instanceof Moment) return String(value.ms);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "?" : value.toISOString();
  return Object.is(value, -0) ? "-0" : String(value);
}

function hex(bytes: Uint8Array): string {
  const text = Array.from(bytes.subarray(0, 1024), (one) => one.toString(16).padStart(2, "0"));
  return text.join("") + (bytes.length > 1024 ? "…" : "");
}

/** A value in the manner of JSON; deep and long ones end in an ellipsis. */
export function toText(value: unknown, indented = true): string {
  const parts: string[] = [];
  let length = 0;
  const write = (text: string): void => {
    length += text.length;
    if (length <= MAX_TEXT) parts.push(text);
  };
  const line = (depth: number): string => (indented ? `\n${"  ".repeat(depth)}` : "");
  const walk = (here: unknown, depth: number): void => {
    const size = sizeOf(here);
    if (size === null) return write(scalarText(here));
    const isList = Array.isArray(here);
    if (size === 0) return write(isList ? "[]" : "{}");
    if (depth >= MAX_DEPTH || length > MAX_TEXT) return write("…");
    write(isList ? "[" : "{");
    entriesOf(here, size).forEach(([key, child], index) => {
      if (length > MAX_TEXT) return;
      write((index ? "," : "") + line(depth + 1));
      if (!isList) write(`${JSON.stringify(String(key))}:${indented ? " " : ""}`);
      walk(child, depth + 1);
    });
    write(line(depth) + (isList ? "]" : "}"));
  };
  walk(value, 0);
  return parts.join("") + (length > MAX_TEXT ? " …" : "");
}
