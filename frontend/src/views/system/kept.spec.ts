import { describe, expect, it } from "vitest";
import type { SystemReply } from "@/contract/types";
import { take } from "./kept";

const whole = {
  redis: { address: "r:1" },
  redis_problem: null,
  bridge: { settings: [] },
} as unknown as SystemReply;
const silent = { redis: null, redis_problem: "Redis does not answer", bridge: null } as never;
const none = { redis: { address: "r:1" }, redis_problem: null, bridge: null } as never;

describe("the system", () => {
  it("keeps what it knew, and from when, while Redis cannot be asked", () => {
    const known = take(take(null, whole, 100), silent, 104);
    expect(known.bridge).toEqual({ value: whole.bridge, at: 100 });
    expect(known.redis).toEqual({ value: whole.redis, at: 100 });
    expect(known.reply.at).toBe(104);
  });

  it("says that there is no bridge only when Redis says so", () => {
    expect(take(null, none, 100).bridge).toBeNull();
    expect(take(take(null, whole, 100), none, 104).bridge).toBeNull();
  });
});
