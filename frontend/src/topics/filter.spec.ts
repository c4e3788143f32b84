import { describe, expect, it } from "vitest";
import { filterProblem, matches, topicProblem } from "./filter";

describe("matches", () => {
  it.each([
    ["#", "a/b", true],
    ["#", "$SYS/uptime", false],
    ["+/uptime", "$SYS/uptime", false],
    ["$SYS/#", "$SYS/uptime", true],
    ["a/+/c", "a/bb/c", true],
    ["a/+/c", "a/b/b/c", false],
    ["a/#", "a", true],
    ["a/#", "ab", false],
    ["a/+", "a/", true],
    ["+", "a/b", false],
    ["a/b", "a/b", true],
    ["A/b", "a/b", false],
  ])("%s and %s: %s", (filter, topic, expected) => {
    expect(matches(filter, topic)).toBe(expected);
  });
});

describe("filterProblem", () => {
  it.each(["#", "a/#", "+/b/+", "/", "a//b", "with space/ü", "$SYS/#"])("accepts %s", (filter) => {
    expect(filterProblem(filter)).toBeNull();
  });
  it.each(["", "a/#/b", "a#", "a/b+", "a\0b", "$share/g/a", "x".repeat(65536)])(
    "refuses %s",
    (filter) => {
      expect(filterProblem(filter)).toMatch(/\w{3}/);
    },
  );
});

describe("topicProblem", () => {
  it("accepts an exact name", () => {
    expect(topicProblem("a/b c/ü")).toBeNull();
  });
  it.each(["", "a/+", "#", "$SYS/x", "a\0"])("refuses %s", (topic) => {
    expect(topicProblem(topic)).toMatch(/\w{3}/);
  });
});
