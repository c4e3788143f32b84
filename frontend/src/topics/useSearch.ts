// A search as it is typed: page by page, abandoned as soon as another one is asked. The server
// answers in steps, what is likeliest first; each step's finds are shown as they come.

import { computed, ref, shallowRef } from "vue";
import type { TopicInfo, TopicsReply } from "@/contract/types";
import * as api from "./api";
import type { Row } from "./tree";

/** How often a search with few finds goes on by itself; each time takes the server up to a second. */
const GO_ON_BY_ITSELF = 8;
const ENOUGH = 50;

interface Found {
  text: string;
  topics: readonly TopicInfo[];
  next: string | null;
  nextIn: TopicsReply["next_in"];
  lookedAt: number;
  lookedAtValues: number;
  candidates: number | null;
}

function withPage(before: Found | null, text: string, reply: TopicsReply): Found {
  return {
    text,
    topics: [...(before?.topics ?? []), ...reply.topics],
    next: reply.next,
    nextIn: reply.next_in,
    lookedAt: (before?.lookedAt ?? 0) + reply.looked_at,
    lookedAtValues: (before?.lookedAtValues ?? 0) + reply.looked_at_values,
    candidates: reply.candidates,
  };
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
    await look(wanted, null, show);
  }

  async function further(): Promise<void> {
    const before = found.value;
    if (before && before.next !== null && !searching.value) await look(before.text, before, show);
  }

  function show(now: Found): void {
    found.value = now;
  }

  /** Look for a text from the beginning, or behind what was found; tell `told` of every page. */
  async function look(
    wanted: string,
    behind: Found | null,
    told: (now: Found) => void,
  ): Promise<void> {
    stop();
    const mine = (running = new AbortController());
    searching.value = true;
    let now = behind;
    let fresh = 0;
    try {
      for (let turn = 0; turn < GO_ON_BY_ITSELF; turn += 1) {
        const reply = await api.search(wanted, inValues.value, now?.next ?? null, mine.signal);
        if (mine.signal.aborted) return;
        now = withPage(now, wanted, reply);
        told(now);
        fresh += reply.topics.length;
        if (reply.next === null || fresh >= ENOUGH) return;
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
    if (before.lookedAt + before.lookedAtValues > 50_000) return;
    let now: Found | null = null;
    await look(before.text, null, (page) => (now = page));
    if (now === null || found.value !== before) return;
    // All pages at once: a list that shrinks and grows again would lose its place.
    show(now);
    note(before.topics, (now as Found).topics);
  }

  return { text, inValues, found, searching, rows, start, further, clear, refresh };
}
