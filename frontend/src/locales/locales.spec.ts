import { describe, expect, it } from "vitest";
import { de } from "./de";
import { en } from "./en";

function flat(texts: object, above = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(texts)) {
    const path = above ? `${above}.${name}` : name;
    if (typeof value === "string") found.set(path, value);
    else for (const [key, text] of flat(value as object, path)) found.set(key, text);
  }
  return found;
}

const english = flat(en);
const german = flat(de);
const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

describe("the languages", () => {
  it("have the same texts", () => {
    expect([...german.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it.each([...english])("%s has the same placeholders and forms", (key, text) => {
    const other = german.get(key) ?? "";
    expect(other.trim()).not.toBe("");
    expect(placeholders(other)).toEqual(placeholders(text));
    expect(other.split(" | ").length).toBe(text.split(" | ").length);
  });
});
