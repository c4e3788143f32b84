// The server's HTTP interface: one place that knows where it is and what a refusal looks like.

import type { ErrorReply } from "@/contract/types";
import { t } from "@/i18n";
import { said } from "@/i18n/said";
import { basePath } from "./socket";

export type Query = Record<string, string | null | undefined>;

/** An answer that is no success; `status` is 0 when there was none at all. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly field: string | null = null,
    /** The server's short word for the refusal; its sentence is said in the page's language. */
    readonly code: string | null = null,
  ) {
    super(message);
  }
}

/** Where a route is, below whatever path the page is served at. */
export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(
    (pair): pair is [string, string] => pair[1] !== null && pair[1] !== undefined,
  );
  const text = new URLSearchParams(given).toString();
  return `${basePath()}${path.replace(/^\//, "")}${text ? `?${text}` : ""}`;
}

/** Ask for a document; a refusal is an `ApiError` in the server's words. */
export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return read<T>(() => fetch(address(path, query), signal ? { signal } : {}), signal);
}

/** Send a document and return the answer. */
export async function post<T>(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  return read<T>(() =>
    fetch(address(path), {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    }),
  );
}

/** Ask for bytes, however many; a refusal is an `ApiError` in the server's words. */
export async function getBytes(path: string, query: Query = {}): Promise<[Blob, Headers]> {
  const answer = await answered(() => fetch(address(path, query)));
  return [await answer.blob(), answer.headers];
}

async function read<T>(ask: () => Promise<Response>, signal?: AbortSignal): Promise<T> {
  return (await (await answered(ask, signal)).json()) as T;
}

async function answered(ask: () => Promise<Response>, signal?: AbortSignal): Promise<Response> {
  let answer: Response;
  try {
    answer = await ask();
  } catch (error) {
    // Whoever gave it up knows why; that is no failure of the server.
    if (signal?.aborted) throw error;
    throw new ApiError(t("shell.unreachable"), 0);
  }
  if (answer.ok) return answer;
  const refusal = (await answer.json().catch(() => null)) as ErrorReply | null;
  const message = refusal ? said(refusal.message) : t("shell.answered", { status: answer.status });
  throw new ApiError(message, answer.status, refusal?.field ?? null, refusal?.error ?? null);
}
