// What this tab shows over a reload: the newest rows, those that are held, and the one that is open.
// The server is then asked for what came since, so that the list goes on where it stopped; where
// that cannot be known, a gap says so.

import type { LogPosition } from "@/contract/types";
import type { Held } from "./board";
import type { MessageRow, Row } from "./rows";

export const KEPT_ROWS = 2000;
export const KEPT_CHARS = 1_000_000;
const KEY = "mqtt-dashboard.monitor-rows";
const VERSION = 2;

export interface Snapshot {
  /** Newest first. */
  rows: readonly Row[];
  /** Where the live messages had come to. */
  reached: LogPosition | null;
  /** The filters that were served up to there. */
  filters: string[];
  /** The list on the screen while it was paused, and since when in seconds since the epoch. */
  held: (Held & { since: number }) | null;
  /** The message whose details were open. */
  selected: MessageRow | null;
}

/** As text of bounded length: of too much, the oldest rows are left out. */
export function toText(snapshot: Snapshot, owner = ""): string {
  const { rows, reached, filters, held, selected } = snapshot;
  const open = JSON.stringify(selected);
  const parts = [
    `"version":${VERSION}`,
    `"owner":${JSON.stringify(owner)}`,
    `"reached":${JSON.stringify(reached)}`,
    `"filters":${JSON.stringify(filters)}`,
    `"rows":${listed(rows)}`,
    `"selected":${open.length > KEPT_CHARS ? "null" : open}`,
  ];
  if (held) {
    const { since, meanwhile } = held;
    parts.push(`"held":{"since":${since},"meanwhile":${meanwhile},"rows":${listed(held.rows)}}`);
  }
  return `{${parts.join(",")}}`;
}

function listed(given: readonly Row[]): string {
  const rows: string[] = [];
  let room = KEPT_CHARS;
  for (const row of given.slice(0, KEPT_ROWS)) {
    const text = JSON.stringify(row);
    room -= text.length + 1;
    if (room < 0) break;
    rows.push(text);
  }
  return `[${rows.join(",")}]`;
}

interface Kept extends Partial<Snapshot> {
  version: number;
  owner: string;
}

/** Read it back; null when it is none of ours, or of somebody else who was signed in. */
export function fromText(text: string | null, owner = ""): Snapshot | null {
  try {
    const found = JSON.parse(text ?? "null") as Kept | null;
    if (found?.version !== VERSION || found.owner !== owner) return null;
    if (!Array.isArray(found.rows)) return null;
    const { rows, reached = null, filters = [], held = null, selected = null } = found;
    return { rows, reached, filters, held, selected };
  } catch {
    return null;
  }
}

export function keep(snapshot: Snapshot, owner: string): void {
  try {
    sessionStorage.setItem(KEY, toText(snapshot, owner));
  } catch {
    // Without storage, or without room in it, a reload begins with the server's replay.
  }
}

/** Read what was kept, once: a second page of this tab begins anew. */
export function take(owner: string): Snapshot | null {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return fromText(text, owner);
  } catch {
    return null;
  }
}
