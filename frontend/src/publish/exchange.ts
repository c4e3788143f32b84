// Requests and their replies: what came on a response topic, and which request it belongs to. Pure.

import type { MessageReceived } from "@/contract/types";

/** `preparing`: the response topic is not watched yet, so nothing was sent. */
export type ExchangeState = "preparing" | "waiting" | "answered" | "silent" | "failed";

/** Of another correlation data, or without any: nobody here asked for it. */
export type StrayKind = "foreign" | "unmarked";

export interface Reply {
  message: MessageReceived;
  /** Milliseconds from sending the request to the reply, as this page saw both. */
  ms: number;
  /** It came after the time for it was over. */
  late: boolean;
}

export interface Exchange {
  key: number;
  /** Seconds since the epoch. */
  at: number;
  topic: string;
  responseTopic: string;
  /** Base64. */
  correlation: string;
  timeoutS: number;
  /** Milliseconds on the page's own clock, when the request was sent. */
  began: number;
  state: ExchangeState;
  /** Why it failed, or what else is worth knowing; in words. */
  note: string | null;
  /** The first is the answer, the others came besides. */
  replies: readonly Reply[];
  /** Further replies that are not kept. */
  more: number;
}

export const MOST_EXCHANGES = 20;
export const MOST_REPLIES = 10;

/** Tell what a message on a response topic is: the reply to an exchange, or a stray one. */
export function judge(
  exchanges: readonly Exchange[],
  message: MessageReceived,
): { exchange: Exchange } | { stray: StrayKind } | null {
  const mine = exchanges.filter((one) => one.responseTopic === message.topic);
  if (!mine.length) return null;
  const data = message.properties?.correlation_data;
  if (!data) return { stray: "unmarked" };
  const exchange = mine.find((one) => one.correlation === data);
  return exchange ? { exchange } : { stray: "foreign" };
}

/** An exchange with one more reply, which came at `now` of the page's own clock. */
export function answered(exchange: Exchange, message: MessageReceived, now: number): Exchange {
  const ms = Math.max(0, now - exchange.began);
  const reply = { message, ms, late: ms > exchange.timeoutS * 1000 };
  if (exchange.replies.length >= MOST_REPLIES) return { ...exchange, more: exchange.more + 1 };
  const state = exchange.state === "failed" || reply.late ? exchange.state : "answered";
  return { ...exchange, state, replies: [...exchange.replies, reply] };
}

/** Random bytes in hex; also where the browser has no randomUUID because there is no https. */
export function randomHex(bytes: number): string {
  const found = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A response topic of this page's own under a prefix. */
export function topicUnder(prefix: string, own: string): string {
  const trimmed = prefix.trim().replace(/\/+$/, "");
  return trimmed ? `${trimmed}/${own}` : own;
}
