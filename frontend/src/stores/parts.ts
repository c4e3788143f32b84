// Broker, bridge and Redis, judged apart: a word, a tone, a reason. Pure, so that it can be tested.

import type { BrokerStatusReply } from "@/contract/types";
import { sentence } from "@/format";
import { t } from "@/i18n";
import { said } from "@/i18n/said";

export type Tone = "ok" | "warn" | "bad" | "idle";

export interface Part {
  tone: Tone;
  word: string;
  reason: string;
  /** Seconds since the epoch when this state began, if that is known. */
  since: number | null;
}

const waiting = (): Part => ({
  tone: "idle",
  word: t("parts.word.waiting"),
  reason: t("parts.reason.waiting"),
  since: null,
});
const unknown = (reason: string): Part => ({
  tone: "idle",
  word: t("parts.word.unknown"),
  reason,
  since: null,
});
/** What the server gives as a reason, as a sentence in the language shown. */
const inWords = (reason: string | null) => sentence(said(reason ?? ""));
const outOfSight = () => unknown(t("parts.reason.outOfSight"));

export function pagePart(live: boolean, ever: boolean, since: number): Part {
  if (live)
    return {
      tone: "ok",
      word: t("parts.word.live"),
      reason: t("parts.reason.live"),
      since: null,
    };
  if (!ever)
    return {
      tone: "warn",
      word: t("parts.word.connecting"),
      reason: t("parts.reason.opening"),
      since,
    };
  return {
    tone: "bad",
    word: t("parts.word.lost"),
    reason: t("parts.reason.reconnecting"),
    since,
  };
}

export function redisPart(reply: BrokerStatusReply | null, live: boolean): Part {
  if (!live) return outOfSight();
  if (!reply) return waiting();
  if (reply.redis.status === "up") {
    return {
      tone: "ok",
      word: t("parts.word.up"),
      reason: t("parts.reason.redisUp"),
      since: null,
    };
  }
  if (reply.redis.status === "down") {
    const reason = inWords(reply.redis.reason) || t("parts.reason.redisDown");
    return { tone: "bad", word: t("parts.word.down"), reason, since: null };
  }
  return unknown(inWords(reply.redis.reason) || t("parts.reason.redisUnknown"));
}

export function bridgePart(reply: BrokerStatusReply | null, live: boolean): Part {
  if (!live) return outOfSight();
  if (!reply) return waiting();
  const { alive, started_at } = reply.bridge;
  if (alive === true) {
    const word = t(`parts.word.${reply.state === "standby" ? "standby" : "running"}`);
    return { tone: "ok", word, reason: t("parts.reason.bridgeAlive"), since: started_at };
  }
  if (alive === false) {
    return {
      tone: "bad",
      word: t("parts.word.silent"),
      reason: t("parts.reason.bridgeStart"),
      since: null,
    };
  }
  return unknown(t("parts.reason.bridgeUnknown"));
}

export function brokerPart(reply: BrokerStatusReply | null, live: boolean): Part {
  if (!live) return outOfSight();
  if (!reply) return waiting();
  if (reply.connected === true) {
    return {
      tone: "ok",
      word: t("parts.word.connected"),
      reason: inWords(reply.reason),
      since: reply.since,
    };
  }
  if (reply.connected === false) {
    const state = reply.state;
    const trying = state === "connecting" || state === "starting" ? state : null;
    return {
      tone: trying ? "warn" : "bad",
      word: t(`parts.word.${trying ?? "disconnected"}`),
      reason: inWords(reply.reason),
      since: reply.since,
    };
  }
  return unknown(inWords(reply.reason) || t("parts.reason.brokerUnknown"));
}
