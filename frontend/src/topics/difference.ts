// What changed between two payloads: by path when both have structure, else by line.

import { entriesOf, type Path, scalarText, sizeOf, toText } from "@/payload/value";

export interface Change {
  kind: "added" | "removed" | "changed";
  path: Path;
  before: string | null;
  after: string | null;
}

export interface PathDifference {
  changes: Change[];
  /** There are more changes than are listed. */
  isCut: boolean;
}

export interface Line {
  kind: "added" | "removed" | "same";
  text: string;
}

const MOST_CHANGES = 300;
const MOST_DEPTH = 64;
const MOST_CHILDREN = 5000;
const MOST_LINES = 1000;
const MOST_TEXT = 60_000;
const SAME_AROUND = 3;

/** Paths at which two values differ. Lists are compared by position. */
export function pathDifference(before: unknown, after: unknown): PathDifference {
  const changes: Change[] = [];
  let isCut = false;
  const add = (change: Change): void => {
    if (changes.length < MOST_CHANGES) changes.push(change);
    else isCut = true;
  };
  const compare = (left: unknown, right: unknown, path: Path): void => {
    if (isCut) return;
    const isBoth = sizeOf(left) !== null && sizeOf(right) !== null;
    if (!isBoth || Array.isArray(left) !== Array.isArray(right) || path.length >= MOST_DEPTH) {
      const [was, is] = [short(left), short(right)];
      if (was !== is) add({ kind: "changed", path, before: was, after: is });
      return;
    }
    const olds = new Map(entriesOf(left, MOST_CHILDREN));
    const news = new Map(entriesOf(right, MOST_CHILDREN));
    for (const [key, old] of olds) {
      const here = [...path, key];
      if (news.has(key)) compare(old, news.get(key), here);
      else add({ kind: "removed", path: here, before: short(old), after: null });
    }
    for (const [key, value] of news)
      if (!olds.has(key))
        add({ kind: "added", path: [...path, key], before: null, after: short(value) });
  };
  compare(before, after, []);
  return { changes, isCut };
}

function short(value: unknown): string {
  const text = sizeOf(value) === null ? scalarText(value) : toText(value, false);
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

/** Lines that went and came; stretches without a change are shortened. Null: too much to compare. */
export async function lineDifference(before: string, after: string): Promise<Line[] | null> {
  if (before.length + after.length > 2 * MOST_TEXT) return null;
  const { diffLines } = await import("diff");
  const parts = diffLines(before, after, { timeout: 500, maxEditLength: 4000 });
  if (!parts) return null;
  const lines: Line[] = [];
  for (const part of parts) {
    const kind = part.added ? "added" : part.removed ? "removed" : "same";
    const texts = part.value.replace(/\n$/, "").split("\n");
    const isLong = kind === "same" && texts.length > 2 * SAME_AROUND + 1;
    const kept = isLong
      ? [...texts.slice(0, SAME_AROUND), "⋯", ...texts.slice(-SAME_AROUND)]
      : texts;
    for (const text of kept) lines.push({ kind, text });
  }
  return lines.slice(0, MOST_LINES);
}
