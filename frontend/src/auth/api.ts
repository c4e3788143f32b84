// Requests to the server that may be refused: a refusal is an error with its words and its field.

import type { ErrorReply } from "@/contract/types";
import { said } from "@/i18n/said";
import { basePath } from "@/live/socket";

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null,
    /** Seconds until it makes sense to try again, where the server says so. */
    readonly retryAfter: number | null,
  ) {
    super(message);
  }
}

/** Send a request below /api and return its JSON; a refusal is thrown. */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`${basePath()}api/${path}`, {
    method,
    credentials: "same-origin",
    ...(body === undefined
      ? {}
      : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
  });
  if (answer.ok) return (await answer.json()) as T;
  const reply = (await answer.json().catch(() => null)) as ErrorReply | null;
  const wait = Number(answer.headers.get("Retry-After"));
  throw new Refusal(
    answer.status,
    reply?.error ?? "unknown",
    reply ? said(reply.message) : `${answer.status}`,
    reply?.field ?? null,
    wait || null,
  );
}
