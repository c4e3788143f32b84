import { describe, expect, it } from "vitest";
import type { MessageReceived } from "@/contract/types";
import { answered, type Exchange, judge, MOST_REPLIES, topicUnder } from "./exchange";

const exchange = (correlation: string, given: Partial<Exchange> = {}): Exchange => ({
  key: 1,
  at: 0,
  topic: "ask",
  responseTopic: "re",
  correlation,
  timeoutS: 1,
  began: 1000,
  state: "waiting",
  note: null,
  replies: [],
  more: 0,
  ...given,
});

const message = (topic: string, correlation: string | null): MessageReceived => ({
  type: "message_received",
  topic,
  payload: "x",
  encoding: "utf8",
  timestamp: 1,
  qos: 0,
  retain: false,
  seq: 1,
  epoch: 1,
  size: 1,
  ...(correlation === null
    ? {}
    : {
        properties: {
          correlation_data: correlation,
        },
      }),
});

describe("a message on a response topic", () => {
  const both = [exchange("YQ=="), exchange("Yg==", { key: 2 })];

  it("belongs to the request with its correlation data", () => {
    expect(judge(both, message("re", "Yg=="))).toEqual({ exchange: both[1] });
  });
  it("is a stray one with other correlation data, or none", () => {
    expect(judge(both, message("re", "Yw=="))).toEqual({ stray: "foreign" });
    expect(judge(both, message("re", null))).toEqual({ stray: "unmarked" });
  });
  it("is of no interest on another topic", () => {
    expect(judge(both, message("other", "YQ=="))).toBeNull();
  });
});

describe("a reply", () => {
  it("in time answers the request, with the time it took", () => {
    const found = answered(exchange("YQ=="), message("re", "YQ=="), 1250);
    expect(found.state).toBe("answered");
    expect(found.replies[0]).toMatchObject({ ms: 250, late: false });
  });
  it("that comes too late does not make it answered", () => {
    const found = answered(exchange("YQ==", { state: "silent" }), message("re", "YQ=="), 2100);
    expect(found.state).toBe("silent");
    expect(found.replies[0]?.late).toBe(true);
  });
  it("is only counted once there are many", () => {
    let found = exchange("YQ==");
    for (let n = 0; n < MOST_REPLIES + 2; n += 1)
      found = answered(found, message("re", "YQ=="), 1100);
    expect([found.replies.length, found.more]).toEqual([MOST_REPLIES, 2]);
  });
});

describe("a response topic", () => {
  it("lies under the prefix", () => {
    expect(topicUnder("a/b/", "x")).toBe("a/b/x");
    expect(topicUnder(" ", "x")).toBe("x");
  });
});
