// The monitor's list, newest first: messages and, in their place, what is missing between them.
// Plain objects, never reactive: a list is replaced as a whole.

import type { LogPosition, MessageReceived } from "@/contract/types";

export interface MessageRow {
  kind: "message";
  key: string;
  at: LogPosition;
  message: MessageReceived;
}

/** Counted messages were left out here: a newer one of the topic was kept, or there were too many. */
export interface SkippedRow {
  kind: "skipped";
  key: string;
  at: LogPosition;
  conflated: number;
  dropped: number;
}

/** Messages were lost here, at most `missing`; null when that is not known. */
export interface GapRow {
  kind: "gap";
  key: string;
  at: LogPosition;
  missing: number | null;
  /** Whether this page was loaded anew in between. */
  reload: boolean;
}

export type Row = MessageRow | SkippedRow | GapRow;

/** Join new rows (oldest first) in front of a list, keeping at most `limit`. */
export function joined(list: readonly Row[], fresh: readonly Row[], limit: number): readonly Row[] {
  if (!fresh.length) return list;
  const front: Row[] = [];
  let rest = list;
  for (const row of fresh) {
    const below = front.length ? front[front.length - 1] : rest[0];
    const one = below && merged(below, row);
    if (!one) front.push(row);
    else if (front.length) front[front.length - 1] = one;
    else {
      rest = rest.slice(1);
      front.push(one);
    }
  }
  const taken = front.slice(-limit).reverse();
  return taken.concat(rest.slice(0, limit - taken.length));
}

/** Two notices of a kind in a row become one, or a flood's notices would push out the messages. */
function merged(older: Row, newer: Row): Row | null {
  if (older.kind === "skipped" && newer.kind === "skipped")
    return {
      ...older,
      conflated: older.conflated + newer.conflated,
      dropped: older.dropped + newer.dropped,
    };
  if (older.kind === "gap" && newer.kind === "gap") {
    const isKnown = older.missing !== null && newer.missing !== null;
    return {
      ...older,
      missing: isKnown ? (older.missing ?? 0) + (newer.missing ?? 0) : null,
      reload: older.reload || newer.reload,
    };
  }
  return null;
}

/** Put replayed rows (oldest first) where they belong by their position in the log. */
export function inserted(
  list: readonly Row[],
  replayed: readonly Row[],
  limit: number,
): readonly Row[] {
  const result: Row[] = [];
  const waiting = [...replayed].reverse();
  let next = 0;
  for (const row of list) {
    for (; next < waiting.length; next += 1) {
      const candidate = waiting[next];
      if (!candidate || !isAfter(candidate, row)) break;
      result.push(candidate);
    }
    result.push(row);
  }
  return result.concat(waiting.slice(next)).slice(0, limit);
}

function isAfter(one: Row, other: Row): boolean {
  if (one.at.epoch !== other.at.epoch) return one.at.epoch > other.at.epoch;
  return one.at.seq > other.at.seq;
}

/** The messages a test lets through, with what is missing between them: oldest first becomes newest first. */
export function sifted(
  oldestFirst: readonly Row[],
  test: (row: MessageRow) => boolean,
): { rows: readonly Row[]; examined: number; matched: number } {
  let examined = 0;
  let matched = 0;
  const kept = oldestFirst.filter((row) => {
    if (row.kind !== "message") return true;
    examined += 1;
    if (!test(row)) return false;
    matched += 1;
    return true;
  });
  return { rows: joined([], kept, kept.length), examined, matched };
}
