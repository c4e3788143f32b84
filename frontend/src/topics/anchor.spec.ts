import { describe, expect, it } from "vitest";
import { type Sight, shiftOf } from "./anchor";
import type { Row } from "./tree";

const rows = (names: string): Row[] =>
  Array.from(names, (name) =>
    name === "+"
      ? { kind: "more", key: `${name}\0more`, depth: 0, parent: null, after: name }
      : {
          kind: "topic",
          key: name,
          depth: 0,
          name,
          topic: name,
          parent: null,
          place: 0,
          below: 0,
          open: false,
          info: null,
        },
  );
const sight = (first: number, last: number, more: Partial<Sight> = {}): Sight => ({
  first,
  last,
  selected: null,
  isAtTop: false,
  ...more,
});

describe("what is in sight stays there", () => {
  const before = rows("abcd+xyz");
  it("when rows come above it", () => {
    expect(shiftOf(before, rows("12abcd+xyz"), sight(2, 5))).toBe(2);
    expect(shiftOf(before, rows("cd+xyz"), sight(2, 5))).toBe(-2);
    expect(shiftOf(before, rows("abcd+xyz12"), sight(2, 5))).toBe(0);
  });
  it("the selected row before all others", () => {
    expect(shiftOf(before, rows("abcdefg+xyz"), sight(2, 6, { selected: "x" }))).toBe(3);
    expect(shiftOf(before, rows("abcdefg+xyz"), sight(2, 6, { selected: "z" }))).toBe(0);
    expect(shiftOf(before, rows("1abcd+xyz"), sight(0, 6, { selected: "x", isAtTop: true }))).toBe(
      1,
    );
  });
  it("but at the top new rows are seen, and without any of them nothing can stay", () => {
    expect(shiftOf(before, rows("1abcd+xyz"), sight(0, 3, { isAtTop: true }))).toBe(0);
    expect(shiftOf(before, rows("123"), sight(2, 5))).toBe(0);
    expect(shiftOf(before, rows("abcdefg+xyz"), sight(4, 4))).toBe(0);
  });
});
