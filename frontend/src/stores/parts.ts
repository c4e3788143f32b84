// Broker, bridge and Redis, judged apart: a word, a tone, a reason. Pure, so that it can be tested.

import type { BrokerStatusReply } from "@/contract/types";

export type Tone = "ok" | "warn" | "bad" | "idle";

export interface Part {
  tone: Tone;
  word: string;
  reason: string;
  /** Seconds since the epoch when this state began, if that is known. */
  since: number | null;
}

const WAITING: Part = { tone: "idle", word: "waiting", reason: "No report yet.", since: null };
const OUT_OF_SIGHT: Part = {
  tone: "idle",
  word: "unknown",
  reason: "This page has lost contact with the server.",
  since: null,
};

export function pagePart(live: boolean, ever: boolean, since: number): Part {
  if (live)
    return { tone: "ok", word: "live", reason: "Values arrive as they change.", since: null };
  if (!ever)
    return { tone: "warn", word: "connecting", reason: "Opening the live channel.", since };
  return { tone: "bad", word: "lost", reason: "Reconnecting to the server.", since };
}

export function redisPart(reply: BrokerStatusReply | null, live: boolean): Part {
  if (!live) return OUT_OF_SIGHT;
  if (!reply) return WAITING;
  if (reply.redis.status === "up") {
    return { tone: "ok", word: "up", reason: "Answers within its deadline.", since: null };
  }
  if (reply.redis.status === "down") {
    const reason = reply.redis.reason ?? "It does not answer.";
    return { tone: "bad", word: "down", reason, since: null };
  }
  return { ...WAITING, word: "unknown", reason: reply.redis.reason ?? "Not asked yet." };
}

export function bridgePart(reply: BrokerStatusReply | null, live: boolean): Part {
  if (!live) return OUT_OF_SIGHT;
  if (!reply) return WAITING;
  const { alive, started_at } = reply.bridge;
  if (alive === true) {
    const word = reply.state === "standby" ? "standby" : "running";
    return { tone: "ok", word, reason: "Renews its status each second.", since: started_at };
  }
  if (alive === false) {
    return { tone: "bad", word: "silent", reason: "Start it with: mqtt-bridge", since: null };
  }
  return { ...WAITING, word: "unknown", reason: "Redis cannot be asked about it." };
}

export function brokerPart(reply: BrokerStatusReply | null, live: boolean): Part {
  if (!live) return OUT_OF_SIGHT;
  if (!reply) return WAITING;
  if (reply.connected === true) {
    return { tone: "ok", word: "connected", reason: reply.reason, since: reply.since };
  }
  if (reply.connected === false) {
    const trying = reply.state === "connecting" || reply.state === "starting";
    return {
      tone: trying ? "warn" : "bad",
      word: trying ? reply.state : "disconnected",
      reason: reply.reason,
      since: reply.since,
    };
  }
  return { ...WAITING, word: "unknown", reason: reply.reason || "The bridge does not tell." };
}
