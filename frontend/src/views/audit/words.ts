// What an entry of the audit record can be, in the order it is offered for a search.

import type { AuditEntry } from "@/contract/types";

export const ACTIONS: AuditEntry["action"][] = [
  "publish",
  "result",
  "forbidden",
  "left_out",
  "old_removed",
  "loss",
  "key_changed",
  "sign_in",
  "sign_out",
  "password",
  "sessions_end",
  "user_add",
  "user_change",
  "user_remove",
  "token_add",
  "token_revoke",
];

export const OUTCOMES: AuditEntry["outcome"][] = [
  "asked",
  "done",
  "refused",
  "sent",
  "acked",
  "failed",
  "expired",
  "indeterminate",
  "repeated",
];

const BAD: AuditEntry["outcome"][] = ["refused", "failed", "expired", "indeterminate"];
const GOOD: AuditEntry["outcome"][] = ["done", "acked", "sent"];

export function toneOf(outcome: AuditEntry["outcome"]): "ok" | "warn" | "plain" {
  if (BAD.includes(outcome)) return "warn";
  return GOOD.includes(outcome) ? "ok" : "plain";
}
