// Requests that wait for a reply: the response topic is watched first, then the request is
// published, then whatever comes on the response topic is matched by its correlation data.

import { defineStore } from "pinia";
import { ref, shallowRef } from "vue";
import type { FilterReply, LogPosition, MessageReceived, MessagesFrame } from "@/contract/types";
import { t } from "@/i18n";
import { leftOutOf } from "@/live/leftOut";
import type { Command } from "@/publish/draft";
import {
  answered,
  type Exchange,
  judge,
  MOST_EXCHANGES,
  randomHex,
  type StrayKind,
  topicUnder,
} from "@/publish/exchange";
import { useConnection } from "./connection";
import { useMessages } from "./messages";
import { usePublishing } from "./publishing";

export interface Stray {
  key: string;
  kind: StrayKind;
  message: MessageReceived;
}

const MOST_STRAYS = 20;
/** Response topics watched at the same time; the oldest is given up. */
const MOST_WATCHED = 4;
const ANSWER_MS = 5000;
const ASK_AGAIN_MS = 300;
const NO_SUBSCRIBERS = 0x10;
const PREFIX = "mqtt-dashboard.publish.replyPrefix";
const TIMEOUT = "mqtt-dashboard.publish.replyTimeout";
export const DEFAULT_PREFIX = "mqtt-dashboard/reply";
const DEFAULT_TIMEOUT_S = 10;

export const useExchanges = defineStore("exchanges", () => {
  const connection = useConnection();
  const publishing = usePublishing();
  // It gives the live channel its credit, and its filters are its own.
  const monitor = useMessages();
  const exchanges = shallowRef<readonly Exchange[]>([]);
  const strays = shallowRef<readonly Stray[]>([]);
  const strayCount = ref(0);
  /** Replies may be missing: too many messages came at once, or the log moved on. */
  const mayMiss = ref(false);
  const prefix = ref(stored(PREFIX) ?? DEFAULT_PREFIX);
  const timeoutS = ref<number | "">(Number(stored(TIMEOUT)) || DEFAULT_TIMEOUT_S);
  /** The last level of this page's own response topic. */
  const own = randomHex(8);
  let watched: string[] = [];
  let reached: LogPosition | null = null;
  let serial = 0;

  function change(key: number, by: (one: Exchange) => Exchange): void {
    exchanges.value = exchanges.value.map((one) => (one.key === key ? by(one) : one));
  }

  function subscribe(filter: string, after: LogPosition | null): Promise<FilterReply> {
    return new Promise((resolve) => {
      connection.socket.timeout(ANSWER_MS).emit("subscribe", { filter, after }, (error, reply) => {
        const message = t("publish.request.noWatch");
        resolve(error ? { ok: false, filter, message, watched: null } : reply);
      });
    });
  }

  /** Watch a response topic; returns why that is not possible, or null once the bridge has it. */
  async function watch(topic: string): Promise<string | null> {
    const until = performance.now() + ANSWER_MS;
    for (;;) {
      const reply = await subscribe(topic, null);
      if (!reply.ok) return reply.message ?? t("publish.request.noWatch");
      keepWatched(topic);
      if (reply.watched !== false) return null;
      if (performance.now() > until) return t("publish.request.notHeld");
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  }

  function keepWatched(topic: string): void {
    watched = [...watched.filter((one) => one !== topic), topic];
    while (watched.length > MOST_WATCHED) unwatch(watched[0] ?? "");
  }

  function unwatch(topic: string): void {
    watched = watched.filter((one) => one !== topic);
    if (monitor.filters.some((one) => one.filter === topic)) return;
    if (connection.socket.connected)
      connection.socket.emit("unsubscribe", { filter: topic }, () => undefined);
  }

  /** Publish a request and wait for its reply. */
  async function ask(given: Command): Promise<void> {
    const responseTopic = given.response_topic ?? topicUnder(prefix.value, own);
    const correlation = given.correlation_data ?? btoa(randomHex(8));
    serial += 1;
    const key = serial;
    const exchange: Exchange = {
      key,
      at: Date.now() / 1000,
      topic: given.topic,
      responseTopic,
      correlation,
      timeoutS: Number(timeoutS.value) || DEFAULT_TIMEOUT_S,
      began: performance.now(),
      state: "preparing",
      note: null,
      replies: [],
      more: 0,
    };
    // The same correlation data again would answer the older request, too.
    const others = exchanges.value.filter((one) => !isSame(one, exchange));
    exchanges.value = [exchange, ...others].slice(0, MOST_EXCHANGES);
    const problem = await watch(responseTopic);
    if (problem !== null) {
      change(key, (one) => ({ ...one, state: "failed", note: problem }));
      return;
    }
    const began = performance.now();
    change(key, (one) => ({ ...one, began, at: Date.now() / 1000, state: "waiting" }));
    setTimeout(() => {
      change(key, (one) => (one.state === "waiting" ? { ...one, state: "silent" } : one));
    }, exchange.timeoutS * 1000);
    const request = { ...given, response_topic: responseTopic, correlation_data: correlation };
    const reply = await publishing.publish(request);
    if (reply.state === "failed" || reply.state === "expired")
      change(key, (one) =>
        one.replies.length ? one : { ...one, state: "failed", note: reply.reason },
      );
    else if (reply.code === NO_SUBSCRIBERS) note(key, t("publish.request.nobody"));
    else if (!reply.ok) note(key, reply.reason);
  }

  function note(key: number, text: string): void {
    change(key, (one) => ({ ...one, note: text }));
  }

  function take(frame: MessagesFrame): void {
    if (!watched.length) return;
    if (!frame.replay) {
      reached = { epoch: frame.epoch, seq: frame.seq };
      if (watched.some((topic) => leftOutOf(frame, topic))) mayMiss.value = true;
    }
    const now = performance.now();
    for (const message of frame.messages) {
      const found = watched.includes(message.topic) ? judge(exchanges.value, message) : null;
      if (!found) continue;
      if ("exchange" in found) {
        // While the topic is not watched nothing was sent: this is of an older one.
        if (found.exchange.state !== "preparing" && !isKnown(found.exchange, message))
          change(found.exchange.key, (one) => answered(one, message, now));
      } else if (!frame.replay) stray(found.stray, message);
    }
    if (frame.replay && frame.gap) mayMiss.value = true;
  }

  function stray(kind: StrayKind, message: MessageReceived): void {
    const key = `${message.epoch}:${message.seq}`;
    if (strays.value.some((one) => one.key === key)) return;
    strayCount.value += 1;
    strays.value = [{ key, kind, message }, ...strays.value].slice(0, MOST_STRAYS);
  }

  /** Forget everything, and stop watching. */
  function clear(): void {
    exchanges.value = [];
    strays.value = [];
    strayCount.value = 0;
    mayMiss.value = false;
    for (const topic of [...watched]) unwatch(topic);
  }

  function remember(): void {
    try {
      localStorage.setItem(PREFIX, prefix.value);
      localStorage.setItem(TIMEOUT, String(timeoutS.value));
    } catch {
      // Without storage the choice holds until the page is closed.
    }
  }

  connection.socket.on("mqtt_messages", take);
  // A new connection knows nothing of what was watched; replies that came meanwhile are replayed.
  connection.socket.on("connect", () => {
    for (const topic of watched) void subscribe(topic, reached);
  });

  return { exchanges, strays, strayCount, mayMiss, prefix, timeoutS, own, ask, clear, remember };
});

function isSame(one: Exchange, other: Exchange): boolean {
  return one.responseTopic === other.responseTopic && one.correlation === other.correlation;
}

function isKnown(exchange: Exchange, message: MessageReceived): boolean {
  return exchange.replies.some(
    (one) => one.message.epoch === message.epoch && one.message.seq === message.seq,
  );
}

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
