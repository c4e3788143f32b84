// The open part of the topic tree as a flat list of rows. Plain, so that it can be tested.

import type { TopicInfo, TopicLevel } from "@/contract/types";

export interface OpenLevel {
  children: TopicLevel[];
  next: string | null;
}

export type Row =
  | {
      kind: "topic";
      key: string;
      depth: number;
      name: string;
      topic: string;
      below: number;
      open: boolean;
      info: TopicInfo | null;
    }
  | { kind: "more"; key: string; depth: number; parent: string | null };

export const ROOT = null;

/** Rows in the order they are shown: each child, then what is open below it. */
export function flatten(
  levels: ReadonlyMap<string | null, OpenLevel>,
  parent: string | null = ROOT,
  depth = 0,
): Row[] {
  const level = levels.get(parent);
  if (!level) return [];
  const rows: Row[] = [];
  for (const child of level.children) {
    const below = child.topics - (child.info ? 1 : 0);
    const open = below > 0 && levels.has(child.topic);
    rows.push({
      kind: "topic",
      key: child.topic,
      depth,
      name: child.name,
      topic: child.topic,
      below,
      open,
      info: child.info,
    });
    if (open) rows.push(...flatten(levels, child.topic, depth + 1));
  }
  if (level.next !== null) rows.push({ kind: "more", key: `${parent ?? ""}\0more`, depth, parent });
  return rows;
}
