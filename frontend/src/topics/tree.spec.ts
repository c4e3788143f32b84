import { describe, expect, it } from "vitest";
import type { TopicLevel } from "@/contract/types";
import { flatten, type OpenLevel } from "./tree";

function child(topic: string, topics: number): TopicLevel {
  return { name: topic.split("/").at(-1) ?? "", topic, topics, info: null };
}

describe("the open tree", () => {
  it("is a flat list in order, with what is open below its parent", () => {
    const levels = new Map<string | null, OpenLevel>([
      [null, { children: [child("a", 2), child("b", 1)], next: null }],
      ["a", { children: [child("a/x", 1)], next: "x" }],
    ]);
    expect(flatten(levels).map((row) => [row.kind, row.key, row.depth])).toEqual([
      ["topic", "a", 0],
      ["topic", "a/x", 1],
      ["more", "a\0more", 1],
      ["topic", "b", 0],
    ]);
  });

  it("is empty before the root has arrived", () => {
    expect(flatten(new Map())).toEqual([]);
  });
});
