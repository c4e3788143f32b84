import { describe, expect, it } from "vitest";
import type { SystemReply } from "@/contract/types";
import { losses, why } from "./losses";

describe("the losses", () => {
  const worker = (counts: Record<string, number>) => ({ counts }) as never;
  const system = {
    workers: [
      worker({ "viewer_messages_dropped:slow": 2, frames: 100, log_gaps: 0 }),
      worker({ "viewer_messages_dropped:slow": 3, "viewers_cut:not_reading": 1 }),
    ],
  } as unknown as SystemReply;

  it("adds up the workers, and leaves out what is no loss", () => {
    expect(losses(system, null, null)).toEqual([
      { where: "system.loss.viewer_messages_dropped", reason: "slow", amount: 5 },
      { where: "system.loss.viewers_cut", reason: "not_reading", amount: 1 },
    ]);
  });

  it("say why in words, and leave a reason they do not know as it is", () => {
    const loss = (where: string, reason: string) => why({ where, reason, amount: 1 } as never);
    expect(loss("system.loss.viewers_cut", "not_reading")).toBe("did not read");
    expect(loss("system.loss.bridge", "unwanted")).toBe("of filters nobody watches any more");
    expect(loss("system.loss.viewers_cut", "toString")).toBe("toString");
  });

  it("names the bridge's own", () => {
    const bridge = { traffic: { dropped: { queue_full: 7 } }, faults: { command: 1 } } as never;
    const topics = { left_out: 5, left_out_by: { topics: 4, name_bytes: 1 }, values_cut: 0 };
    expect(losses(null, bridge, topics as never)).toEqual([
      { where: "system.loss.bridge", reason: "queue_full", amount: 7 },
      { where: "system.loss.faults", reason: "command", amount: 1 },
      { where: "system.loss.index", reason: "TOPIC_LIMIT", amount: 4 },
      { where: "system.loss.index", reason: "TOPIC_NAMES_BYTES", amount: 1 },
    ]);
  });
});
