import { describe, expect, it } from "vitest";
import { fromText, madeUp, toText } from "./filters";

describe("filters in a form", () => {
  it("come back as they were", () => {
    for (const filters of [null, [], ["#"], ["a b/+", "c/#"]])
      expect(fromText(toText(filters))).toEqual(filters);
  });

  it("forget empty lines", () => {
    expect(fromText(" \n\n")).toBeNull();
    expect(fromText("\na/#\n\nb\n")).toEqual(["a/#", "b"]);
    expect(fromText(" - ")).toEqual([]);
  });
});

describe("a password made up", () => {
  it("is long, of letters that are not taken for others, and another each time", () => {
    const several = Array.from({ length: 50 }, madeUp);
    for (const one of several) expect(one).toMatch(/^[a-km-zA-HJ-NP-Z2-9]{20}$/);
    expect(new Set(several).size).toBe(50);
  });
});
