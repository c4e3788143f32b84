// The newest broker statistics, and how they were over the last hour.

import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import type {
  BrokerStatsReply,
  ClientsUpdate,
  StatsHistoryReply,
  TopicsUpdate,
} from "@/contract/types";
import { get } from "@/live/api";
import { now } from "@/live/clock";
import { useConnection } from "./connection";
import { append, fromColumns, measured, type Series } from "./series";

/** Three of the bridge's five-second intervals. */
export const STALE_AFTER_S = 15;
/** Three of its ten-second intervals for lists. */
const LIST_STALE_AFTER_S = 30;
const STEP_S = 5;
/** The lines of the charts and tiles; the broker's own values come when they are in sight. */
const DRAWN = [
  "clients_connected",
  "subscriptions",
  "retained",
  "publish_dropped",
  "rate_publish_received",
  "rate_publish_sent",
  "rate_publish_dropped",
  "rate_bridge_messages",
  "rate_bytes_received",
  "rate_bytes_sent",
];
type Past = "drawn" | "all";
const HOUR_S = 3600;

export const useStats = defineStore("stats", () => {
  const connection = useConnection();
  const latest = shallowRef<BrokerStatsReply | null>(null);
  const arrivedAt = ref(0);
  const topics = shallowRef<TopicsUpdate | null>(null);
  const clients = shallowRef<ClientsUpdate | null>(null);
  const clientsAt = ref(0);
  const history = shallowRef<Series>([]);
  const historyProblem = ref<string | null>(null);

  connection.socket.on("broker_stats", (reply) => {
    const isNew = reply.timestamp !== null && reply.timestamp !== latest.value?.timestamp;
    latest.value = reply;
    arrivedAt.value = Date.now() / 1000;
    if (isNew && reply.timestamp !== null && !reply.stale)
      history.value = append(
        history.value,
        measured(reply.timestamp, reply.data, reply.rates),
        STEP_S,
        HOUR_S,
      );
  });
  connection.socket.on("topics_update", (update) => {
    topics.value = update;
    if (update.changed.some((change) => change.topic.startsWith("demo/"))) connection.demo = true;
  });
  connection.socket.on("clients_update", (update) => {
    clients.value = update;
    clientsAt.value = Date.now() / 1000;
  });
  // What happened while this page was closed, or away, the bridge has kept.
  connection.socket.on("connect", () => void load());

  /** How much of the past somebody looks at: an hour of everything is a large answer. */
  let looked: Past | null = null;

  /** Ask for what is drawn first, or for everything, unless it is here; and again after a break. */
  function recall(past: Past): void {
    if (looked === past || looked === "all") return;
    looked = past;
    if (connection.socket.connected) void load();
  }

  async function load(): Promise<void> {
    if (looked === null) return;
    try {
      const fields = looked === "drawn" ? DRAWN.join(",") : null;
      const query = { span: "hour", fields };
      const reply = await get<StatsHistoryReply>("/api/broker/stats/history", query);
      const known = fromColumns(reply);
      const end = known[known.length - 1]?.time ?? 0;
      history.value = [...known, ...history.value.filter((sample) => sample.time > end)];
      historyProblem.value = null;
    } catch (error) {
      historyProblem.value = error instanceof Error ? error.message : String(error);
    }
  }

  /** Since when the broker is known to tell nothing: reports go on, and repeat what was. */
  const silentSince = computed(() =>
    connection.status?.connected === false ? connection.status.since : null,
  );
  /** Age of the values by the server's clock at arrival plus the time since. */
  const age = computed(() => {
    const then = latest.value?.age_s;
    if (typeof then !== "number") return null;
    const own = then + Math.max(0, now.value - arrivedAt.value);
    return silentSince.value === null ? own : Math.max(own, now.value - silentSince.value);
  });
  const stale = computed(() => connection.stale || age.value === null || age.value > STALE_AFTER_S);

  /** From when the list of clients is, if it can be no longer true; else null. */
  const clientsAsOf = computed(() => {
    const told = clients.value?.timestamp;
    const fresh = !connection.stale && now.value - clientsAt.value < LIST_STALE_AFTER_S;
    if (fresh || told === undefined) return null;
    return silentSince.value === null ? told : Math.min(told, silentSince.value);
  });

  return { latest, topics, clients, clientsAsOf, history, historyProblem, recall, age, stale };
});
