// One topic while it is looked at: its messages as they come, and earlier ones from the log.

import { type Ref, computed, onScopeDispose, ref, shallowRef, watch } from "vue";
import type { HistoryReply, MessageReceived, MessagesFrame } from "@/contract/types";
import { t } from "@/i18n";
import { leftOutOf } from "@/live/leftOut";
import { useConnection } from "@/stores/connection";
import { useMessages } from "@/stores/messages";
import * as api from "./api";
import { merged, MOST_MESSAGES } from "./gathered";

const ANSWER_MS = 5000;

export interface Past {
  backTo: number | null;
  cut: HistoryReply["cut"];
  next: string | null;
}

export function useTopicWatch(topic: Ref<string>) {
  const connection = useConnection();
  const monitor = useMessages();
  const messages = shallowRef<readonly MessageReceived[]>([]);
  const problem = ref<string | null>(null);
  const past = shallowRef<Past | null>(null);
  const looking = ref(false);
  /** Some messages may be missing: too many came at once, or the log moved on. */
  const mayMiss = ref(false);
  let running: AbortController | null = null;

  function take(frame: MessagesFrame): void {
    const fresh = frame.messages.filter((one) => one.topic === topic.value);
    if (!frame.replay && (frame.gap || leftOutOf(frame, topic.value))) mayMiss.value = true;
    if (fresh.length) messages.value = merged(messages.value, fresh);
  }

  function isMonitors(filter: string): boolean {
    return monitor.filters.some((one) => one.filter === filter);
  }

  function subscribe(): void {
    const filter = topic.value;
    if (!connection.socket.connected) return;
    connection.socket.timeout(ANSWER_MS).emit("subscribe", { filter }, (error, reply) => {
      if (filter !== topic.value) return;
      problem.value = error ? t("topics.detail.noAnswer") : reply.ok ? null : reply.message;
    });
  }

  function unsubscribe(filter: string): void {
    // The monitor's own filters stay its own.
    if (isMonitors(filter) || !connection.socket.connected) return;
    connection.socket.emit("unsubscribe", { filter }, () => undefined);
  }

  async function lookBack(): Promise<void> {
    if (looking.value) return;
    const mine = (running = new AbortController());
    looking.value = true;
    try {
      const reply = await api.history(topic.value, past.value?.next ?? null, mine.signal);
      if (mine.signal.aborted) return;
      messages.value = merged(messages.value, reply.messages);
      past.value = { backTo: reply.back_to, cut: reply.cut, next: reply.next };
      problem.value = null;
    } catch (error) {
      if (!mine.signal.aborted)
        problem.value = error instanceof Error ? error.message : String(error);
    } finally {
      if (running === mine) looking.value = false;
    }
  }

  function begin(): void {
    running?.abort();
    looking.value = false;
    messages.value = [];
    past.value = null;
    problem.value = null;
    mayMiss.value = false;
    subscribe();
    void lookBack();
  }

  connection.socket.on("mqtt_messages", take);
  // A new connection knows nothing of what was watched.
  connection.socket.on("connect", subscribe);
  watch(
    topic,
    (_now, before) => {
      if (before !== undefined) unsubscribe(before);
      begin();
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    running?.abort();
    connection.socket.off("mqtt_messages", take);
    connection.socket.off("connect", subscribe);
    unsubscribe(topic.value);
  });

  const isFull = computed(() => messages.value.length >= MOST_MESSAGES);
  return { messages, past, looking, problem, mayMiss, isFull, lookBack };
}
