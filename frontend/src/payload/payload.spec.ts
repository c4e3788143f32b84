import { describe, expect, it } from "vitest";
import { chosenFor, filtersFor, parsed, withChoice } from "./choices";
import { firstOpened, idOf, rowsOf } from "./rows";
import { base64Of, hexLines } from "./shown";
import { Moment, numberOf, numericPaths, type Path, pathFrom, pathText } from "./value";

describe("remembered ways to show a payload", () => {
  it("hold for the nearest filter", () => {
    const choices = [
      { filter: "#", kind: "hex" },
      { filter: "a/#", kind: "text" },
      { filter: "a/+/c", kind: "base64" },
      { filter: "a/b/c", kind: "json" },
    ] as const;
    expect(chosenFor("a/b/c", choices)?.kind).toBe("json");
    expect(chosenFor("a/x/c", choices)?.kind).toBe("base64");
    expect(chosenFor("a/x", choices)?.kind).toBe("text");
    expect(chosenFor("b", choices)?.kind).toBe("hex");
    expect(chosenFor("$SYS/x", choices)).toBeNull();
  });
  it("can be widened to the parents", () => {
    expect(filtersFor("a/b/c")).toEqual(["a/b/c", "a/b/#", "a/#", "#"]);
    expect(filtersFor("$SYS/x")).toEqual(["$SYS/x", "$SYS/#"]);
    expect(filtersFor("x/".repeat(1000)).length).toBeLessThan(12);
  });
  it("are bounded, and what is stored is not trusted", () => {
    let choices = withChoice([], "a", "hex");
    for (let n = 0; n < 500; n += 1) choices = withChoice(choices, `t/${n}`, "text");
    expect(choices.length).toBe(200);
    expect(withChoice(choices, "t/499", null)[0]?.filter).toBe("t/498");
    expect(parsed('[{"filter":"a","kind":"svg"},{"filter":"a","kind":"hex"},3]')).toEqual([
      { filter: "a", kind: "hex" },
    ]);
    expect(parsed("{")).toEqual([]);
  });
});

describe("the tree of a value", () => {
  it("opens what fits and pages what does not", () => {
    const value = { a: [1, 2], many: Array.from({ length: 1000 }, (_, n) => n) };
    const rows = rowsOf(value, firstOpened(value));
    expect(rows.length).toBeLessThan(150);
    expect(rows.slice(0, 4).map((row) => row.kind === "value" && row.name)).toEqual([
      null,
      "a",
      0,
      1,
    ]);
    const opened = new Map(firstOpened(value)).set(idOf(["many"]), 100);
    expect(rowsOf(value, opened).at(-1)).toMatchObject({ kind: "more", left: 900 });
  });
  it("never grows beyond a bound", () => {
    const value = Array.from({ length: 3000 }, () => [1]);
    const opened = new Map([["[]", 3000]]);
    expect(rowsOf(value, opened).length).toBeLessThanOrEqual(2001);
  });
});

describe("numbers of a value", () => {
  it("are found by path", () => {
    const paths = numericPaths({ a: { b: [1, "x", "2.5"] }, "c d": true, e: null });
    expect(paths.map(pathText)).toEqual(['["c d"]', "a.b[0]", "a.b[2]"]);
  });
  it("are numbers only when they say so", () => {
    expect([numberOf("21.5"), numberOf(" 1e3"), numberOf(7n)]).toEqual([21.5, 1000, 7]);
    expect([numberOf(""), numberOf("0x10"), numberOf("1 °C"), numberOf(NaN)]).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });
});

describe("bytes", () => {
  it("are shown in lines with offsets, as far as asked", () => {
    expect(hexLines(new Uint8Array([65, 0, 255]), 2, 10)).toEqual([
      { offset: "000000", hex: "41 00", text: "A·" },
      { offset: "000002", hex: "ff   ", text: "·" },
    ]);
    expect(hexLines(new Uint8Array(100_000), 16, 64).length).toBe(4);
  });
  it("are base64 whatever their number", () => {
    expect(atob(base64Of(new Uint8Array(20_000).fill(200))).length).toBe(20_000);
  });
});

describe("a path as text", () => {
  it("leads back to the same path", () => {
    const paths: Path[] = [
      [],
      ["temp"],
      ["rooms", 2, "t"],
      ["a b", "0", 'say "x]"', "ü-1", "tag 3"],
      [0, 1, "x"],
    ];
    for (const path of paths) expect(pathFrom(pathText(path))).toEqual(path);
  });
  it("is none when it is something else", () => {
    for (const text of [".a", "a..b", "a b", "[x]", '["a', '["\\x"]', "a]"])
      expect(pathFrom(text)).toBeNull();
  });
});

describe("a moment", () => {
  it("keeps its number, is shown with its date, and is no number to plot by itself", () => {
    const value = { timestamp: new Moment(1_700_000_000_123), far: new Moment(10n ** 18n), t: 1 };
    const rows = rowsOf(value, firstOpened(value));
    expect(rows.slice(1)).toMatchObject([
      { text: "1700000000123", type: "number", moment: 1_700_000_000.123 },
      { text: "1000000000000000000", moment: null },
      { text: "1", moment: null },
    ]);
    expect(numericPaths(value)).toEqual([["t"]]);
    expect(numberOf(value.timestamp)).toBe(1_700_000_000_123);
  });
});
