import { describe, expect, it } from "vitest";
import type { TopicLevel } from "@/contract/types";
import {
  ancestors,
  closed,
  compareNames,
  EMPTY_LEVEL,
  flatten,
  justBefore,
  type OpenLevel,
  pageStarts,
  stretches,
  withPage,
} from "./tree";

function child(topic: string, topics = 1): TopicLevel {
  return { name: topic.split("/").at(-1) ?? "", topic, topics, info: null };
}

function level(names: string, holes: string[] = []): OpenLevel {
  return { children: Array.from(names, (name) => child(name)), holes: new Set(holes) };
}

const page = (names: string, next: string | null) => ({
  children: Array.from(names, (name) => child(name)),
  next,
});

const told = (one: OpenLevel) => [one.children.map((each) => each.name).join(""), [...one.holes]];

describe("the open tree", () => {
  const levels = new Map<string | null, OpenLevel>([
    [null, { children: [child("a", 2), child("b")], holes: new Set() }],
    ["a", { children: [child("a/x")], holes: new Set(["x"]) }],
  ]);
  it("is a flat list in order, with what is open below its parent", () => {
    expect(flatten(levels).map((row) => [row.kind, row.key, row.depth])).toEqual([
      ["topic", "a", 0],
      ["topic", "a/x", 1],
      ["more", "a/x\0more", 1],
      ["topic", "b", 0],
    ]);
  });
  it("is empty before the root has arrived", () => {
    expect(flatten(new Map())).toEqual([]);
  });
  it("is closed with everything below", () => {
    const open = new Map([...levels, ["a/x", level("q")], ["ab", level("q")]] as const);
    expect([...closed(open, "a").keys()]).toEqual([null, "ab"]);
  });
  it("is asked again for what is in sight only", () => {
    expect(stretches(flatten(levels).slice(1), levels)).toEqual([
      { parent: "a", after: null, count: 1 },
      { parent: null, after: "a", count: 1 },
    ]);
  });
});

describe("a page put into a level", () => {
  it("comes behind the pages before", () => {
    const first = withPage(EMPTY_LEVEL, null, page("abc", "c"));
    expect(told(first)).toEqual(["abc", ["c"]]);
    expect(told(withPage(first, "c", page("de", null)))).toEqual(["abcde", []]);
  });
  it("replaces what it covers: new names come, gone ones go", () => {
    const known = level("acefg", ["g"]);
    expect(told(withPage(known, "a", page("bce", "e")))).toEqual(["abcefg", ["g"]]);
    expect(told(withPage(known, "a", page("ce", null)))).toEqual(["ace", []]);
    expect(told(withPage(known, "a", page("g", "g")))).toEqual(["ag", ["g"]]);
  });
  it("far from what is known leaves a hole, which fills up", () => {
    const known = level("abc", ["c"]);
    const jumped = withPage(known, "m", page("no", "o"));
    expect(told(jumped)).toEqual(["abcno", ["c", "o"]]);
    const filled = withPage(jumped, "c", page("de", "e"));
    expect(told(filled)).toEqual(["abcdeno", ["o", "e"]]);
    expect(told(withPage(filled, "e", page("no", "o")))).toEqual(["abcdeno", ["o"]]);
  });
});

describe("names", () => {
  it("are in the order of their UTF-8", () => {
    const names = ["", "a", "a b", "aa", "b", "\ud7ff", "\ue000", "\uffff", "\u{1f600}"];
    const bytes = (text: string) => Buffer.from(text);
    for (const one of names)
      for (const other of names)
        expect(Math.sign(compareNames(one, other))).toBe(
          Math.sign(Buffer.compare(bytes(one), bytes(other))),
        );
  });
  it("have one just before them", () => {
    for (const name of ["b", "room-17", "\ue000", "\u{10000}"])
      expect(compareNames(justBefore(name) ?? "", name)).toBeLessThan(0);
    expect(justBefore("")).toBeNull();
    for (const name of ["", "b", "t3", "t250", "room-17", "a\u{10000}"]) {
      const starts = pageStarts(name);
      expect(starts.at(-1)).toBe(justBefore(name));
      for (const start of starts) expect(compareNames(start ?? "", name)).toBeLessThanOrEqual(0);
    }
    expect(pageStarts("t250").length).toBe(3);
    expect(ancestors("a//b/c")).toEqual(["a", "a/", "a//b"]);
  });
});
