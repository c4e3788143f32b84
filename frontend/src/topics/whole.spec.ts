import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, nextTick, ref } from "vue";
import type { MessageReceived } from "@/contract/types";
import { ApiError } from "@/live/api";
import { fromMessage } from "./shown";
import { useWhole } from "./useWhole";
import { Wholes } from "./wholes";

const WHOLE = "0123456789";

function message(seq: number, payload: string, size = WHOLE.length): MessageReceived {
  return {
    type: "message_received",
    topic: "a/b",
    payload,
    encoding: "utf8",
    timestamp: seq,
    qos: 0,
    retain: false,
    seq,
    epoch: 1,
    size,
    truncated: payload.length < size,
  };
}

/** A server whose answers are given by hand. */
function server() {
  const asked: { seq: number | null; answer: (found: MessageReceived | Error) => void }[] = [];
  const wholes = new Wholes(
    (_topic, number) =>
      new Promise((resolve, reject) => {
        const answer = (found: MessageReceived | Error): void =>
          found instanceof Error ? reject(found) : resolve(found);
        asked.push({ seq: number?.seq ?? null, answer });
      }),
  );
  return { asked, wholes };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await nextTick();
}

describe("a message of which the beginning came", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function used(first: MessageReceived, following = true) {
    const { asked, wholes } = server();
    const given = ref(first);
    const scope = effectScope();
    const whole = scope.run(() =>
      useWhole(wholes, () => ({ topic: "a/b", shown: fromMessage(given.value), following })),
    );
    if (!whole) throw new Error("no scope");
    return { asked, given, scope, whole };
  }

  it("is asked for and shown whole", async () => {
    const { asked, whole } = used(message(1, "01"));
    expect([whole.state.value, whole.isComing.value]).toEqual(["loading", true]);
    asked[0]?.answer(message(1, WHOLE));
    await settled();
    expect([whole.state.value, whole.shown.value.payload]).toEqual(["here", WHOLE]);
  });

  it("stays while the next one is loaded, and the newest of many is asked for", async () => {
    const { asked, given, whole } = used(message(1, "01"));
    asked[0]?.answer(message(1, WHOLE));
    await settled();
    for (const seq of [2, 3, 4]) {
      given.value = message(seq, "ab");
      await nextTick();
      expect(whole.shown.value.payload).toBe(WHOLE);
    }
    expect(asked.map((one) => one.seq)).toEqual([1, 2]);
    asked[1]?.answer(message(2, "second one"));
    await settled();
    vi.advanceTimersByTime(1000);
    expect(asked.map((one) => one.seq)).toEqual([1, 2, 4]);
    asked[2]?.answer(message(4, "fourth one"));
    await settled();
    expect([whole.state.value, whole.shown.value.payload]).toEqual(["here", "fourth one"]);
  });

  it("one that is picked is never shown in place of another", async () => {
    const { asked, given, whole } = used(message(1, "01"), false);
    given.value = message(2, "ab");
    await nextTick();
    asked[0]?.answer(message(1, WHOLE));
    await settled();
    expect([whole.state.value, whole.shown.value.payload]).toEqual(["loading", "ab"]);
    asked[1]?.answer(message(2, "second one"));
    await settled();
    expect(whole.shown.value.payload).toBe("second one");
  });

  it("is loaded only on request when it is long, and never when it is huge", async () => {
    const { asked, given, whole } = used(message(1, "01", 3 * 1024 * 1024));
    expect([whole.state.value, asked.length]).toEqual(["large", 0]);
    whole.load();
    expect([whole.state.value, asked.length]).toEqual(["loading", 1]);
    given.value = message(2, "01", 40 * 1024 * 1024);
    await nextTick();
    expect([whole.state.value, asked.length]).toEqual(["huge", 1]);
  });

  it("tells what is gone from what may be asked again", async () => {
    const { asked, given, whole } = used(message(1, "01"), false);
    asked[0]?.answer(new ApiError("no answer", 0));
    await settled();
    expect([whole.state.value, whole.problem.value]).toEqual(["failed", "no answer"]);
    whole.load();
    asked[1]?.answer(new ApiError("not in the log", 404));
    await settled();
    expect([whole.state.value, whole.shown.value.payload]).toEqual(["gone", "01"]);
    given.value = message(2, "short", 5);
    await nextTick();
    expect([whole.state.value, whole.shown.value.payload]).toEqual(["here", "short"]);
    given.value = message(1, "01");
    await settled();
    expect([whole.state.value, asked.length]).toEqual(["gone", 2]);
  });
});

describe("long messages", () => {
  it("are asked for once, and the oldest make room", async () => {
    const text = "x".repeat(6_000_000);
    const asked: number[] = [];
    const wholes = new Wholes((_topic, number) => {
      asked.push(number?.seq ?? 0);
      return Promise.resolve(message(number?.seq ?? 0, text));
    });
    for (const seq of [1, 2, 2, 3, 3, 1]) await wholes.get("a/b", { epoch: 1, seq });
    expect(asked).toEqual([1, 2, 3, 1]);
  });
});
