// Everything that was left out anywhere, by reason: the bridge's and every worker's.

import type { BridgePart, SystemReply, TopicsUpdate } from "@/contract/types";
import { t, type TextKey } from "@/i18n";
import { said } from "@/i18n/said";
import { en } from "@/locales/en";

export interface Loss {
  where: TextKey;
  reason: string;
  amount: number;
}

const COUNTED = [
  "viewer_messages_dropped",
  "viewer_messages_conflated",
  "log_gaps",
  "log_repeated",
  "viewers_cut",
  "events_skipped",
  "command_results_not_told",
  "command_results_missed",
  "audit_refusals_left_out",
  "requests_refused",
  "socket_requests_refused",
  "socket_packets_refused",
  "redis_errors",
  "loop_failures",
  "unreadable",
] as const;

/** The setting behind each bound of the topic index. */
const INDEX_BOUNDS: Record<string, string> = {
  topics: "TOPIC_LIMIT",
  name_bytes: "TOPIC_NAMES_BYTES",
};

/** All losses since the start of whoever counts them, those of the workers added up. */
export function losses(
  system: SystemReply | null,
  bridge: BridgePart | null,
  topics: TopicsUpdate | null,
): Loss[] {
  const found: Loss[] = [];
  const add = (where: TextKey, counts: Record<string, number> | undefined) => {
    for (const [reason, amount] of Object.entries(counts ?? {}))
      found.push({ where, reason, amount });
  };
  add("system.loss.bridge", bridge?.traffic?.dropped);
  add("system.loss.faults", bridge?.faults);
  for (const [bound, amount] of Object.entries(topics?.left_out_by ?? {}))
    found.push({ where: "system.loss.index", reason: INDEX_BOUNDS[bound] ?? bound, amount });
  found.push({ where: "system.loss.cut", reason: "", amount: topics?.values_cut ?? 0 });
  const sums = new Map<string, number>();
  for (const worker of system?.workers ?? [])
    for (const [name, amount] of Object.entries(worker.counts))
      sums.set(name, (sums.get(name) ?? 0) + amount);
  for (const [key, amount] of sums) {
    const [name, ...rest] = key.split(":");
    const known = COUNTED.find((one) => one === name);
    if (known) found.push({ where: `system.loss.${known}`, reason: rest.join(":"), amount });
  }
  return found.filter((one) => one.amount > 0);
}

/** Why something was left out, in words; a reason without words is shown as it is. */
export function why({ where, reason }: Loss): string {
  if (where === "system.loss.bridge") return bridgeWhy(reason);
  return isOf(en.system.lossReason, reason) ? t(`system.lossReason.${reason}`) : said(reason);
}

/** Why the bridge left messages out. */
export function bridgeWhy(reason: string): string {
  const { reason: known } = en.overview.account;
  return isOf(known, reason) ? t(`overview.account.reason.${reason}`) : said(reason);
}

function isOf<T extends object>(words: T, name: string): name is Extract<keyof T, string> {
  return Object.hasOwn(words, name);
}
