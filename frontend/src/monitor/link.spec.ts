import { describe, expect, it } from "vitest";
import type { HistoryReply, MessageReceived } from "@/contract/types";
import { fromText, keyOf, lookUp, rowOf, toText } from "./link";

const message = (seq: number, epoch = 3) =>
  ({ epoch, seq, topic: "a/b", payload: String(seq) }) as MessageReceived;
const reply = (next: string | null, ...seqs: number[]) =>
  ({ topic: "a/b", messages: seqs.map((seq) => message(seq)), next }) as HistoryReply;

describe("a message in the address", () => {
  it.each(["a", "a:b:c/", "$SYS/x", " ü /x"])("comes back as it was: %s", (topic) => {
    const place = { epoch: 1, seq: 1_234_567, topic };
    expect(fromText(toText(place))).toEqual(place);
  });

  it.each([undefined, null, "", "1:2", "1:2:", "x:2:a", "1:2:a/#", "-1:2:a", ["1:2:a"]])(
    "is none: %s",
    (text) => expect(fromText(text)).toBeNull(),
  );

  it("is the same row as on the list", () => {
    expect(rowOf(message(7))).toMatchObject({ kind: "message", key: keyOf(message(7)) });
  });
});

describe("looking a message up", () => {
  const { signal } = new AbortController();
  const asked = (...replies: HistoryReply[]) => {
    const before: (string | null)[] = [];
    const ask = (_topic: string, from: string | null) => {
      before.push(from);
      return Promise.resolve(replies[before.length - 1] ?? reply(null));
    };
    return { ask, before };
  };

  it("goes back in the log until it is there", async () => {
    const { ask, before } = asked(reply("x", 9, 8), reply("y"), reply("z", 7, 5));
    const found = await lookUp({ epoch: 3, seq: 5, topic: "a/b" }, signal, ask);
    expect([found?.payload, before]).toEqual(["5", [null, "x", "y"]]);
  });

  it("ends where the log is past it, or at its end", async () => {
    const past = asked(reply("x", 9), reply("y", 4));
    expect(await lookUp({ epoch: 3, seq: 5, topic: "a/b" }, signal, past.ask)).toBeNull();
    expect(past.before).toHaveLength(2);
    const ended = asked(reply(null, 9));
    expect(await lookUp({ epoch: 3, seq: 5, topic: "a/b" }, signal, ended.ask)).toBeNull();
    const other = asked(reply("x", 9));
    expect(await lookUp({ epoch: 4, seq: 5, topic: "a/b" }, signal, other.ask)).toBeNull();
  });
});
