// Everything that was left out anywhere, by reason: the bridge's and every worker's.

import type { SystemReply, TopicsUpdate, Traffic } from "@/contract/types";
import type { TextKey } from "@/i18n";

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
  "requests_refused",
  "socket_requests_refused",
  "socket_packets_refused",
  "redis_errors",
  "loop_failures",
  "unreadable",
] as const;

/** All losses since the start of whoever counts them, those of the workers added up. */
export function losses(
  system: SystemReply | null,
  traffic: Traffic | null,
  topics: TopicsUpdate | null,
): Loss[] {
  const found: Loss[] = Object.entries(traffic?.dropped ?? {}).map(([reason, amount]) => ({
    where: "system.loss.bridge",
    reason,
    amount,
  }));
  found.push({ where: "system.loss.index", reason: "", amount: topics?.left_out ?? 0 });
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
