import { describe, expect, it } from "vitest";
import { ADDRESS_BYTES, draftFrom, isWhole, queryOf, queryOfDraft } from "./address";
import {
  commandOf,
  type Draft,
  draftOf,
  emptyDraft,
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
  fileName: null,
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

  it.each([0, 1, 2])("keeps QoS %s", (qos) => {
    expect(draftFrom(queryOf({ ...message, qos })).qos).toBe(qos);
  });

  it("that is too long for an address leaves the payload out, and stays short enough", () => {
    const query = queryOf({ ...message, encoding: "utf8", payload: '"'.repeat(5000) });
    expect([query.topic, query.payload]).toEqual(["a/b", undefined]);
    const text = new URLSearchParams(queryOf({ ...message, topic: "ü".repeat(900) })).toString();
    expect(text.length).toBeLessThan(ADDRESS_BYTES + 200);
    expect(queryOf({ ...message, topic: "\ud800" }).topic).toBeUndefined();
  });

  it("that is broken leaves the form empty", () => {
    const options = (text: string) => draftFrom({ topic: "a", properties: text }).options;
    for (const text of ["{", "7", '{"user_properties":[1]}', '{"content_type":{}}'])
      expect(options(text)).toEqual(noOptions());
  });
});

describe("what is written in the form", () => {
  const written = {
    ...draft({ ...FULL, mode: "exactly-once", deadline: 60 }),
    text: '{"on": true}',
    form: "json" as const,
    qos: 2 as const,
    retain: true,
  };

  it("stands in the address, every part of it", () => {
    expect(queryOfDraft(emptyDraft())).toEqual({});
    expect(draftFrom(queryOfDraft(written))).toEqual(written);
    for (const form of ["text", "hex", "base64"] as const)
      expect(draftFrom(queryOfDraft({ ...written, form })).form).toBe(form);
    expect(isWhole(written)).toBe(true);
  });

  it("is said not to be whole in an address that cannot hold it", () => {
    expect(isWhole({ ...written, text: "x".repeat(ADDRESS_BYTES) })).toBe(false);
    expect(isWhole({ ...written, options: { ...written.options, expiry: "" } })).toBe(true);
    expect(queryOfDraft({ ...written, text: "x".repeat(ADDRESS_BYTES) }).topic).toBe("a/b");
  });

  it("is read back with care from what this tab kept", () => {
    const file = { ...written, form: "file" as const, text: "AAE=", fileName: "a.bin" };
    expect(draftOf(JSON.parse(JSON.stringify(file)))).toEqual(file);
    expect(draftOf({ topic: 7, qos: 9, form: "xml", options: [], text: null })).toEqual(
      emptyDraft(),
    );
    expect(draftOf(undefined)).toEqual(emptyDraft());
  });
});
