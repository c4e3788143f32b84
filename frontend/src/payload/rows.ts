// The open part of a decoded value as a flat list of rows, bounded however large the value is.

import { type Path, entriesOf, Moment, scalarText, sizeOf } from "./value";

export const PAGE = 100;
const MAX_ROWS = 2000;
const MAX_SCALAR = 400;
const OPEN_ROWS = 60;

export type ValueRow =
  | {
      kind: "value";
      id: string;
      depth: number;
      path: Path;
      name: string | number | null;
      size: number | null;
      isList: boolean;
      open: boolean;
      text: string;
      type: string;
      /** The moment that the number stands for, in seconds since 1970; null for all else. */
      moment: number | null;
      /** The text is not shown to its end. */
      long: boolean;
    }
  | { kind: "more"; id: string; depth: number; parent: string; left: number };

/** How far each container is shown, by id: the number of its children; 0 is closed. */
export type Opened = ReadonlyMap<string, number>;

export function idOf(path: Path): string {
  return JSON.stringify(path);
}

export function rowsOf(value: unknown, opened: Opened): ValueRow[] {
  const rows: ValueRow[] = [];
  const add = (path: Path, name: string | number | null, here: unknown): void => {
    if (rows.length >= MAX_ROWS) return;
    const id = idOf(path);
    const depth = path.length;
    const size = sizeOf(here);
    const shown = size === null ? 0 : Math.min(opened.get(id) ?? 0, size);
    const text = size === null ? scalarText(here) : "";
    const whole = opened.has(id) || text.length <= MAX_SCALAR;
    rows.push({
      kind: "value",
      id,
      depth,
      path,
      name,
      size,
      isList: Array.isArray(here),
      open: shown > 0,
      text: whole ? text.slice(0, 50_000) : text.slice(0, MAX_SCALAR),
      type: here === null ? "null" : here instanceof Moment ? "number" : typeof here,
      moment: here instanceof Moment ? here.seconds : null,
      long: !whole,
    });
    for (const [key, child] of entriesOf(here, shown)) add([...path, key], key, child);
    if (size !== null && shown > 0 && shown < size && rows.length < MAX_ROWS)
      rows.push({ kind: "more", id: `${id}+`, depth: depth + 1, parent: id, left: size - shown });
  };
  add([], null, value);
  return rows;
}

/** What is open at first: level by level, as long as it stays a page full. */
export function firstOpened(value: unknown): Map<string, number> {
  const opened = new Map<string, number>();
  let level: { path: Path; value: unknown }[] = [{ path: [], value }];
  let rows = 1;
  while (level.length) {
    const below: typeof level = [];
    for (const here of level) {
      const size = sizeOf(here.value) ?? 0;
      const shown = Math.min(size, PAGE);
      const isRoot = here.path.length === 0;
      if (!size || (!isRoot && rows + shown > OPEN_ROWS) || here.path.length > 8) continue;
      opened.set(idOf(here.path), shown);
      rows += shown;
      for (const [key, child] of entriesOf(here.value, shown))
        if (sizeOf(child)) below.push({ path: [...here.path, key], value: child });
    }
    level = below;
  }
  return opened;
}
