// What is watched: filters with a colour, a name and a switch, and whose a message is.

import { filterProblem, matches } from "@/topics/filter";

export const MOST_FILTERS = 20;
export const HUES = [1, 2, 3, 4, 5, 6] as const;
export const MOST_RECENT = 8;
const NAME_LENGTH = 40;

export interface Watched {
  filter: string;
  /** One of `HUES`. */
  hue: number;
  /** A word of the user's own, or nothing. */
  name: string;
  /** Its messages are not shown; they are still received. */
  muted: boolean;
  /** Why the server does not serve it, in words. */
  problem: string | null;
}

export type Chosen = Omit<Watched, "problem">;

/** The colour that fewest filters have. */
export function freeHue(watched: readonly Pick<Watched, "hue">[]): number {
  const uses = (hue: number) => watched.filter((one) => one.hue === hue).length;
  return [...HUES].sort((a, b) => uses(a) - uses(b) || a - b)[0] ?? 1;
}

/**
 * The filter a topic belongs to: of those it matches the one that says most about it, so that a
 * part of `#` has a colour of its own and can be muted.
 */
export function ownerOf(topic: string, watched: readonly Watched[]): Watched | null {
  let best: Watched | null = null;
  for (const one of watched)
    if (matches(one.filter, topic) && (!best || weight(one.filter) > weight(best.filter)))
      best = one;
  return best;
}

/** Levels that are spelled out count most, then how many levels there are. */
function weight(filter: string): number {
  const levels = filter.split("/");
  const spelled = levels.filter((level) => level !== "+" && level !== "#").length;
  return spelled * 1000 + levels.length - (filter.endsWith("#") ? 0.5 : 0);
}

/** Filters as they were kept, without what is none. */
export function chosenFrom(stored: unknown): Chosen[] {
  if (!Array.isArray(stored)) return [];
  const found: Chosen[] = [];
  for (const given of stored.slice(0, MOST_FILTERS) as unknown[]) {
    const { filter, hue, name, muted } = (given ?? {}) as Partial<Chosen>;
    if (typeof filter !== "string" || filterProblem(filter) !== null) continue;
    if (found.some((one) => one.filter === filter)) continue;
    found.push({
      filter,
      hue: HUES.find((one) => one === hue) ?? freeHue(found),
      name: typeof name === "string" ? name.slice(0, NAME_LENGTH) : "",
      muted: muted === true,
    });
  }
  return found;
}

/** Filters used lately, newest first, with one more. */
export function withRecent(recent: readonly string[], filter: string): string[] {
  return [filter, ...recent.filter((one) => one !== filter)].slice(0, MOST_RECENT);
}
