// Sign-in through a provider: where it begins, and what the server says when it did not work.

import { address } from "@/live/api";
import { basePath } from "@/live/socket";

const REASONS = ["denied", "expired", "no_role", "no_name", "invalid", "provider"] as const;
export type Reason = (typeof REASONS)[number];

const PARAMETER = "sign_in";

/** Why the last sign-in did not work; only what is known is ever shown. */
export function reasonIn(search: string): Reason | null {
  const given = new URLSearchParams(search).get(PARAMETER);
  return REASONS.find((one) => one === given) ?? null;
}

/** The page that is asked for, below the base path, without the reason. */
export function pageOf(base: string, path: string, search: string): string {
  const query = new URLSearchParams(search);
  query.delete(PARAMETER);
  const page = path.startsWith(base) ? path.slice(base.length) : "";
  return `/${page}${query.size ? `?${query}` : ""}`;
}

/** Where sign-in through the provider begins; it leads back to the page one is on. */
export function startAddress(): string {
  const next = pageOf(basePath(), location.pathname, location.search);
  return address("/api/auth/oidc/start", { next });
}
