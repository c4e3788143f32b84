import { describe, expect, it } from "vitest";
import type { MessageReceived } from "@/contract/types";
import { MAX_LENGTH, parse, wildcard } from "./expression";

function message(given: Partial<MessageReceived> = {}): MessageReceived {
  return {
    type: "message_received",
    topic: "home/Kitchen/climate",
    payload:
      '{"temp": 21.5, "unit": "C", "on": true, "list": [{"a": "7"}], "odd key": 1, "no": null}',
    encoding: "utf8",
    timestamp: 0,
    qos: 1,
    retain: false,
    seq: 1,
    epoch: 1,
    size: 80,
    properties: { content_type: "application/json", user_properties: [["room", "3"]] },
    ...given,
  };
}

function holds(text: string, given: Partial<MessageReceived> = {}): boolean {
  const parsed = parse(text);
  if (!parsed.ok) throw new Error(`${text}: ${JSON.stringify(parsed.problem)}`);
  return parsed.test(message(given));
}

describe("an expression", () => {
  it.each([
    ["payload.temp > 20 and qos = 1", true],
    ["payload.temp > 21.5", false],
    ["payload.temp >= 21.5 && payload.temp < 1e2", true],
    ['topic contains "kitchen"', true],
    ['topic startswith "home/" and not topic endswith "/state"', true],
    ['topic matches "home/+/climate"', true],
    ['topic matches "home/+/CLIMATE"', false],
    ['payload ~ "*temp*unit*"', true],
    ["retain", false],
    ["not retain", true],
    ["!retain and (qos = 0 or qos = 1)", true],
    ["retain or qos = 0", false],
    // `and` binds closer than `or`.
    ["retain and qos = 0 or qos = 1", true],
    ["size > 1000", false],
    ["payload.on", true],
    ["payload.on = true", true],
    ["payload.list[0].a = 7", true],
    ['payload["odd key"] == 1', true],
    ["payload.unit <> 'F'", true],
    ["payload.no = null", true],
    ['content_type = "application/json"', true],
    ["user.room = 3", true],
    ["binary", false],
    ["PAYLOAD.temp > 20 AND QoS = 1", true],
  ])("%s is %s", (text, expected) => {
    expect(holds(text)).toBe(expected);
  });

  it("does not match what is not there, whatever is asked", () => {
    for (const sign of ["=", "!=", "<", ">", "<=", ">="])
      expect(holds(`payload.humidity ${sign} 1`)).toBe(false);
    expect(holds("payload.humidity = null")).toBe(false);
    expect(holds("payload.constructor")).toBe(false);
    expect(holds("payload.temp.toString")).toBe(false);
  });

  it("reads plain payloads as text and as what they say", () => {
    expect(holds("payload > 20", { payload: "21.5" })).toBe(true);
    expect(holds("payload = 'on'", { payload: "on" })).toBe(true);
    expect(holds("payload = 'on'", { payload: '"on"' })).toBe(true);
    expect(holds("payload = true", { payload: "true" })).toBe(true);
    expect(holds("payload > 1", { payload: "", size: 0 })).toBe(false);
  });

  it("does not look into bytes and beginnings", () => {
    expect(holds("payload contains 'a'", { payload: "AAAA", encoding: "base64" })).toBe(false);
    expect(holds("payload.temp > 20", { truncated: true })).toBe(false);
  });

  it.each([
    ["payload.temp >", 14, "value", ""],
    ["temp > 20", 0, "field", "temp"],
    ["qos 1", 4, "operator", "1"],
    ["(qos = 1", 8, "close", ""],
    ["qos = 1 retain", 8, "end", "retain"],
    ['topic contains "kit', 15, "quote", '"kit'],
    ["topic contains 5", 15, "text", "5"],
    ["qos.x = 1", 0, "field", "qos.x"],
    ["payload. = 1", 8, "name", " "],
    ["and", 0, "field", "and"],
    ["", 0, "field", ""],
    ["qos = 1 # 2", 8, "operator", "#"],
    ["x".repeat(MAX_LENGTH + 1), MAX_LENGTH, "shorter", String(MAX_LENGTH + 1)],
  ])("tells what is wrong with %s", (text, at, expected, found) => {
    expect(parse(text)).toEqual({ ok: false, problem: { at, expected, found } });
  });

  it("answers at once whatever the text and the pattern", () => {
    const began = performance.now();
    const nested = "(".repeat(240) + "qos = 1" + ")".repeat(240);
    expect(holds(nested)).toBe(true);
    expect(wildcard("a".repeat(65_000), `${"*a".repeat(100)}*b`)).toBe(false);
    expect(performance.now() - began).toBeLessThan(500);
  });
});

describe("a wildcard", () => {
  it.each([
    ["abc", "abc", true],
    ["abc", "ab", false],
    ["abc", "a*", true],
    ["abc", "*c", true],
    ["abc", "*", true],
    ["", "*", true],
    ["aba", "ab*ba", false],
    ["error: disk full", "*error*full*", true],
    ["abcabc", "a*b*c*x", false],
  ])("%s ~ %s is %s", (text, pattern, expected) => {
    expect(wildcard(text, pattern)).toBe(expected);
  });
});
