// Publishing, and what became of it: each message is a durable command, its result is heard on the
// live channel and kept by the command's id, also over a reload. Results and templates stay in this
// browser.

import { defineStore } from "pinia";
import { computed, ref } from "vue";
import type { CommandRecord, CommandResult, PublishReply } from "@/contract/types";
import { sentence } from "@/format";
import { t } from "@/i18n";
import { said } from "@/i18n/said";
import { ApiError, get, post } from "@/live/api";
import { type Command, type Draft, draftOf } from "@/publish/draft";
import { randomHex } from "@/publish/exchange";
import { useConnection } from "./connection";
import { keep, recall } from "./kept";
import { useSession } from "./session";

export type { Draft } from "@/publish/draft";

export interface Attempt {
  key: number;
  at: number;
  request: Command;
  /** The command's id, once it was accepted. */
  id: string | null;
  /** When its time to be sent is over, in seconds since the epoch, by this browser's clock. */
  until: number;
  reply: PublishReply | null;
  /** Bytes of a payload that was too long to be kept over a reload. */
  forgotten?: number;
}

export interface Template extends Draft {
  name: string;
}

const KEPT_ATTEMPTS = 50;
const KEPT_TEMPLATES = 100;
/** Longer payloads are not kept across a reload: the browser's storage is small. */
const KEPT_PAYLOAD = 4096;
const ANSWER_MS = 5000;
/** Asking again with the same key does nothing twice. */
const TRIES = 4;
const AGAIN_MS = 1000;
const LOOK_AGAIN_MS = 5000;
const LONGEST_TIMER_MS = 600_000;
const ATTEMPTS = "mqtt-dashboard.publish.results";
const TEMPLATES = "mqtt-dashboard.publish.templates";

export const usePublishing = defineStore("publishing", () => {
  const connection = useConnection();
  const attempts = ref<Attempt[]>(recall(ATTEMPTS, isAttempt).map(settled));
  const templates = ref<Template[]>(recall(TEMPLATES, isTemplate).map(completed));
  const session = useSession();
  const waiting = ref(0);
  /** Something that was sent by hand is on its way to the server and not accepted yet. */
  const sending = computed(() => waiting.value > 0);
  /** Why nothing can be published now, in words; null when it can. */
  const impossible = computed(() => {
    if (!session.canOperate) return t("auth.viewerCannotPublish");
    if (!connection.live) return t("publish.noContact");
    const { status } = connection;
    if (!status) return t("publish.noReport");
    if (status.connected === true) return null;
    return connection.trouble?.text ?? sentence(said(status.reason));
  });
  const waiters = new Map<number, (reply: PublishReply) => void>();
  const begun = new Map<number, number>();
  let serial = Math.max(0, ...attempts.value.map((one) => one.key));

  function remember(): void {
    keep(ATTEMPTS, attempts.value.map(small));
  }

  /** Publish one message; resolves with what became of it, never rejects. */
  function publish(request: Command, isKeyed = true): Promise<PublishReply> {
    serial += 1;
    const key = serial;
    const at = Date.now() / 1000;
    const until = at + (request.deadline_s ?? 0);
    const attempt: Attempt = { key, at, request, id: null, until, reply: null };
    attempts.value = [attempt, ...attempts.value.slice(0, KEPT_ATTEMPTS - 1)];
    begun.set(key, performance.now());
    const result = new Promise<PublishReply>((resolve) => waiters.set(key, resolve));
    void handOver(key, request, isKeyed ? randomHex(16) : null);
    return result;
  }

  async function handOver(key: number, request: Command, token: string | null): Promise<void> {
    const byHand = token === null ? 0 : 1;
    waiting.value += byHand;
    try {
      const record = await accepted(request, token);
      const attempt = attempts.value.find((one) => one.key === key);
      if (attempt) attempt.id = record.id;
      remember();
      if (!took(record)) follow(key, record.id);
    } catch (error) {
      settle(key, refused(request.topic, error));
    } finally {
      waiting.value -= byHand;
    }
  }

  function settle(key: number, reply: PublishReply): void {
    const attempt = attempts.value.find((one) => one.key === key);
    if (attempt && !attempt.reply) {
      attempt.reply = reply;
      remember();
    }
    waiters.get(key)?.(reply);
    waiters.delete(key);
    begun.delete(key);
  }

  /** Take a record; false while it has no result. */
  function took(record: CommandRecord): boolean {
    if (record.state === "accepted") return false;
    heard({ ...record, state: record.state });
    return true;
  }

  function heard(result: Pick<CommandResult, "id" | "state" | "reason" | "topic" | "code">): void {
    const attempt = attempts.value.find((one) => one.id === result.id);
    if (!attempt) return;
    const since = begun.get(attempt.key);
    settle(attempt.key, {
      ok: result.state === "acked" || result.state === "sent",
      id: result.id,
      state: result.state,
      reason: result.reason,
      topic: result.topic,
      code: result.code,
      duration_ms: since === undefined ? null : performance.now() - since,
    });
  }

  /** Ask to be told a result, and look for it when its time is over: nobody tells of silence. */
  function follow(key: number, id: string): void {
    listen(key, id);
    const attempt = attempts.value.find((one) => one.key === key);
    const left = attempt ? attempt.until * 1000 - Date.now() + AGAIN_MS : AGAIN_MS;
    setTimeout(() => void look(key, id), Math.min(LONGEST_TIMER_MS, Math.max(AGAIN_MS, left)));
  }

  function listen(key: number, id: string): void {
    if (!connection.socket.connected) return;
    connection.socket.timeout(ANSWER_MS).emit("watch_command", { id }, (error, reply) => {
      if (!error && reply.ok && reply.command) took(reply.command);
      else if (connection.socket.connected) void look(key, id);
    });
  }

  async function look(key: number, id: string): Promise<void> {
    const attempt = attempts.value.find((one) => one.key === key);
    if (!attempt || attempt.reply) return;
    try {
      if (took(await get<CommandRecord>(`/api/commands/${id}`))) return;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        settle(key, unknownOutcome(attempt.request.topic, t("publish.noRecord"), id));
        return;
      }
    }
    setTimeout(() => void look(key, id), LOOK_AGAIN_MS);
  }

  function clear(): void {
    attempts.value = attempts.value.filter((one) => one.reply === null);
    remember();
  }

  function saveTemplate(template: Template): boolean {
    const others = templates.value.filter((one) => one.name !== template.name);
    templates.value = [template, ...others].slice(0, KEPT_TEMPLATES);
    return keep(TEMPLATES, templates.value);
  }

  function removeTemplate(name: string): void {
    templates.value = templates.value.filter((one) => one.name !== name);
    keep(TEMPLATES, templates.value);
  }

  function pending(): { key: number; id: string }[] {
    return attempts.value.flatMap(({ key, id, reply }) => (id && !reply ? [{ key, id }] : []));
  }

  connection.socket.on("command_result", heard);
  // A new connection has not been asked to tell anything.
  connection.socket.on("connect", () => {
    for (const { key, id } of pending()) listen(key, id);
  });
  for (const { key, id } of pending()) follow(key, id);

  return { attempts, templates, sending, impossible, publish, clear, saveTemplate, removeTemplate };
});

/** Hand a command over. With a key it is asked again when no answer came: nothing is done twice. */
async function accepted(request: Command, token: string | null): Promise<CommandRecord> {
  const headers: Record<string, string> = token === null ? {} : { "Idempotency-Key": token };
  for (let left = TRIES; ; left -= 1) {
    try {
      return await post<CommandRecord>("/api/commands", request, headers);
    } catch (error) {
      if (token === null || left <= 1 || !isOpen(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** Whether it may have been accepted although no good answer came. */
function isOpen(error: unknown): boolean {
  if (!(error instanceof ApiError)) return true;
  const isSaid = error.code === "full" || error.code === "not_durable";
  return error.status === 0 || (error.status >= 500 && !isSaid);
}

function refused(topic: string, error: unknown): PublishReply {
  const reason = error instanceof Error ? error.message : String(error);
  if (isOpen(error)) return unknownOutcome(topic, t("publish.notKnownAccepted", { reason }));
  return { ...unknownOutcome(topic, reason), state: "failed" };
}

function unknownOutcome(topic: string, reason: string, id = ""): PublishReply {
  return { ok: false, id, state: "indeterminate", reason, topic, code: null, duration_ms: null };
}

/** What was not accepted when the page closed has no id to ask for. */
function settled(attempt: Attempt): Attempt {
  const known = { ...attempt, id: attempt.id ?? null, until: attempt.until ?? attempt.at };
  if (known.reply || known.id) return known;
  return { ...known, reply: unknownOutcome(known.request.topic, t("publish.reloaded")) };
}

/** A long payload is left out, the result stays. */
function small(attempt: Attempt): Attempt {
  const { payload } = attempt.request;
  if (payload.length <= KEPT_PAYLOAD) return attempt;
  return {
    ...attempt,
    request: { ...attempt.request, payload: "" },
    forgotten: sizeOf(attempt.request),
  };
}

/** Bytes of a command's payload. */
export function sizeOf({ payload, encoding }: Pick<Command, "payload" | "encoding">): number {
  if (encoding === "utf8") return new TextEncoder().encode(payload).length;
  return Math.floor((payload.replace(/=+$/, "").length * 3) / 4);
}

function isAttempt(value: unknown): value is Attempt {
  const one = value as Partial<Attempt> | null;
  return (
    typeof one?.key === "number" &&
    typeof one.at === "number" &&
    typeof one.request?.topic === "string" &&
    typeof one.request.payload === "string"
  );
}

function isTemplate(value: unknown): value is Template {
  const one = value as Partial<Template> | null;
  return (
    typeof one?.name === "string" &&
    typeof one.topic === "string" &&
    typeof one.text === "string" &&
    ["text", "json", "hex", "base64"].includes(one.form ?? "") &&
    [0, 1, 2].includes(one.qos ?? -1)
  );
}

/** A template of an earlier version has no options. */
function completed(template: Template): Template {
  return { ...draftOf(template), name: template.name };
}
