// What is known of the system, part by part: a part that cannot be asked keeps its last answer.

import type { BridgeAbout, RedisFacts, SystemReply } from "@/contract/types";

/** Something that was true at a moment (seconds since the epoch). */
export interface Kept<T> {
  value: T;
  at: number;
}

export interface KnownSystem {
  reply: Kept<SystemReply>;
  redis: Kept<RedisFacts> | null;
  bridge: Kept<BridgeAbout> | null;
}

/** Take a new answer; what it lacks because Redis was silent stays as it was. */
export function take(before: KnownSystem | null, reply: SystemReply, at: number): KnownSystem {
  const silent = reply.redis_problem !== null;
  return {
    reply: { value: reply, at },
    redis: reply.redis ? { value: reply.redis, at } : (before?.redis ?? null),
    bridge: reply.bridge ? { value: reply.bridge, at } : silent ? (before?.bridge ?? null) : null,
  };
}
