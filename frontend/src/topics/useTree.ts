// The tree as the page holds it: loads levels page by page, and keeps fresh what is in sight. It
// outlives the page, which is found again as it was left.

import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import type { LevelsReply, TopicChange, TopicInfo } from "@/contract/types";
import * as api from "./api";
import {
  ancestors,
  closed,
  EMPTY_LEVEL,
  flatten,
  type Levels,
  pageStarts,
  type Row,
  stretches,
  withPage,
} from "./tree";

const MAX_DEPTH = 64;
const MAX_LEVELS_PER_REFRESH = 24;
const MAX_MARKS = 5000;

export const useTree = defineStore("topicTree", () => {
  const levels = shallowRef<Levels>(new Map());
  const known = ref<{ count: number | null; leftOut: number | null }>({
    count: null,
    leftOut: null,
  });
  /** When a topic, or something below it, was last seen to change; for the dot on its row. */
  const changed = shallowRef<ReadonlyMap<string, number>>(new Map());
  const rows = computed<Row[]>(() => flatten(levels.value));
  const loading = new Map<string, Promise<void>>();
  /** How far down the list was when the page was left. */
  const top = ref(0);

  function put(parent: string | null, after: string | null, reply: LevelsReply): void {
    const before = levels.value.get(parent) ?? EMPTY_LEVEL;
    note(
      before.children.flatMap((one) => (one.info ? [one.info] : [])),
      reply.children.flatMap((one) => (one.info ? [one.info] : [])),
    );
    levels.value = new Map(levels.value).set(parent, withPage(before, after, reply));
    known.value = { count: reply.count, leftOut: reply.left_out };
  }

  function note(before: readonly TopicInfo[], after: readonly TopicInfo[]): void {
    const counts = new Map(before.map((one) => [one.topic, one.message_count]));
    mark(
      after
        .filter((one) => (counts.get(one.topic) ?? one.message_count) !== one.message_count)
        .map((one) => one.topic),
    );
  }

  function mark(topics: readonly string[]): void {
    if (!topics.length) return;
    const now = Date.now();
    const kept = changed.value.size < MAX_MARKS ? changed.value : new Map<string, number>();
    const next = new Map(kept);
    for (const topic of topics) {
      next.set(topic, now);
      for (const above of ancestors(topic)) next.set(above, now);
    }
    changed.value = next;
  }

  /** The server's own word on what changed lately: marks branches, too. */
  function told(changes: readonly TopicChange[]): void {
    mark(changes.slice(0, 500).map((one) => one.topic));
  }

  /** Load a page; whoever asks for the same one meanwhile waits for the same answer. */
  function load(parent: string | null, after: string | null): Promise<void> {
    const name = JSON.stringify([parent, after]);
    let running = loading.get(name);
    if (!running) {
      running = api
        .level(parent, after)
        .then((reply) => put(parent, after, reply))
        .finally(() => loading.delete(name));
      loading.set(name, running);
    }
    return running;
  }

  async function open(topic: string): Promise<void> {
    if (!levels.value.has(topic)) await load(topic, null);
  }

  function close(topic: string): void {
    levels.value = closed(levels.value, topic);
  }

  /** Load and open everything above a topic; false when the topic is not there. */
  async function reveal(topic: string): Promise<boolean> {
    let parent: string | null = null;
    for (const here of [...ancestors(topic), topic].slice(0, MAX_DEPTH)) {
      const name: string = here.slice(parent === null ? 0 : parent.length + 1);
      if (!levels.value.has(parent)) await load(parent, null);
      // A page that begins a little before it shows what stands around it.
      for (const start of pageStarts(name)) {
        if (has(parent, name)) break;
        await load(parent, start);
      }
      if (!has(parent, name)) return false;
      parent = here;
    }
    return true;
  }

  function has(parent: string | null, name: string): boolean {
    return levels.value.get(parent)?.children.some((one) => one.name === name) ?? false;
  }

  /** Ask again for the rows in sight, and no others. */
  async function refresh(visible: readonly Row[]): Promise<void> {
    if (!levels.value.get(null)?.children.length) return load(null, null);
    const asked = stretches(visible, levels.value).slice(0, MAX_LEVELS_PER_REFRESH);
    for (const { parent, after, count } of asked) {
      const limit = Math.min(count + 1, api.PAGE);
      const reply = await api.level(parent, after, limit);
      // The level may have been closed meanwhile.
      if (levels.value.has(parent)) put(parent, after, reply);
    }
  }

  return { levels, known, rows, changed, top, load, open, close, reveal, refresh, told, note };
});
