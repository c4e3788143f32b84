import { describe, expect, it } from "vitest";
import { meaning, type Pressed } from "./shortcuts";

const key = (name: string, more: Partial<Pressed> = {}): Pressed => ({
  key: name,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  typing: false,
  ...more,
});

describe("keys", () => {
  it("search, help, palette and pages", () => {
    expect(meaning(key("/"), null)).toEqual({ kind: "search" });
    expect(meaning(key("?"), null)).toEqual({ kind: "help" });
    expect(meaning(key("k", { ctrlKey: true }), null)).toEqual({ kind: "palette" });
    expect(meaning(key("K", { metaKey: true }), null)).toEqual({ kind: "palette" });
    expect(meaning(key("g"), null)).toEqual({ kind: "wait" });
    expect(meaning(key("t"), "g")).toEqual({ kind: "go", to: "/topics" });
  });

  it("leave text fields and the browser's own keys alone", () => {
    expect(meaning(key("/", { typing: true }), null)).toBeNull();
    expect(meaning(key("t", { typing: true }), "g")).toBeNull();
    expect(meaning(key("?", { ctrlKey: true }), null)).toBeNull();
    expect(meaning(key("t"), null)).toBeNull();
    expect(meaning(key("x"), "g")).toBeNull();
    expect(meaning(key("toString"), "g")).toBeNull();
  });

  it("open the palette from a text field, too", () => {
    expect(meaning(key("k", { ctrlKey: true, typing: true }), null)).toEqual({ kind: "palette" });
  });
});
