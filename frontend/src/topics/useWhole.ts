// A message that came with the beginning of its payload only, whole as soon as it can be had.

import { computed, onScopeDispose, ref, shallowRef, watch } from "vue";
import { MAX_DECODED } from "@/payload/decode";
import { fromMessage, type Shown } from "./shown";
import { isGone, type Wholes } from "./wholes";

export type WholeState =
  | "here"
  | "loading"
  /** So long that it is only loaded when somebody asks for it. */
  | "large"
  /** So long that a page should not hold it; it can be saved as a file. */
  | "huge"
  | "gone"
  | "failed";

/** Longer payloads would make the page slow. */
const MOST_LOADED = 32 * 1024 * 1024;
/** While long messages come fast, a new one is asked for this often. */
const PAUSE_MS = 1000;
/** Until then it is not worth showing the beginning. */
const SOON_MS = 600;

interface Wanted {
  topic: string;
  shown: Shown;
  /** What comes next takes its place by itself: the one before may stay until it is here. */
  following: boolean;
}

export function useWhole(wholes: Wholes, wanted: () => Wanted) {
  const state = ref<WholeState>("here");
  const problem = ref("");
  const isSoon = ref(false);
  const loaded = shallowRef<{ topic: string; key: string; shown: Shown } | null>(null);
  const key = computed(() => keyOf(wanted()));
  let allowed: string | null = null;
  let asking: { topic: string; key: string } | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let soon: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;

  function judge(): void {
    const { topic, shown, following } = wanted();
    if (!shown.cut || loaded.value?.key === key.value) state.value = "here";
    else if (shown.size > MOST_LOADED) state.value = "huge";
    else if (shown.size > MAX_DECODED && allowed !== key.value) state.value = "large";
    else {
      state.value = "loading";
      // Messages that come faster than they are loaded wait for their turn, the newest wins.
      if (asking?.topic !== topic || !following) void ask();
    }
  }

  async function ask(): Promise<void> {
    const { topic, shown } = wanted();
    const mine = (asking = { topic, key: key.value });
    patience();
    try {
      const found = await (shown.number ? wholes.get(topic, shown.number) : wholes.newest(topic));
      if (asking !== mine || isOver) return;
      loaded.value = { ...mine, shown: fromMessage(found) };
      if (mine.key === key.value) state.value = "here";
    } catch (error) {
      if (asking !== mine || isOver) return;
      problem.value = error instanceof Error ? error.message : String(error);
      if (mine.key === key.value) state.value = isGone(error) ? "gone" : "failed";
    }
    asking = null;
    if (mine.key !== key.value) timer = setTimeout(judge, PAUSE_MS);
  }

  function patience(): void {
    isSoon.value = true;
    clearTimeout(soon);
    soon = setTimeout(() => (isSoon.value = false), SOON_MS);
  }

  /** Load it although it is long, or once more. */
  function load(): void {
    allowed = key.value;
    judge();
  }

  watch(key, judge, { immediate: true });
  onScopeDispose(() => {
    isOver = true;
    clearTimeout(timer);
    clearTimeout(soon);
  });

  const shown = computed<Shown>(() => {
    const { topic, shown: given, following } = wanted();
    const have = loaded.value;
    if (!given.cut || have?.topic !== topic) return given;
    const stays = following && state.value === "loading";
    return have.key === key.value || stays ? have.shown : given;
  });
  /** Nothing worth showing is here yet, but will be in a moment. */
  const isComing = computed(() => state.value === "loading" && isSoon.value && shown.value.cut);

  return { shown, state, problem, isComing, load };
}

function keyOf({ topic, shown }: Wanted): string {
  const { number, at, size, cut } = shown;
  const which = number ? `${number.epoch}:${number.seq}` : `${at}:${size}`;
  return `${which}:${cut}:${topic}`;
}
