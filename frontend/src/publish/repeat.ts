// The same message again and again until it is told to stop; one at a time, each with its result.
// Pure but for its timer, so that it can be tested.

import { ref } from "vue";

export const LEAST_S = 0.2;
/** Of shorter ones no countdown is shown: it would only flicker. */
export const COUNTED_S = 3;

/** Sends once: whether it went well, or null when nothing can be sent now. */
export type Send = () => Promise<boolean> | null;

export interface Repetition {
  topic: string;
  /** Seconds. */
  every: number;
}

export function repeating(clock: () => number = Date.now) {
  const what = ref<Repetition | null>(null);
  const sent = ref(0);
  const failed = ref(0);
  /** Nothing could be sent the last time; it is tried again. */
  const isHindered = ref(false);
  /** When the next one is due and when that was known, in seconds; null while one is on its way. */
  const due = ref<{ at: number; knownAt: number } | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let round = 0;

  async function turn(mine: number, every: number, send: Send): Promise<void> {
    const began = clock();
    due.value = null;
    const result = send();
    isHindered.value = result === null;
    if (result) {
      const isGood = await result;
      if (mine !== round) return;
      if (isGood) sent.value += 1;
      else failed.value += 1;
    }
    const now = clock();
    const left = Math.max(0, every * 1000 - (now - began));
    due.value = { at: (now + left) / 1000, knownAt: now / 1000 };
    timer = setTimeout(() => void turn(mine, every, send), left);
  }

  function start(topic: string, seconds: number, send: Send): void {
    stop();
    const every = Math.max(LEAST_S, seconds);
    what.value = { topic, every };
    sent.value = failed.value = 0;
    void turn(round, every, send);
  }

  function stop(): void {
    round += 1;
    clearTimeout(timer);
    what.value = null;
    due.value = null;
    isHindered.value = false;
  }

  /** Whole seconds to the next one at `now`, never more than lie between two; null: none to tell. */
  function secondsLeft(now: number): number | null {
    if (!due.value || !what.value || what.value.every < COUNTED_S) return null;
    // The page's clock ticks once a second, so it may lag behind.
    return Math.max(0, Math.ceil(due.value.at - Math.max(now, due.value.knownAt)));
  }

  return { what, sent, failed, isHindered, start, stop, secondsLeft };
}
