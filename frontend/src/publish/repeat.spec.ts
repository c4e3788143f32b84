import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { repeating } from "./repeat";

describe("a repetition", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => void vi.useRealTimers());

  it("sends at once and then at its pace, until it is told to stop", async () => {
    const one = repeating();
    const send = vi.fn(() => Promise.resolve(true));
    one.start("beat", 5, send);
    await vi.advanceTimersByTimeAsync(12_000);
    expect([send.mock.calls.length, one.sent.value, one.failed.value]).toEqual([3, 3, 0]);
    one.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([send.mock.calls.length, one.what.value]).toEqual([3, null]);
  });

  it("never tells more seconds than lie between two, though the page's clock lags", async () => {
    const one = repeating();
    one.start("beat", 5, () => Promise.resolve(true));
    await vi.advanceTimersByTimeAsync(0);
    expect(one.secondsLeft(999.1)).toBe(5);
    expect(one.secondsLeft(1002.5)).toBe(3);
    one.start("beat", 1, () => Promise.resolve(true));
    await vi.advanceTimersByTimeAsync(0);
    expect(one.secondsLeft(999.1)).toBeNull();
    one.stop();
  });

  it("waits while nothing can be sent, and counts what failed", async () => {
    const one = repeating();
    const answers = [null, Promise.resolve(false), Promise.resolve(true)];
    one.start("beat", 1, () => answers.shift() as Promise<boolean> | null);
    expect(one.isHindered.value).toBe(true);
    await vi.advanceTimersByTimeAsync(2100);
    expect([one.isHindered.value, one.sent.value, one.failed.value]).toEqual([false, 1, 1]);
    one.stop();
  });

  it("gives way to another, and the late answer of the one before counts for neither", async () => {
    const one = repeating();
    let answer: (isGood: boolean) => void = () => undefined;
    one.start("slow", 1, () => new Promise((resolve) => (answer = resolve)));
    one.start("other", 9, () => Promise.resolve(true));
    answer(false);
    await vi.advanceTimersByTimeAsync(20);
    expect([one.what.value?.topic, one.sent.value, one.failed.value]).toEqual(["other", 1, 0]);
    one.stop();
  });
});
