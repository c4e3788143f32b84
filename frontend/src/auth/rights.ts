// What somebody may do, as the server would judge it. The server judges anyway; this is for words.

import type { Grant, MeReply, Role } from "@/contract/types";
import { matches } from "@/topics/filter";

const RANK: Record<Role, number> = { viewer: 0, operator: 1, administrator: 2 };

export function hasRole(me: MeReply | null, role: Role): boolean {
  return me?.role != null && RANK[me.role] >= RANK[role];
}

export function allows(grant: Grant | null, topic: string): boolean {
  if (!grant) return false;
  return grant.everything || grant.filters.some((one) => matches(one, topic));
}
