// What a broker offers, with a hint for what it does not: one hint for all that share it. Pure.

import type { Capabilities } from "@/contract/types";

const NAMES = [
  "statistics",
  "load_averages",
  "retained_count",
  "client_names",
  "client_addresses",
  "client_subscriptions",
  "disconnect_reasons",
  "kick",
  "dynamic_security",
] as const;

export interface Offer {
  names: (typeof NAMES)[number][];
  has: boolean | null;
  hint: string | null;
}

/** All capabilities in their order; those alike, with the same hint, stand together. */
export function grouped(offers: Capabilities): Offer[] {
  const found: Offer[] = [];
  for (const name of NAMES) {
    const has = offers[name];
    const hint = has === true ? null : (offers.hints[name] ?? null);
    const same = hint && found.find((one) => one.has === has && one.hint === hint);
    if (same) same.names.push(name);
    else found.push({ names: [name], has, hint });
  }
  return found;
}
