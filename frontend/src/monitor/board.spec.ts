import { describe, expect, it } from "vitest";
import type { MessageReceived } from "@/contract/types";
import { Board } from "./board";
import { joined, type MessageRow, type Row } from "./rows";

function message(seq: number, topic = "a"): MessageRow {
  const of = { topic, payload: String(seq), encoding: "utf8", size: 1, qos: 0, retain: false };
  const at = { epoch: 1, seq };
  const whole = { ...of, ...at, type: "message_received", timestamp: seq } as MessageReceived;
  return { kind: "message", key: `1:${seq}`, at, message: whole };
}

function skipped(seq: number, dropped: number): Row {
  return { kind: "skipped", key: `s${seq}`, at: { epoch: 1, seq }, dropped, conflated: 1 };
}

function gap(seq: number, missing: number | null): Row {
  return { kind: "gap", key: `g${seq}`, at: { epoch: 1, seq }, missing, reload: false };
}

function told(rows: readonly Row[]): (number | string)[] {
  return rows.map((row) => {
    if (row.kind === "message") return row.at.seq;
    if (row.kind === "skipped") return `skipped ${row.dropped + row.conflated}`;
    return `gap ${row.missing}`;
  });
}

describe("joined", () => {
  it("puts the newest first and keeps the limit", () => {
    expect(told(joined([message(2), message(1)], [message(3), message(4)], 3))).toEqual([4, 3, 2]);
  });

  it("makes one of notices in a row, also across the seam", () => {
    const before = joined([], [message(1), skipped(2, 4)], 10);
    const after = joined(before, [skipped(3, 2), skipped(4, 0), message(5), gap(6, 2)], 10);
    expect(told(after)).toEqual(["gap 2", 5, "skipped 9", 1]);
    expect(told(joined(after, [gap(7, null)], 10))).toEqual(["gap null", 5, "skipped 9", 1]);
    expect(told(before)).toEqual(["skipped 5", 1]);
  });
});

describe("Board", () => {
  const odd = (row: MessageRow) => row.at.seq % 2 === 1;

  it("shows what passes and counts what it judged", () => {
    const board = new Board(odd, 10);
    board.enter([message(1), message(2), message(3)]);
    expect(told(board.rows)).toEqual([3, 1]);
    expect(board.judged).toEqual({ examined: 3, matched: 2 });
  });

  it("keeps rare matches longer than the flood they came in", () => {
    const board = new Board((row) => row.at.seq === 1, 5);
    for (let seq = 1; seq <= 50; seq += 1) board.enter([message(seq)]);
    expect(told(board.rows)).toEqual([1]);
    expect(board.all).toHaveLength(5);
    expect(board.judged).toEqual({ examined: 50, matched: 1 });
  });

  it("judges anew only what is still there", () => {
    let isAll = false;
    const board = new Board((row) => isAll || row.at.seq === 1, 3);
    board.enter([message(1), message(2), message(3), message(4)]);
    isAll = true;
    board.judge();
    expect(told(board.rows)).toEqual([4, 3, 2]);
    expect(board.judged).toEqual({ examined: 3, matched: 3 });
  });

  it("stands still while it is held, then shows what came", () => {
    const board = new Board(odd, 10);
    board.enter([message(1)]);
    board.hold(true);
    board.enter([message(2), message(3), message(5)]);
    expect(told(board.rows)).toEqual([1]);
    expect(board.meanwhile).toBe(2);
    board.hold(false);
    expect(told(board.rows)).toEqual([5, 3, 1]);
    expect(board.meanwhile).toBe(0);
  });

  it("goes on with what was held before a reload", () => {
    const board = new Board(odd, 10);
    board.enter([message(1), message(2), message(3)]);
    board.hold(true);
    board.enter([message(5), message(7)]);
    const after = new Board(odd, 10);
    after.restore(board.all, board.held);
    after.hold(true);
    expect(told(after.rows)).toEqual([3, 1]);
    after.insert([message(9)]);
    expect(after.meanwhile).toBe(3);
    after.hold(false);
    expect(told(after.rows)).toEqual([9, 7, 5, 3, 1]);
    expect(after.held).toBeNull();
  });

  it("puts a replay where it belongs and takes nothing twice", () => {
    const board = new Board(() => true, 10);
    board.enter([message(5), message(9)]);
    board.insert([gap(2.5, 3), message(3), message(5), message(7)]);
    board.insert([message(3), message(12)]);
    expect(told(board.rows)).toEqual([12, 9, 7, 5, 3, "gap 3"]);
  });

  it("orders by epoch first", () => {
    const board = new Board(() => true, 10);
    const later = { ...message(1), key: "2:1", at: { epoch: 2, seq: 1 } };
    board.enter([later]);
    board.insert([message(9)]);
    expect(board.rows.map((row) => row.key)).toEqual(["2:1", "1:9"]);
  });

  it("forgets what is nobody's, held or not", () => {
    const board = new Board(() => true, 10);
    board.enter([message(1, "a"), message(2, "b")]);
    board.hold(true);
    board.purge((row) => row.message.topic === "a");
    expect(told(board.rows)).toEqual([1]);
    board.hold(false);
    expect(told(board.rows)).toEqual([1]);
  });
});
