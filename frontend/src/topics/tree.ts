// The loaded part of the topic tree, and its open part as a flat list of rows. Plain data, so that
// it can be tested; nothing here grows with topics that nobody looked at.

import type { LevelsReply, TopicInfo, TopicLevel } from "@/contract/types";

export interface OpenLevel {
  /** In the order of the server; there may be holes. */
  children: readonly TopicLevel[];
  /** Names behind which there are children that were not loaded. */
  holes: ReadonlySet<string>;
}

/** Null is the root. */
export type Levels = ReadonlyMap<string | null, OpenLevel>;

export interface TopicRow {
  kind: "topic";
  key: string;
  depth: number;
  name: string;
  topic: string;
  parent: string | null;
  /** Where it stands among the loaded children of its parent. */
  place: number;
  below: number;
  open: boolean;
  info: TopicInfo | null;
}
export interface MoreRow {
  kind: "more";
  key: string;
  depth: number;
  parent: string | null;
  after: string;
}
export type Row = TopicRow | MoreRow;

export const EMPTY_LEVEL: OpenLevel = { children: [], holes: new Set() };

/** Rows in the order they are shown: each child, then what is open below it. */
export function flatten(levels: Levels): Row[] {
  const rows: Row[] = [];
  const walk = (parent: string | null, depth: number): void => {
    const level = levels.get(parent);
    level?.children.forEach((child, place) => {
      // Not counted means many; it may be opened all the same.
      const below = child.topics === null ? 1 : child.topics - (child.info ? 1 : 0);
      const open = below > 0 && levels.has(child.topic);
      const { name, topic, info } = child;
      rows.push({
        kind: "topic",
        key: topic,
        depth,
        name,
        topic,
        parent,
        place,
        below,
        open,
        info,
      });
      if (open) walk(topic, depth + 1);
      if (level.holes.has(name))
        rows.push({ kind: "more", key: `${topic}\0more`, depth, parent, after: name });
    });
  };
  walk(null, 0);
  return rows;
}

/** The order of names on the server: by their UTF-8, which is by code points. */
export function compareNames(left: string, right: string): number {
  if (left === right) return 0;
  const length = Math.min(left.length, right.length);
  let at = 0;
  while (at < length && left.charCodeAt(at) === right.charCodeAt(at)) at += 1;
  if (at === length) return left.length - right.length;
  const a = left.charCodeAt(at);
  const b = right.charCodeAt(at);
  // Surrogates stand for the highest code points, but are not the highest units.
  const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
  return rank(a) - rank(b);
}

/** A level with one page put in: it replaces what was known of its range, the rest stays. */
export function withPage(
  level: OpenLevel,
  after: string | null,
  page: Pick<LevelsReply, "children" | "next">,
): OpenLevel {
  const last = page.children.at(-1)?.name;
  const isEnd = page.next === null || last === undefined;
  const before = (name: string): boolean => after !== null && compareNames(name, after) <= 0;
  const behind = (name: string): boolean => !isEnd && compareNames(name, last) > 0;
  const head = level.children.filter((one) => before(one.name));
  const tail = level.children.filter((one) => behind(one.name));
  const replaced = level.children.filter((one) => !before(one.name) && !behind(one.name));
  const holes = new Set(
    [...level.holes].filter((name) => (before(name) && name !== after) || behind(name)),
  );
  if (!isEnd) {
    const lastKnown = replaced.at(-1);
    // What was known to follow directly still does.
    const isJoined = lastKnown !== undefined && !level.holes.has(lastKnown.name) && tail.length > 0;
    if (!isJoined) holes.add(last);
  }
  return { children: [...head, ...page.children, ...tail], holes };
}

/** A name just before another one, to load a page that begins with that other. */
export function justBefore(name: string): string | null {
  const points = Array.from(name);
  const last = points.pop()?.codePointAt(0);
  if (last === undefined) return null;
  const head = points.join("");
  if (last <= 1) return head || null;
  const lower = last === 0xe000 ? 0xd7ff : last - 1;
  return `${head}${String.fromCodePoint(lower)}\u{10ffff}`;
}

/** Where a page may begin that a name is on, the furthest before it first. */
export function pageStarts(name: string): (string | null)[] {
  const points = Array.from(name);
  const heads = [2, 1, 0].filter((less) => less < points.length);
  const starts = heads.map((less) => justBefore(points.slice(0, points.length - less).join("")));
  return heads.length ? starts : [justBefore(name)];
}

/** The topics above a topic, the root's child first. */
export function ancestors(topic: string): string[] {
  const levels = topic.split("/");
  return levels.slice(1).map((_, index) => levels.slice(0, index + 1).join("/"));
}

/** Levels without those below a topic. */
export function closed(levels: Levels, topic: string): Map<string | null, OpenLevel> {
  const next = new Map(levels);
  for (const parent of levels.keys())
    if (parent === topic || parent?.startsWith(`${topic}/`)) next.delete(parent);
  return next;
}

export interface Stretch {
  parent: string | null;
  after: string | null;
  count: number;
}

/** For each level among these rows, the stretch of its children to ask for again. */
export function stretches(rows: readonly Row[], levels: Levels): Stretch[] {
  const places = new Map<string | null, { from: number; to: number }>();
  for (const row of rows) {
    if (row.kind !== "topic") continue;
    const known = places.get(row.parent);
    if (!known) places.set(row.parent, { from: row.place, to: row.place });
    else known.to = row.place;
  }
  return [...places].map(([parent, { from, to }]) => ({
    parent,
    after: levels.get(parent)?.children[from - 1]?.name ?? null,
    count: to - from + 1,
  }));
}

/** Topics of the dashboard and of the broker themselves: there are some before any device speaks. */
export function isOwn(topic: string): boolean {
  const [first = ""] = topic.split("/", 1);
  return first === "mqtt-dashboard" || first.startsWith("$");
}
