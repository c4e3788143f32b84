import { describe, expect, it } from "vitest";
import { fromQuery, isSame, type Settings, toQuery } from "./settings";

const NOTHING: Settings = {
  text: "",
  inValues: true,
  topic: null,
  view: "value",
  path: null,
  message: null,
  before: null,
};

describe("the address of the Topics page", () => {
  it("keeps every state", () => {
    const states: Settings[] = [
      NOTHING,
      { ...NOTHING, text: "hall temp", inValues: false },
      { ...NOTHING, inValues: false },
      { ...NOTHING, topic: "a/ b/ü", text: "x" },
      { ...NOTHING, topic: "a", view: "plot", path: 'rooms[2]["a b"].t' },
      { ...NOTHING, topic: "a", message: { epoch: 3, seq: 4711 } },
      {
        ...NOTHING,
        topic: "a",
        view: "difference",
        message: { epoch: 3, seq: 12 },
        before: { epoch: 2, seq: 9 },
      },
    ];
    for (const one of states) expect(fromQuery(toQuery(one))).toEqual(one);
  });
  it("is empty when nothing is chosen, and knows when two mean the same", () => {
    expect(toQuery(NOTHING)).toEqual({});
    expect(isSame({ ...NOTHING, text: " x " }, { ...NOTHING, text: "x" })).toBe(true);
    expect(isSame({ ...NOTHING, topic: "a" }, { ...NOTHING, topic: "b" })).toBe(false);
  });
  it("forgets what it cannot use", () => {
    const query = { topic: "a", view: "nonsense", message: "1", with: "1.x", in: "all" };
    expect(fromQuery(query)).toEqual({ ...NOTHING, topic: "a" });
    expect(fromQuery({ view: "plot", path: "x", message: "1.2", q: ["a", "b"] })).toEqual(NOTHING);
  });
});
