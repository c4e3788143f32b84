import { describe, expect, it } from "vitest";
import { draftFrom, queryOf } from "./address";
import {
  commandOf,
  type Draft,
  modeFor,
  noOptions,
  optionsFrom,
  optionsOf,
  optionsOfCommand,
  problemsOf,
  propertyCount,
  qosFor,
} from "./draft";

const draft = (options: Partial<Draft["options"]> = {}): Draft => ({
  topic: "a/b",
  text: "on",
  form: "text",
  qos: 1,
  retain: false,
  options: { ...noOptions(), ...options },
});

const FULL = {
  contentType: "text/plain",
  responseTopic: "re/ply",
  correlation: "00 ff",
  correlationForm: "hex" as const,
  expiry: 60,
  payloadFormat: 1 as const,
  userProperties: [
    { name: "k", value: "1" },
    { name: "k", value: "2" },
  ],
};

describe("a command", () => {
  it("of a plain message has no properties", () => {
    expect(commandOf(draft(), true)).toEqual({
      topic: "a/b",
      payload: "on",
      qos: 1,
      retain: false,
      encoding: "utf8",
      mode: "at-most-once",
      deadline_s: 10,
    });
  });

  it("has every property that is set, and none with MQTT 3.1.1", () => {
    const given = draft({
      ...FULL,
      userProperties: [...FULL.userProperties, { name: "", value: "" }],
    });
    expect(commandOf(given, true)).toMatchObject({
      content_type: "text/plain",
      response_topic: "re/ply",
      correlation_data: "AP8=",
      message_expiry_s: 60,
      payload_format: 1,
      user_properties: [
        ["k", "1"],
        ["k", "2"],
      ],
    });
    expect(commandOf(given, false)).toEqual(commandOf(draft(), false));
  });

  it("can be changed and sent again with all it had", () => {
    const first = commandOf(draft(FULL), true);
    const again = first && commandOf({ ...draft(), options: optionsOfCommand(first) }, true);
    expect(again).toEqual(first);
  });
});

describe("options", () => {
  it("that are wrong are named", () => {
    const wrong = { responseTopic: "a/#", correlation: "0", correlationForm: "hex" as const };
    const found = problemsOf({ ...noOptions(), ...wrong, expiry: 0.5, deadline: "" }, true);
    expect(Object.keys(found).sort()).toEqual([
      "correlation",
      "deadline",
      "expiry",
      "responseTopic",
    ]);
    expect(problemsOf({ ...noOptions(), ...wrong, expiry: 0.5 }, false)).toEqual({});
    expect(problemsOf(noOptions(), true)).toEqual({});
  });

  it("of a mode follow the QoS, and the other way round", () => {
    expect(modeFor("exactly-once", 2, true)).toBe("exactly-once");
    expect(modeFor("exactly-once", 2, false)).toBe("at-least-once");
    expect(modeFor("exactly-once", 1, true)).toBe("at-least-once");
    expect(modeFor("at-least-once", 0, true)).toBe("at-most-once");
    expect(qosFor("exactly-once", 0)).toBe(2);
    expect(qosFor("at-least-once", 0)).toBe(1);
    expect(qosFor("at-least-once", 2)).toBe(2);
  });

  it("that were kept are read with care", () => {
    expect(optionsFrom(undefined)).toEqual(noOptions());
    expect(optionsFrom({ mode: "twice", expiry: "x", userProperties: [1, null] })).toEqual(
      noOptions(),
    );
    expect(optionsFrom({ ...noOptions(), ...FULL })).toEqual({ ...noOptions(), ...FULL });
  });

  it("of a received message leave out the id of another command", () => {
    const found = optionsOf({
      payload_format_indicator: null,
      message_expiry_interval: null,
      content_type: null,
      response_topic: null,
      correlation_data: btoa("c-1"),
      user_properties: [
        ["k", "1"],
        ["command-id", "abc"],
      ],
    });
    expect(found.userProperties).toEqual([{ name: "k", value: "1" }]);
    expect([found.correlation, found.correlationForm]).toEqual(["c-1", "text"]);
    expect(propertyCount(found)).toBe(2);
  });
});

describe("a message in an address", () => {
  const properties = {
    payload_format_indicator: 1,
    message_expiry_interval: null,
    content_type: "text/plain",
    response_topic: null,
    correlation_data: null,
    user_properties: [["k", "1"]] as [string, string][],
  };
  const message = {
    topic: "a/b",
    payload: "/w==",
    encoding: "base64" as const,
    qos: 2,
    retain: true,
    cut: false,
    properties,
  };

  it("comes out as it went in", () => {
    const found = draftFrom(queryOf(message) as Record<string, string>);
    expect(found).toMatchObject({ topic: "a/b", text: "/w==", form: "base64", qos: 2 });
    expect(found.retain).toBe(true);
    expect(found.options).toEqual(optionsOf(properties));
  });

  it("that is broken leaves the form empty", () => {
    const options = (text: string) => draftFrom({ topic: "a", properties: text }).options;
    for (const text of ["{", "7", '{"user_properties":[1]}', '{"content_type":{}}'])
      expect(options(text)).toEqual(noOptions());
  });
});
