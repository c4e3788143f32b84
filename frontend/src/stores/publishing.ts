// Publishing, and what became of it: results and templates, kept in this browser.

import { defineStore } from "pinia";
import { computed, ref } from "vue";
import type { PublishReply, PublishRequest } from "@/contract/types";
import { t } from "@/i18n";
import type { Form } from "@/views/publish/forms";
import { useConnection } from "./connection";
import { keep, recall } from "./kept";

export interface Attempt {
  key: number;
  at: number;
  request: Required<PublishRequest>;
  reply: PublishReply | null;
}

export interface Draft {
  topic: string;
  text: string;
  form: Form;
  qos: 0 | 1 | 2;
  retain: boolean;
}

export interface Template extends Draft {
  name: string;
}

const KEPT_ATTEMPTS = 50;
const KEPT_TEMPLATES = 100;
/** Longer payloads are not kept across a reload: the browser's storage is small. */
const KEPT_PAYLOAD = 4096;
const ANSWER_MS = 70_000;
const ATTEMPTS = "mqtt-dashboard.publish.results";
const TEMPLATES = "mqtt-dashboard.publish.templates";

export const usePublishing = defineStore("publishing", () => {
  const connection = useConnection();
  const attempts = ref<Attempt[]>(recall(ATTEMPTS, isAttempt).map(settled));
  const templates = ref<Template[]>(recall(TEMPLATES, isTemplate));
  const waiting = ref(0);
  const sending = computed(() => waiting.value > 0);
  let serial = Math.max(0, ...attempts.value.map((one) => one.key));

  function remember(): void {
    const small = attempts.value.filter((one) => one.request.payload.length <= KEPT_PAYLOAD);
    keep(ATTEMPTS, small);
  }

  /** Publish one message; resolves with what became of it, never rejects. */
  function publish(request: Required<PublishRequest>): Promise<PublishReply> {
    serial += 1;
    const key = serial;
    attempts.value = [
      { key, at: Date.now() / 1000, request, reply: null },
      ...attempts.value.slice(0, KEPT_ATTEMPTS - 1),
    ];
    waiting.value += 1;
    return new Promise((resolve) => {
      connection.socket.timeout(ANSWER_MS).emit("publish", request, (error, answer) => {
        const reply = error ? unknownOutcome(request.topic, t("publish.lost")) : answer;
        waiting.value -= 1;
        const attempt = attempts.value.find((one) => one.key === key);
        if (attempt) attempt.reply = reply;
        remember();
        resolve(reply);
      });
    });
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

  return { attempts, templates, sending, publish, clear, saveTemplate, removeTemplate };
});

function unknownOutcome(topic: string, reason: string): PublishReply {
  return {
    ok: false,
    id: "",
    state: "indeterminate",
    reason,
    topic,
    code: null,
    duration_ms: null,
  };
}

/** A result that was waited for when the page closed will not come any more. */
function settled(attempt: Attempt): Attempt {
  if (attempt.reply) return attempt;
  return { ...attempt, reply: unknownOutcome(attempt.request.topic, t("publish.reloaded")) };
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
