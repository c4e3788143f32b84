import { describe, expect, it } from "vitest";
import { alone, nearest, pieces, windowOf } from "./reading";

describe("a chart of rates", () => {
  it("shows the whole span, however little of it is known", () => {
    expect(windowOf([900, 905], 600, 5, 906)).toEqual({ from: 305, to: 905 });
    expect(windowOf([900, 905], 86_400, 60, 1000)).toEqual({ from: 905 - 86_400, to: 905 });
    expect(windowOf([], 600, 5, 1000)).toEqual({ from: 400, to: 1000 });
  });

  it("goes on while nothing comes, so that the silence can be seen", () => {
    expect(windowOf([900, 905], 600, 5, 1000)).toEqual({ from: 400, to: 1000 });
  });

  it("reads the sample nearest to a moment, and nothing where nothing was measured", () => {
    expect(nearest([100, 105, 110], 107, 5)).toBe(1);
    expect(nearest([100, 105, 110], 99, 5)).toBe(0);
    expect(nearest([100, 105, 110], 60, 5)).toBeNull();
    expect(nearest([], 60, 5)).toBeNull();
  });

  it("puts dots only where a line has no neighbour to go to", () => {
    expect(alone([1, null, 2, 3, null, 4])).toEqual([0, 5]);
    expect(alone([1, 2, 3])).toEqual([]);
    expect(alone([1])).toEqual([0]);
    expect(alone([])).toEqual([]);
  });

  it("is a short table, too", () => {
    const lines = [
      { label: "in", values: [1, 3, null, 10], colour: "" },
      { label: "out", values: [null, null, null, null], colour: "" },
    ];
    expect(pieces([10, 20, 30, 100], lines, { from: 0, to: 100 }, 2)).toEqual([
      { from: 50, means: [10, null] },
      { from: 0, means: [2, null] },
    ]);
  });
});
