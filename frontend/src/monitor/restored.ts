// What a reload begins with: the rows from before that the filters still ask for, and where the list
// goes on from. Where that is not known, a gap stands between before and after.

import type { LogPosition } from "@/contract/types";
import type { Held } from "./board";
import { ownerOf } from "./filters";
import type { Row } from "./rows";
import type { Settings } from "./settings";
import type { Snapshot } from "./snapshot";

export interface Restored {
  rows: readonly Row[];
  held: (Held & { since: number }) | null;
  reached: LogPosition | null;
  /** Filters that were served up to there. */
  served: string[];
}

/** The part of a snapshot that these settings ask for; `key` is for the row of a gap. */
export function restored(found: Snapshot, settings: Settings, key: string): Restored {
  const watched = settings.filters.map((one) => ({ ...one, problem: null }));
  const ours = (rows: readonly Row[]) =>
    rows.filter((row) => row.kind !== "message" || ownerOf(row.message.topic, watched));
  const rows = ours(found.rows);
  const held = settings.paused && found.held && { ...found.held, rows: ours(found.held.rows) };
  const [newest] = rows;
  if (!newest) return { rows, held: held || null, reached: null, served: [] };
  const served = found.filters.filter((one) => watched.some(({ filter }) => filter === one));
  if (found.reached && served.length)
    return { rows, held: held || null, reached: found.reached, served };
  const gap: Row = { kind: "gap", key, at: newest.at, missing: null, reload: true };
  return { rows: [gap, ...rows], held: held || null, reached: null, served: [] };
}
