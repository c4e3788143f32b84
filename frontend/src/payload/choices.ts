// How payloads of a topic were last chosen to be shown, remembered in this browser by filter.

import { shallowRef } from "vue";
import { matches } from "@/topics/filter";
import { KINDS, type Kind } from "./read";

export interface Choice {
  filter: string;
  kind: Kind;
}

const KEY = "mqtt-dashboard.payload-views";
const MOST = 200;

/** The choice for a topic: the exact topic first, then the filter with the longest fixed start. */
export function chosenFor(topic: string, choices: readonly Choice[]): Choice | null {
  let best: Choice | null = null;
  for (const one of choices)
    if (matches(one.filter, topic) && (!best || weight(one.filter) > weight(best.filter)))
      best = one;
  return best;
}

function weight(filter: string): number {
  const wild = filter.split("/").findIndex((level) => level === "+" || level === "#");
  return wild === -1 ? Number.POSITIVE_INFINITY : wild + (filter.endsWith("#") ? 0 : 0.5);
}

/** The filters a choice for a topic may be kept under: itself, then its parents, nearest first. */
export function filtersFor(topic: string): string[] {
  const levels = topic.split("/");
  const found = [topic];
  for (let kept = levels.length - 1; kept >= 1 && found.length < 8; kept -= 1)
    found.push([...levels.slice(0, kept), "#"].join("/"));
  // A wildcard in front matches no topic that begins with $ (MQTT 5.0, 4.7.2).
  if (!topic.startsWith("$")) found.push("#");
  return found;
}

/** Choices with one more, the newest first, or without those of a filter when `kind` is null. */
export function withChoice(
  choices: readonly Choice[],
  filter: string,
  kind: Kind | null,
): Choice[] {
  const others = choices.filter((one) => one.filter !== filter);
  return (kind ? [{ filter, kind }, ...others] : others).slice(0, MOST);
}

export function parsed(stored: string | null): Choice[] {
  try {
    const found = JSON.parse(stored ?? "[]") as unknown;
    if (!Array.isArray(found)) return [];
    return found.filter(isChoice).slice(0, MOST);
  } catch {
    return [];
  }
}

function isChoice(one: unknown): one is Choice {
  const { filter, kind } = (one ?? {}) as Partial<Choice>;
  return typeof filter === "string" && KINDS.includes(kind as Kind);
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** All choices of this browser. */
export const choices = shallowRef<readonly Choice[]>(parsed(stored()));

/** Keep a choice for a filter; null forgets it. */
export function remember(filter: string, kind: Kind | null): void {
  choices.value = withChoice(choices.value, filter, kind);
  try {
    localStorage.setItem(KEY, JSON.stringify(choices.value));
  } catch {
    // Without storage the choice holds until the page is closed.
  }
}
