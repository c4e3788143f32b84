// What the monitor is set to, in its address (so that it can be handed on) and in this browser.

import { filterProblem } from "@/topics/filter";
import { MAX_LENGTH } from "@/topics/expression";
import { type Chosen, chosenFrom, freeHue, MOST_FILTERS, MOST_RECENT } from "./filters";

export interface Settings {
  filters: Chosen[];
  where: string;
  paused: boolean;
}

type Query = Record<string, string | null | (string | null)[] | undefined>;

const KEY = "mqtt-dashboard.monitor";

function words(given: Query[string]): string[] {
  const list = Array.isArray(given) ? given : [given];
  return list.filter((one): one is string => typeof one === "string" && one !== "");
}

/** The settings an address holds; null when it holds none. Colours and names come from `known`. */
export function fromQuery(query: Query, known: readonly Chosen[]): Settings | null {
  const wanted = [...new Set(words(query.f))].filter((one) => filterProblem(one) === null);
  const where = words(query.where)[0] ?? "";
  if (!wanted.length && !where) return null;
  const muted = words(query.mute);
  const filters: Chosen[] = [];
  for (const filter of wanted.slice(0, MOST_FILTERS)) {
    const before = known.find((one) => one.filter === filter);
    filters.push({
      filter,
      hue: before?.hue ?? freeHue([...filters, ...known]),
      name: before?.name ?? "",
      muted: muted.includes(filter),
    });
  }
  return { filters, where: where.slice(0, MAX_LENGTH + 1), paused: words(query.paused)[0] === "1" };
}

/** The query of an address for these settings. */
export function toQuery(settings: Settings): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = {};
  const muted = settings.filters.filter((one) => one.muted);
  if (settings.filters.length) query.f = settings.filters.map((one) => one.filter);
  if (muted.length) query.mute = muted.map((one) => one.filter);
  if (settings.where) query.where = settings.where;
  if (settings.paused) query.paused = "1";
  return query;
}

export interface Remembered extends Settings {
  recent: string[];
}

/** Settings as this browser kept them; whatever is wrong in them is forgotten. */
export function parsed(stored: string | null): Remembered {
  let found: Record<string, unknown> = {};
  try {
    const value = JSON.parse(stored ?? "{}") as unknown;
    if (typeof value === "object" && value !== null) found = value as Record<string, unknown>;
  } catch {
    // Nothing of it can be used.
  }
  const recent = Array.isArray(found.recent) ? (found.recent as unknown[]) : [];
  return {
    filters: chosenFrom(found.filters),
    where: typeof found.where === "string" ? found.where.slice(0, MAX_LENGTH) : "",
    paused: found.paused === true,
    recent: recent
      .filter((one): one is string => typeof one === "string" && filterProblem(one) === null)
      .slice(0, MOST_RECENT),
  };
}

export function recall(): Remembered {
  try {
    return parsed(localStorage.getItem(KEY));
  } catch {
    return parsed(null);
  }
}

export function remember(settings: Remembered): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Without storage the settings hold until the page is closed, and in the address.
  }
}
