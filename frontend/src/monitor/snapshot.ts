// The newest rows of this tab over a reload. The server is then asked for what came since, so that
// the list goes on where it stopped; where that cannot be known, a gap says so.

import type { LogPosition } from "@/contract/types";
import type { Row } from "./rows";

export const KEPT_ROWS = 300;
export const KEPT_CHARS = 1_000_000;
const KEY = "mqtt-dashboard.monitor-rows";
const VERSION = 1;

export interface Snapshot {
  /** Newest first. */
  rows: readonly Row[];
  /** Where the live messages had come to. */
  reached: LogPosition | null;
  /** The filters that were served up to there. */
  filters: string[];
}

/** As text of bounded length: of too much, the oldest rows are left out. */
export function toText(snapshot: Snapshot): string {
  const rows: string[] = [];
  let room = KEPT_CHARS;
  for (const row of snapshot.rows.slice(0, KEPT_ROWS)) {
    const text = JSON.stringify(row);
    room -= text.length + 1;
    if (room < 0) break;
    rows.push(text);
  }
  const { reached, filters } = snapshot;
  const head = JSON.stringify({ version: VERSION, reached, filters });
  return `${head.slice(0, -1)},"rows":[${rows.join(",")}]}`;
}

/** Read it back; null when it is none of ours. */
export function fromText(text: string | null): Snapshot | null {
  try {
    const found = JSON.parse(text ?? "null") as (Snapshot & { version: number }) | null;
    if (found?.version !== VERSION || !Array.isArray(found.rows)) return null;
    return { rows: found.rows, reached: found.reached, filters: found.filters };
  } catch {
    return null;
  }
}

export function keep(snapshot: Snapshot): void {
  try {
    sessionStorage.setItem(KEY, toText(snapshot));
  } catch {
    // Without storage, or without room in it, a reload begins with the server's replay.
  }
}

/** Read what was kept, once: a second page of this tab begins anew. */
export function take(): Snapshot | null {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return fromText(text);
  } catch {
    return null;
  }
}
