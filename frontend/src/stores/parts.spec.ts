import { describe, expect, it } from "vitest";
import type { BrokerStatusReply } from "@/contract/types";
import { bridgePart, brokerPart, pagePart, redisPart } from "./parts";

const good: BrokerStatusReply = {
  connected: true,
  state: "connected",
  reason: "connected with MQTT 5.0",
  since: 100,
  age_s: 0.2,
  timestamp: 200,
  broker: {
    host: "localhost",
    port: 1883,
    tls: false,
    protocol: "5.0",
    family: "mosquitto",
    version: null,
    anonymous: true,
    capabilities: null,
  },
  bridge: {
    alive: true,
    age_s: 0.2,
    instance: "a",
    version: "0.1.0",
    epoch: 1,
    started_at: 90,
    client_id: "mqtt-bridge-service",
    connects: 1,
    subscriptions: [],
    traffic: null,
    retained: null,
    restoring: false,
    faults: {},
  },
  redis: { status: "up", reason: null, age_s: 0.1, durable: true, durable_reason: "on disk" },
};

describe("the three parts", () => {
  it("are judged apart when all is well", () => {
    expect(brokerPart(good, true)).toMatchObject({ tone: "ok", since: 100 });
    expect(bridgePart(good, true)).toMatchObject({ tone: "ok", since: 90 });
    expect(redisPart(good, true).tone).toBe("ok");
  });
  it("never claim what cannot be known", () => {
    const silent: BrokerStatusReply = {
      ...good,
      connected: null,
      state: "unknown",
      reason: "the bridge is silent",
      bridge: { ...good.bridge, alive: false },
    };
    expect(brokerPart(silent, true).word).toBe("unknown");
    expect(bridgePart(silent, true)).toMatchObject({ tone: "bad", word: "silent" });
    const blind: BrokerStatusReply = {
      ...silent,
      bridge: { ...good.bridge, alive: null },
      redis: { status: "down", reason: "refused", age_s: 9, durable: null, durable_reason: null },
    };
    expect(bridgePart(blind, true).word).toBe("unknown");
    expect(redisPart(blind, true)).toMatchObject({ tone: "bad", reason: "Refused." });
  });
  it("are unknown to a page without contact", () => {
    for (const part of [brokerPart(good, false), bridgePart(good, false), redisPart(good, false)]) {
      expect(part.word).toBe("unknown");
    }
    expect(pagePart(false, true, 1).word).toBe("lost");
  });
});
