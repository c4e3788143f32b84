// The same message again and again until it is told to stop; one at a time, each with its result.

import { onBeforeUnmount, ref } from "vue";
import type { PublishReply } from "@/contract/types";
import { now } from "@/live/clock";

export const LEAST_S = 0.2;

export function useRepeat(send: () => Promise<PublishReply> | null) {
  const running = ref(false);
  const sent = ref(0);
  const failed = ref(0);
  const nextAt = ref<number | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let round = 0;

  async function turn(mine: number, every: number): Promise<void> {
    const began = Date.now();
    nextAt.value = null;
    const result = send();
    if (!result) return stop();
    const reply = await result;
    if (mine !== round) return;
    if (reply.ok) sent.value += 1;
    else failed.value += 1;
    const left = Math.max(0, every * 1000 - (Date.now() - began));
    nextAt.value = (Date.now() + left) / 1000;
    timer = setTimeout(() => void turn(mine, every), left);
  }

  function start(every: number): void {
    stop();
    running.value = true;
    sent.value = failed.value = 0;
    void turn(round, Math.max(LEAST_S, every));
  }

  function stop(): void {
    round += 1;
    clearTimeout(timer);
    running.value = false;
    nextAt.value = null;
  }

  const secondsLeft = () =>
    nextAt.value === null ? null : Math.max(0, Math.ceil(nextAt.value - now.value));

  onBeforeUnmount(stop);
  return { running, sent, failed, start, stop, secondsLeft };
}
