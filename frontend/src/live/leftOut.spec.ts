import { describe, expect, it } from "vitest";
import { leftOutFor, leftOutOf } from "./leftOut";

describe("what a frame leaves out", () => {
  const frame = { dropped: 5, conflated: 20, left_out: { lamp: 3, "flood/1": 2 } };

  it("is told for a topic that is watched by its name", () => {
    expect(leftOutOf(frame, "lamp")).toBe(3);
    expect(leftOutOf(frame, "flood")).toBe(0);
    expect(leftOutOf(frame, "constructor")).toBe(0);
  });

  it("is the monitor's without what is only another page's", () => {
    const mine = (topic: string) => topic.startsWith("flood/");
    expect(leftOutFor(frame, mine)).toEqual({ dropped: 5, conflated: 17 });
    expect(leftOutFor(frame, () => true)).toEqual({ dropped: 5, conflated: 20 });
    const other = { dropped: 2, conflated: 3, left_out: { lamp: 4 } };
    expect(leftOutFor(other, mine)).toEqual({ dropped: 1, conflated: 0 });
  });
});
