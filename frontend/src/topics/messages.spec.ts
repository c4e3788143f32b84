import { describe, expect, it } from "vitest";
import type { MessageReceived } from "@/contract/types";
import { curveOf, Decoder, pathsOf } from "./curve";
import { lineDifference, pathDifference } from "./difference";
import { keyOf, merged, MOST_MESSAGES, MOST_TEXT } from "./gathered";

function message(seq: number, payload = String(seq), epoch = 1): MessageReceived {
  return {
    type: "message_received",
    topic: "a/b",
    payload,
    encoding: "utf8",
    timestamp: 1000 + Math.floor(seq / 2),
    qos: 0,
    retain: false,
    seq,
    epoch,
    size: payload.length,
  };
}

describe("the messages at hand", () => {
  it("are each there once, the newest first, over epochs", () => {
    const found = merged([message(2), message(1)], [message(1, "x", 2), message(2), message(3)]);
    expect(found.map(keyOf)).toEqual(["2:1", "1:3", "1:2", "1:1"]);
  });
  it("are bounded in number and in size, and the newest stay", () => {
    const many = Array.from({ length: 2 * MOST_MESSAGES }, (_, seq) => message(seq));
    expect(merged([], many).length).toBe(MOST_MESSAGES);
    expect(merged([], many)[0]?.seq).toBe(2 * MOST_MESSAGES - 1);
    const large = [1, 2, 3].map((seq) => message(seq, "x".repeat(MOST_TEXT / 2)));
    expect(merged([], large).map((one) => one.seq)).toEqual([3, 2]);
  });
});

describe("the difference of two payloads", () => {
  it("is told by path", () => {
    const { changes } = pathDifference(
      { a: { b: [1, 2], gone: "x" }, same: { deep: [null] } },
      { a: { b: [1, 3, 4] }, same: { deep: [null] }, fresh: true },
    );
    expect(changes).toEqual([
      { kind: "changed", path: ["a", "b", 1], before: "2", after: "3" },
      { kind: "added", path: ["a", "b", 2], before: null, after: "4" },
      { kind: "removed", path: ["a", "gone"], before: '"x"', after: null },
      { kind: "added", path: ["fresh"], before: null, after: "true" },
    ]);
  });
  it("is bounded and says so", () => {
    const of = (add: number) => Array.from({ length: 1000 }, (_, n) => n + add);
    const found = pathDifference(of(0), of(1));
    expect([found.changes.length, found.isCut]).toEqual([300, true]);
  });
  it("is told by line, without long stretches of the same", async () => {
    const lines = Array.from({ length: 40 }, (_, n) => `line ${n}`);
    const changed = lines.with(20, "other");
    const found = await lineDifference(lines.join("\n"), changed.join("\n"));
    expect(found?.filter((one) => one.kind !== "same")).toEqual([
      { kind: "removed", text: "line 20" },
      { kind: "added", text: "other" },
    ]);
    expect(found?.length).toBeLessThan(20);
    expect(await lineDifference("x".repeat(200_000), "y")).toBeNull();
  });
});

describe("a curve", () => {
  it("follows one number of each message in the order they came", async () => {
    const messages = [4, 3, 2].map((seq) => message(seq, `{"t":{"v":${seq}},"s":"x"}`));
    messages.push(message(1, "no number"));
    const { values } = await new Decoder((one) => Promise.resolve(one)).decode(messages);
    const [path] = pathsOf(values);
    expect(path).toEqual(["t", "v"]);
    expect(curveOf(messages, values, path ?? [])).toEqual({
      times: [1000, 1001, 1001, 1002],
      values: [null, 2, 3, 4],
    });
  });
  it("has the numbers of long messages, too, the newest ones as far as they are loaded", async () => {
    const size = 3 * 1024 * 1024;
    const beginning = (seq: number) => ({ ...message(seq, '{"t":'), size, truncated: true });
    const asked: number[] = [];
    const whole = (one: MessageReceived) => {
      asked.push(one.seq);
      return one.seq === 4 ? Promise.reject(new Error("gone")) : Promise.resolve(message(one.seq));
    };
    const found = await new Decoder(whole).decode([5, 4, 3, 2].map(beginning));
    expect(found.values).toEqual(["5", null, null, null]);
    expect([asked, found.leftOut]).toEqual([[5, 4], 2]);
  });
});
