// A search as it is typed: page by page, abandoned as soon as another one is asked.

import { computed, ref, shallowRef } from "vue";
import type { TopicInfo } from "@/contract/types";
import * as api from "./api";
import type { Row } from "./tree";

/** How often a search with few finds goes on by itself; each time takes the server a second. */
const GO_ON_BY_ITSELF = 6;
const ENOUGH = 50;

interface Found {
  text: string;
  topics: readonly TopicInfo[];
  next: string | null;
  lookedAt: number;
  candidates: number | null;
}

export function useSearch(
  note: (before: readonly TopicInfo[], after: readonly TopicInfo[]) => void,
) {
  const text = ref("");
  const inValues = ref(true);
  const found = shallowRef<Found | null>(null);
  const searching = ref(false);
  let running: AbortController | null = null;

  const rows = computed<Row[]>(() => {
    const all: Row[] = (found.value?.topics ?? []).map((info, place) => ({
      kind: "topic",
      key: info.topic,
      depth: 0,
      name: info.topic,
      topic: info.topic,
      parent: null,
      place,
      below: 0,
      open: false,
      info,
    }));
    const next = found.value?.next;
    if (next && found.value?.topics.length)
      all.push({ kind: "more", key: "\0more", depth: 0, parent: null, after: next });
    return all;
  });

  function stop(): void {
    running?.abort();
    running = null;
    searching.value = false;
  }

  function clear(): void {
    stop();
    found.value = null;
  }

  /** Look from the beginning; what was found before stays until the new finds come. */
  async function start(): Promise<void> {
    const wanted = text.value.trim();
    if (!wanted) return clear();
    await look(wanted, null);
  }

  async function further(): Promise<void> {
    const { next = null, text: wanted } = found.value ?? { text: "" };
    if (next !== null && !searching.value) await look(wanted, next);
  }

  async function look(wanted: string, from: string | null): Promise<void> {
    stop();
    const mine = (running = new AbortController());
    searching.value = true;
    let after = from;
    let fresh = 0;
    try {
      for (let turn = 0; turn < GO_ON_BY_ITSELF; turn += 1) {
        const reply = await api.search(wanted, inValues.value, after, mine.signal);
        if (mine.signal.aborted) return;
        const before = after === null ? null : found.value;
        found.value = {
          text: wanted,
          topics: [...(before?.topics ?? []), ...reply.topics],
          next: reply.next,
          lookedAt: (before?.lookedAt ?? 0) + reply.looked_at,
          candidates: reply.candidates,
        };
        fresh += reply.topics.length;
        after = reply.next;
        if (after === null || fresh >= ENOUGH) return;
      }
    } catch (error) {
      if (!mine.signal.aborted) throw error;
    } finally {
      if (running === mine) {
        running = null;
        searching.value = false;
      }
    }
  }

  /** Ask again for what was found on one page; longer finds stay as they came. */
  async function refresh(): Promise<void> {
    const before = found.value;
    if (!before || searching.value || before.topics.length > api.PAGE) return;
    // A search that had to look far is not repeated by itself.
    if (before.lookedAt > 50_000) return;
    await look(before.text, null);
    if (found.value && found.value !== before) note(before.topics, found.value.topics);
  }

  return { text, inValues, found, searching, rows, start, further, clear, refresh };
}
