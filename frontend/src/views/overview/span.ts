// Which span the charts show; kept in the address. The day comes from the server when it is chosen.

import { computed, onBeforeUnmount, ref, shallowRef, watch } from "vue";
import { useRoute, useRouter } from "vue-router";
import type { StatsHistoryReply } from "@/contract/types";
import { get } from "@/live/api";
import { fromColumns, type Series } from "@/stores/series";
import { useStats } from "@/stores/stats";

export type ShownSpan = "minutes" | "hour" | "day";

/** What each span shows, and how far apart its samples are, in seconds. */
export const SPANS: Record<ShownSpan, { span: number; step: number }> = {
  minutes: { span: 600, step: 5 },
  hour: { span: 3600, step: 5 },
  day: { span: 86_400, step: 60 },
};
const REFRESH_MS = 60_000;
const FIELDS = [
  "rate_publish_received",
  "rate_publish_sent",
  "rate_bridge_messages",
  "rate_bytes_received",
  "rate_bytes_sent",
].join(",");

export function useSpan() {
  const route = useRoute();
  const router = useRouter();
  const stats = useStats();
  const given = route.query.span;
  const span = ref<ShownSpan>(given === "hour" || given === "day" ? given : "minutes");
  const day = shallowRef<Series>([]);
  const dayProblem = ref<string | null>(null);
  let timer: ReturnType<typeof setInterval> | undefined;

  async function loadDay(): Promise<void> {
    try {
      const query = { span: "day", fields: FIELDS };
      day.value = fromColumns(await get<StatsHistoryReply>("/api/broker/stats/history", query));
      dayProblem.value = null;
    } catch (error) {
      dayProblem.value = error instanceof Error ? error.message : String(error);
    }
  }

  watch(
    span,
    (now) => {
      clearInterval(timer);
      if (now === "day") {
        void loadDay();
        timer = setInterval(() => void loadDay(), REFRESH_MS);
      }
      const query = { ...route.query, span: now === "minutes" ? undefined : now };
      void router.replace({ query });
    },
    { immediate: span.value === "day" },
  );
  onBeforeUnmount(() => clearInterval(timer));

  const shown = computed<Series>(() => {
    if (span.value === "day") return day.value;
    if (span.value === "hour") return stats.history;
    const end = stats.history[stats.history.length - 1]?.time ?? 0;
    return stats.history.filter((sample) => sample.time > end - SPANS.minutes.span);
  });
  const problem = computed(() => (span.value === "day" ? dayProblem.value : stats.historyProblem));
  return { span, shown, problem };
}
