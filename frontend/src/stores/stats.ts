// The newest broker statistics and half an hour of rates.

import { defineStore } from "pinia";
import { computed, shallowRef } from "vue";
import type { BrokerStatsReply, TopicsUpdate } from "@/contract/types";
import { now } from "@/live/clock";
import { useConnection } from "./connection";
import { append, type Series } from "./series";

/** Three of the bridge's five-second intervals. */
export const STALE_AFTER_S = 15;

export const useStats = defineStore("stats", () => {
  const connection = useConnection();
  const latest = shallowRef<BrokerStatsReply | null>(null);
  const topics = shallowRef<TopicsUpdate | null>(null);
  const history = shallowRef<Series>([]);

  connection.socket.on("broker_stats", (reply) => {
    const isNew = reply.timestamp !== null && reply.timestamp !== latest.value?.timestamp;
    latest.value = reply;
    if (isNew && reply.timestamp !== null && !reply.stale) {
      history.value = append(history.value, reply.timestamp, reply.rates);
    }
  });
  connection.socket.on("topics_update", (update) => {
    topics.value = update;
    if (update.changed.some((change) => change.topic.startsWith("demo/"))) connection.demo = true;
  });

  /** Age of the values by the server's clock at arrival plus the time since. */
  const age = computed(() => {
    const stamp = latest.value?.timestamp;
    return stamp ? Math.max(0, now.value - stamp) : null;
  });
  const stale = computed(() => connection.stale || age.value === null || age.value > STALE_AFTER_S);

  return { latest, topics, history, age, stale };
});
