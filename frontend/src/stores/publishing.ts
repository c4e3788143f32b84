// Publishing, and what became of it.

import { defineStore } from "pinia";
import { ref } from "vue";
import type { PublishReply, PublishRequest } from "@/contract/types";
import { useConnection } from "./connection";

export interface Attempt {
  key: number;
  at: number;
  request: Required<PublishRequest>;
  reply: PublishReply | null;
}

const KEEP = 20;
const ANSWER_MS = 70_000;

export const usePublishing = defineStore("publishing", () => {
  const connection = useConnection();
  const attempts = ref<Attempt[]>([]);
  const sending = ref(false);
  let serial = 0;

  function publish(request: Required<PublishRequest>): void {
    serial += 1;
    const key = serial;
    attempts.value = [
      { key, at: Date.now() / 1000, request, reply: null },
      ...attempts.value.slice(0, KEEP - 1),
    ];
    sending.value = true;
    connection.socket.timeout(ANSWER_MS).emit("publish", request, (error, reply) => {
      sending.value = false;
      const attempt = attempts.value.find((one) => one.key === key);
      if (!attempt) return;
      attempt.reply = error
        ? {
            ok: false,
            id: "",
            state: "indeterminate",
            reason: "The contact to the server was lost before the result came.",
            topic: request.topic,
            code: null,
            duration_ms: null,
          }
        : reply;
    });
  }

  return { attempts, sending, publish };
});
