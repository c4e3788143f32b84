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
const STEP_S = 5;
const HOUR_S = 3600;

export const useStats = defineStore("stats", () => {
  const connection = useConnection();
  const latest = shallowRef<BrokerStatsReply | null>(null);
  const topics = shallowRef<TopicsUpdate | null>(null);
  const clients = shallowRef<ClientsUpdate | null>(null);
  const history = shallowRef<Series>([]);
  const historyProblem = ref<string | null>(null);

  connection.socket.on("broker_stats", (reply) => {
    const isNew = reply.timestamp !== null && reply.timestamp !== latest.value?.timestamp;
    latest.value = reply;
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
  });
  // What happened while this page was closed, or away, the bridge has kept.
  connection.socket.on("connect", () => void recall());

  async function recall(): Promise<void> {
    try {
      const reply = await get<StatsHistoryReply>("/api/broker/stats/history", { span: "hour" });
      const known = fromColumns(reply);
      const end = known[known.length - 1]?.time ?? 0;
      history.value = [...known, ...history.value.filter((sample) => sample.time > end)];
      historyProblem.value = null;
    } catch (error) {
      historyProblem.value = error instanceof Error ? error.message : String(error);
    }
  }

  /** Age of the values by the server's clock at arrival plus the time since. */
  const age = computed(() => {
    const stamp = latest.value?.timestamp;
    return stamp ? Math.max(0, now.value - stamp) : null;
  });
  const stale = computed(() => connection.stale || age.value === null || age.value > STALE_AFTER_S);

  return { latest, topics, clients, history, historyProblem, age, stale };
});
