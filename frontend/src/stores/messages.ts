// What the monitor shows: messages of its filters, and in their place what was left out.

import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import type { LogPosition, MessageReceived, MessagesFrame } from "@/contract/types";
import { Creditor } from "@/live/credits";
import { Batcher, prepend } from "@/live/ring";
import { giveCredit } from "@/live/socket";
import { matches } from "@/topics/filter";
import { useConnection } from "./connection";

export const RING_LIMIT = 2000;

export type Row =
  | { kind: "message"; key: string; message: MessageReceived; hue: number }
  | { kind: "skipped"; key: string; count: number }
  | { kind: "gap"; key: string; missing: number | null };

export interface Watched {
  filter: string;
  hue: number;
  problem: string | null;
}

export const useMessages = defineStore("messages", () => {
  const connection = useConnection();
  const filters = ref<Watched[]>([]);
  const rows = shallowRef<readonly Row[]>([]);
  const paused = ref(false);
  const scrolledAway = ref(false);
  const meanwhile = ref(0);
  const totals = ref({ received: 0, skipped: 0 });
  let held: Row[] = [];
  let serial = 0;
  // Where the live frames have come to; a reconnected page continues behind it.
  let reached: LogPosition | null = null;
  let asking = 0;
  const creditor = new Creditor((frames) => {
    giveCredit(connection.socket, frames);
  });
  const holding = computed(() => paused.value || scrolledAway.value);

  const batcher = new Batcher<Row>((fresh) => {
    if (holding.value) {
      held = prepend(held, fresh, RING_LIMIT);
      meanwhile.value += fresh.length;
    } else {
      rows.value = prepend(rows.value, fresh, RING_LIMIT);
    }
  }, RING_LIMIT);

  function hueOf(topic: string): number {
    return filters.value.find((one) => matches(one.filter, topic))?.hue ?? 0;
  }

  function take(frame: MessagesFrame): void {
    creditor.took();
    if (!filters.value.length) return;
    // While a filter is being resumed, what it missed may still be on its way.
    if (!frame.replay && !asking) reached = { epoch: frame.epoch, seq: frame.seq };
    serial += 1;
    const fresh: Row[] = [];
    if (frame.gap) fresh.push({ kind: "gap", key: `g${serial}`, missing: frame.missing });
    const skipped = frame.dropped + frame.conflated;
    if (skipped) {
      fresh.push({ kind: "skipped", key: `s${serial}`, count: skipped });
      totals.value.skipped += skipped;
    }
    // A replay after a reconnect may bring what is already here.
    const known = frame.replay ? knownKeys() : null;
    for (const message of frame.messages) {
      // Other pages watch topics over the same socket.
      const hue = hueOf(message.topic);
      if (!hue) continue;
      totals.value.received += 1;
      const key = `${message.epoch}:${message.seq}`;
      if (known?.has(key)) continue;
      fresh.push({ kind: "message", key, message, hue });
    }
    if (!fresh.length) return;
    if (frame.messages.some((message) => message.topic.startsWith("demo/"))) connection.demo = true;
    batcher.add(fresh);
  }

  function knownKeys(): Set<string> {
    return new Set([...batcher.pending, ...rows.value, ...held].map((row) => row.key));
  }

  /** Show what arrived while the list was held. */
  function release(): void {
    rows.value = held.concat(rows.value).slice(0, RING_LIMIT);
    held = [];
    meanwhile.value = 0;
  }

  function hold(): void {
    if (!holding.value) release();
  }

  function setPaused(value: boolean): void {
    paused.value = value;
    hold();
  }

  function setScrolledAway(value: boolean): void {
    scrolledAway.value = value;
    hold();
  }

  function clear(): void {
    rows.value = [];
    held = [];
    meanwhile.value = 0;
    totals.value = { received: 0, skipped: 0 };
    batcher.clear();
  }

  function ask(filter: string, after: LogPosition | null = null): void {
    asking += 1;
    connection.socket.timeout(5000).emit("subscribe", { filter, after }, (error, reply) => {
      asking -= 1;
      const watched = filters.value.find((one) => one.filter === filter);
      if (watched) {
        watched.problem = error ? "The server did not answer." : reply.ok ? null : reply.message;
      }
    });
  }

  function add(filter: string): void {
    if (filters.value.some((one) => one.filter === filter)) return;
    const used = new Set(filters.value.map((one) => one.hue));
    const hue = [1, 2, 3, 4, 5, 6].find((one) => !used.has(one)) ?? 1;
    filters.value.push({ filter, hue, problem: null });
    if (connection.socket.connected) ask(filter);
  }

  function remove(filter: string): void {
    filters.value = filters.value.filter((one) => one.filter !== filter);
    if (!filters.value.length) reached = null;
    connection.socket.emit("unsubscribe", { filter }, () => undefined);
  }

  connection.socket.on("mqtt_messages", take);
  // A new connection knows nothing of this page's filters.
  connection.socket.on("connect", () => {
    creditor.open();
    for (const one of filters.value) ask(one.filter, reached);
  });

  return {
    filters,
    rows,
    paused,
    scrolledAway,
    meanwhile,
    totals,
    holding,
    add,
    remove,
    clear,
    setPaused,
    setScrolledAway,
  };
});
