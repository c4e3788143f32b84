import { describe, expect, it } from "vitest";
import type { MessageReceived } from "@/contract/types";
import { chosenFrom, freeHue, MOST_FILTERS, MOST_RECENT, ownerOf, withRecent } from "./filters";
import type { MessageRow, Row } from "./rows";
import { restored } from "./restored";
import { fromQuery, parsed, toQuery } from "./settings";
import { fromText, KEPT_CHARS, KEPT_ROWS, toText } from "./snapshot";

const chosen = (filter: string, hue = 1, muted = false, name = "") => ({
  filter,
  hue,
  name,
  muted,
});

describe("the address", () => {
  it("holds filters, mutes, the condition and the pause, and gives them back", () => {
    const settings = {
      filters: [chosen("#", 1), chosen("a/+/b c/#", 2, true)],
      where: 'payload ~ "*&?#*"',
      paused: true,
    };
    const query = toQuery(settings);
    expect(query).toEqual({
      f: ["#", "a/+/b c/#"],
      mute: ["a/+/b c/#"],
      where: settings.where,
      paused: "1",
    });
    expect(fromQuery(query, [])).toEqual(settings);
  });

  it("takes colours and names from what is known here", () => {
    const found = fromQuery({ f: ["a", "b"] }, [chosen("b", 5, true, "bee")]);
    expect(found?.filters).toEqual([chosen("a", 1), chosen("b", 5, false, "bee")]);
  });

  it("leaves out what is no filter, and too many", () => {
    expect(fromQuery({ f: ["a/#/b", "", "ok", "ok"] }, [])?.filters).toEqual([chosen("ok")]);
    const many = Array.from({ length: 50 }, (_, n) => `t/${n}`);
    expect(fromQuery({ f: many }, [])?.filters).toHaveLength(MOST_FILTERS);
    expect(fromQuery({ x: "1" }, [])).toBeNull();
  });
});

describe("what the browser kept", () => {
  it.each([null, "", "{", "[]", "7", '{"filters": 3, "recent": {"a": 1}}', '{"filters":[null,7]}'])(
    "is nothing when it is %s",
    (text) => {
      expect(parsed(text)).toEqual({ filters: [], where: "", paused: false, recent: [] });
    },
  );

  it("loses only what is wrong in it", () => {
    const filters = [chosen("a", 99), chosen("a/#/b"), chosen("b", 2, true, "n".repeat(90)), 5];
    expect(chosenFrom(filters)).toEqual([chosen("a"), chosen("b", 2, true, "n".repeat(40))]);
  });
});

describe("filters", () => {
  it("have a message belong to the one that says most about it", () => {
    const watched = ["#", "a/#", "a/+/c", "a/b/c", "+/b/c"].map((filter) => ({
      ...chosen(filter),
      problem: null,
    }));
    const owner = (topic: string, from = watched) => ownerOf(topic, from)?.filter;
    expect(owner("a/b/c")).toBe("a/b/c");
    expect(owner("a/x/c")).toBe("a/+/c");
    expect(owner("a/x")).toBe("a/#");
    expect(owner("z")).toBe("#");
    expect(owner("$SYS/uptime")).toBeUndefined();
  });

  it("get the colour that fewest have", () => {
    expect(freeHue([])).toBe(1);
    expect(freeHue([{ hue: 1 }, { hue: 3 }])).toBe(2);
    expect(freeHue([1, 2, 3, 4, 5, 6, 1].map((hue) => ({ hue })))).toBe(2);
  });

  it("are remembered once, the last used first, and not without end", () => {
    expect(withRecent(["a", "b"], "b")).toEqual(["b", "a"]);
    const many = Array.from({ length: 20 }, (_, n) => String(n));
    expect(withRecent(many, "x")).toHaveLength(MOST_RECENT);
  });
});

describe("the rows kept over a reload", () => {
  const row = (seq: number, payload: string): Row => ({
    kind: "message",
    key: `1:${seq}`,
    at: { epoch: 1, seq },
    message: { topic: "a", payload, seq, epoch: 1 } as MessageReceived,
  });

  const nothing = { rows: [], reached: null, filters: [], held: null, selected: null };

  it("come back as they were", () => {
    const kept = {
      rows: [row(2, "b"), row(1, "a")],
      reached: { epoch: 1, seq: 2 },
      filters: ["a"],
      held: { since: 1234.5, meanwhile: 7, rows: [row(1, "a")] },
      selected: row(1, "a") as MessageRow,
    };
    expect(fromText(toText(kept))).toEqual(kept);
    expect(fromText(toText({ ...nothing, rows: kept.rows }))).toEqual({
      ...nothing,
      rows: kept.rows,
    });
  });

  it("are the newest, bounded in number and in size", () => {
    const many = Array.from({ length: 3000 }, (_, n) => row(3000 - n, "x"));
    const held = { since: 1, meanwhile: 2, rows: many };
    const found = fromText(toText({ ...nothing, rows: many, held }));
    for (const rows of [found?.rows, found?.held?.rows]) {
      expect(rows).toHaveLength(KEPT_ROWS);
      expect(rows?.[0]?.key).toBe("1:3000");
    }
    const large = [1, 2, 3, 4].map((n) => row(n, "x".repeat(KEPT_CHARS / 3)));
    expect(fromText(toText({ ...nothing, rows: large }))?.rows).toHaveLength(2);
    const open = row(1, "x".repeat(KEPT_CHARS)) as MessageRow;
    expect(fromText(toText({ ...nothing, selected: open }))?.selected).toBeNull();
  });

  it("are for the one who saw them, not for who signs in next", () => {
    const text = toText({ ...nothing, rows: [row(1, "secret")] }, "ada");
    expect(fromText(text, "ada")?.rows).toHaveLength(1);
    expect(fromText(text, "bob")).toBeNull();
  });

  it("are none when they are broken or of another version", () => {
    for (const text of [null, "", "{", "7", '{"version":0,"rows":[]}', '{"version":1}'])
      expect(fromText(text)).toBeNull();
  });
});

describe("a reload", () => {
  const row = (seq: number, topic: string) =>
    ({
      kind: "message",
      key: `1:${seq}`,
      at: { epoch: 1, seq },
      message: { topic } as MessageReceived,
    }) as Row;
  const found = {
    rows: [row(3, "a"), row(2, "b"), row(1, "a")],
    reached: { epoch: 1, seq: 3 },
    filters: ["a", "b"],
    held: { since: 5, meanwhile: 2, rows: [row(1, "a")] },
    selected: null,
  };
  const settings = (paused: boolean, ...filters: string[]) => ({
    filters: filters.map((one) => chosen(one)),
    where: "",
    paused,
  });

  it("goes on where it was, with what the filters still ask for", () => {
    const { rows, served, reached, held } = restored(found, settings(false, "a"), "g");
    expect(rows.map((one) => one.key)).toEqual(["1:3", "1:1"]);
    expect([served, reached, held]).toEqual([["a"], found.reached, null]);
  });

  it("keeps a list that is held as it stood, and its count", () => {
    const { held } = restored(found, settings(true, "a", "b"), "g");
    expect(held).toEqual(found.held);
    expect(restored(found, settings(true, "b"), "g").held?.rows).toEqual([]);
  });

  it("says that something is missing when it does not know where it was", () => {
    const { rows, served } = restored(found, settings(true, "#"), "g");
    expect(rows.map((one) => one.kind)).toEqual(["gap", "message", "message", "message"]);
    expect(served).toEqual([]);
    expect(restored(found, settings(true, "z"), "g").rows).toEqual([]);
  });
});
