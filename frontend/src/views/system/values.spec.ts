import { describe, expect, it } from "vitest";
import { inUnits, written } from "./values";

const setting = (name: string, value: string, secret = false) => ({
  name,
  value,
  secret,
  description: "",
  is_default: true,
});

describe("a setting", () => {
  it.each([
    ["MESSAGE_LOG_BYTES", "67108864", "64 MiB"],
    ["MQTT_MAX_PACKET_SIZE", "1114112", "1.1 MiB"],
    ["MESSAGE_LOG_AGE_S", "86400", "1 d"],
    ["MQTT_SESSION_EXPIRY", "3600", "1 h"],
    ["MQTT_KEEPALIVE", "30", null],
    ["REDIS_PORT", "6379", null],
    ["MQTT_CLIENT_ID", "3600", null],
  ])("%s=%s is %s", (name, value, text) => {
    expect(inUnits(setting(name, value))).toBe(text);
  });

  it("of a secret is only said whether it is set", () => {
    expect(written(setting("REDIS_PASSWORD", "set", true))).toBe("set");
    expect(written(setting("MQTT_TOPICS", ""))).toBe("–");
    expect(written(setting("MQTT_STATUS_TOPIC", "not set"))).toBe("not set");
  });
});
