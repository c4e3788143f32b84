import { describe, expect, it } from "vitest";
import { Batcher } from "./ring";

describe("Batcher", () => {
  function stage() {
    const frames: (() => void)[] = [];
    let time = 0;
    const seen: number[][] = [];
    const batcher = new Batcher<number>((items) => seen.push(items), 5, 100, {
      request: (run) => frames.push(run),
      now: () => time,
    });
    const frame = (at: number) => {
      time = at;
      for (const run of frames.splice(0)) run();
    };
    return { batcher, seen, frame };
  }

  it("hands over everything of one interval at once", () => {
    const { batcher, seen, frame } = stage();
    batcher.add([1]);
    batcher.add([2, 3]);
    frame(0);
    expect(seen).toEqual([[1, 2, 3]]);
  });

  it("waits for the interval before it flushes again", () => {
    const { batcher, seen, frame } = stage();
    batcher.add([1]);
    frame(0);
    batcher.add([2]);
    frame(50);
    expect(seen).toEqual([[1]]);
    frame(110);
    expect(seen).toEqual([[1], [2]]);
  });

  it("neither grows nor loses anything while nobody draws, as in a hidden tab", () => {
    const { batcher, seen, frame } = stage();
    for (let n = 0; n < 1000; n += 1) batcher.add([n]);
    frame(0);
    expect(Math.max(...seen.map((items) => items.length))).toBeLessThanOrEqual(10);
    expect(seen.flat()).toEqual(Array.from({ length: 1000 }, (_, n) => n));
  });
});
