// What the monitor watches and shows: messages of its filters, and in their place what was left out.

import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import type { LogPosition, MessagesFrame } from "@/contract/types";
import { t } from "@/i18n";
import { Creditor } from "@/live/credits";
import { Batcher } from "@/live/ring";
import { giveCredit } from "@/live/socket";
import { Board } from "@/monitor/board";
import { useCondition } from "@/monitor/condition";
import { freeHue, MOST_FILTERS, ownerOf, type Watched, withRecent } from "@/monitor/filters";
import { taken } from "@/monitor/intake";
import { restored } from "@/monitor/restored";
import type { MessageRow, Row } from "@/monitor/rows";
import { recall, remember, type Settings } from "@/monitor/settings";
import * as snapshot from "@/monitor/snapshot";
import { useConnection } from "./connection";
import { useSession } from "./session";

export type { Watched } from "@/monitor/filters";
export type { Row } from "@/monitor/rows";

export const RING_LIMIT = 2000;
const ANSWER_MS = 5000;
const MOST_OWNERS = 20_000;

export const useMessages = defineStore("messages", () => {
  const connection = useConnection();
  // Asked once: when somebody else signs in, this page still holds what the one before saw.
  const user = useSession().me?.name ?? "";
  const filters = ref<Watched[]>([]);
  const recent = ref<string[]>([]);
  /** What "only this topic" has replaced, to go back to. */
  const earlier = shallowRef<Watched[]>([]);
  const condition = useCondition();
  const { where, expression, applied } = condition;
  /** What is on the screen; it stands still while the list is held. */
  const rows = shallowRef<readonly Row[]>([]);
  const paused = ref(false);
  /** Since when, in seconds since the epoch. */
  const pausedAt = ref(0);
  const scrolledAway = ref(false);
  const meanwhile = ref(0);
  const totals = ref({ received: 0, skipped: 0 });
  /** Messages judged by expression and mutes since either was set, and those that passed. */
  const judged = ref({ examined: 0, matched: 0 });
  /** The message whose details are open: it stays although the list has moved past it. */
  const selected = shallowRef<MessageRow | null>(null);
  const holding = computed(() => paused.value || scrolledAway.value);

  const board = new Board(passes, RING_LIMIT);
  // Keys of notices must differ from those of before a reload.
  let serial = Date.now();
  let begun = false;
  // Where the live frames have come to; a reconnected or reloaded page continues behind it.
  let reached: LogPosition | null = null;
  // Filters that were served up to there.
  const served = new Set<string>();
  const owners = new Map<string, Watched | null>();
  // Subscriptions whose answer will bring what came behind `reached`.
  let resuming = 0;

  const creditor = new Creditor((frames) => {
    giveCredit(connection.socket, frames);
  });
  const batcher = new Batcher<Row>((fresh) => {
    board.enter(fresh);
    show();
  }, RING_LIMIT);

  function owner(topic: string): Watched | null {
    let found = owners.get(topic);
    if (found === undefined) {
      if (owners.size >= MOST_OWNERS) owners.clear();
      found = ownerOf(topic, filters.value);
      owners.set(topic, found);
    }
    return found;
  }

  function isMine(topic: string): boolean {
    return owner(topic) !== null;
  }

  function passes(row: MessageRow): boolean {
    return owner(row.message.topic)?.muted === false && condition.passes(row.message);
  }

  /** Put what the board holds on the screen. */
  function show(): void {
    rows.value = board.rows;
    meanwhile.value = board.meanwhile;
    judged.value = board.judged;
  }

  /** Judge everything again, after the condition, a mute or the filters changed. */
  function judge(): void {
    owners.clear();
    board.judge();
    show();
  }

  function take(frame: MessagesFrame): void {
    creditor.took();
    if (!filters.value.length) return;
    // While a filter is being resumed, what it missed may still be on its way. The replay of a new
    // filter says where it ends: without anything live yet, that is what to go on from.
    if (frame.replay ? !reached && !served.size : !resuming)
      reached = { epoch: frame.epoch, seq: frame.seq };
    serial += 1;
    const { rows: fresh, received, skipped } = taken(frame, isMine, serial);
    if (received || skipped)
      totals.value = {
        received: totals.value.received + received,
        skipped: totals.value.skipped + skipped,
      };
    if (!fresh.length) return;
    if (frame.messages.some((message) => message.topic.startsWith("demo/"))) connection.demo = true;
    if (frame.replay) replayed(fresh);
    else batcher.add(fresh);
  }

  /** A replay may bring what is already here, and belongs below what came since. */
  function replayed(fresh: Row[]): void {
    batcher.flushNow();
    board.insert(fresh);
    show();
  }

  function hold(): void {
    batcher.flushNow();
    board.hold(holding.value);
    show();
  }

  function setPaused(value: boolean): void {
    if (value && !paused.value) pausedAt.value = Date.now() / 1000;
    paused.value = value;
    hold();
    save();
  }

  function setScrolledAway(value: boolean): void {
    scrolledAway.value = value;
    hold();
  }

  function setWhere(text: string): void {
    condition.set(text);
    judge();
    save();
  }

  function clear(): void {
    batcher.clear();
    board.clear();
    totals.value = { received: 0, skipped: 0 };
    show();
  }

  function ask(filter: string): void {
    const after = served.has(filter) ? reached : null;
    if (after) resuming += 1;
    connection.socket.timeout(ANSWER_MS).emit("subscribe", { filter, after }, (error, reply) => {
      if (after) resuming -= 1;
      const watched = filters.value.find((one) => one.filter === filter);
      if (!watched) return;
      if (!error && reply.ok) served.add(filter);
      watched.problem = error ? t("monitor.noAnswer") : reply.ok ? null : reply.message;
    });
  }

  function add(filter: string, given: Partial<Watched> = {}): boolean {
    if (filters.value.some((one) => one.filter === filter)) return true;
    if (filters.value.length >= MOST_FILTERS) return false;
    const hue = given.hue ?? freeHue(filters.value);
    const { name = "", muted = false } = given;
    filters.value.push({ filter, hue, name, muted, problem: null });
    recent.value = recent.value.filter((one) => one !== filter);
    judge();
    if (connection.socket.connected) ask(filter);
    save();
    return true;
  }

  function drop(filter: string): void {
    filters.value = filters.value.filter((one) => one.filter !== filter);
    served.delete(filter);
    recent.value = withRecent(recent.value, filter);
    if (!filters.value.length) reached = null;
    connection.socket.emit("unsubscribe", { filter }, () => undefined);
  }

  /** Stop watching a filter; messages that no other has go with it. */
  function remove(filter: string): void {
    drop(filter);
    purge();
    save();
  }

  /** What nobody watches would come back with a hole in it when it is watched again. */
  function purge(): void {
    owners.clear();
    board.purge((row) => isMine(row.message.topic));
    show();
  }

  function change(filter: string, changed: Partial<Pick<Watched, "hue" | "name" | "muted">>): void {
    const watched = filters.value.find((one) => one.filter === filter);
    if (!watched) return;
    Object.assign(watched, changed);
    if (changed.muted !== undefined) judge();
    save();
  }

  /** Watch something else in a filter's place. */
  function replace(filter: string, by: Omit<Watched, "problem">): void {
    const at = filters.value.findIndex((one) => one.filter === filter);
    drop(filter);
    purge();
    add(by.filter, by);
    const added = filters.value.pop();
    if (added) filters.value.splice(at, 0, added);
    save();
  }

  /** Watch these and nothing else. */
  function only(wanted: readonly Pick<Watched, "filter">[]): void {
    earlier.value = filters.value.map((one) => ({ ...one }));
    const names = new Set(wanted.map((one) => one.filter));
    for (const one of earlier.value) if (!names.has(one.filter)) drop(one.filter);
    purge();
    for (const one of wanted) add(one.filter, one);
    save();
  }

  /** Undo `only`. */
  function back(): void {
    const wanted = earlier.value;
    only(wanted);
    earlier.value = [];
  }

  /** Begin with these settings, or those kept in this browser; later calls only add. */
  function begin(given: (known: Watched[]) => Settings | null): void {
    const kept = recall();
    const known = begun ? filters.value : kept.filters.map((one) => ({ ...one, problem: null }));
    const wanted = given(known);
    const first = !begun;
    begun = true;
    if (first) {
      recent.value = kept.recent;
      restore(wanted ?? kept);
    }
    const settings = wanted ?? (first ? kept : null);
    if (!settings) return;
    if (first || settings.where) condition.set(settings.where);
    for (const one of settings.filters) add(one.filter, one);
    if (first && settings.paused) {
      pausedAt.value ||= Date.now() / 1000;
      paused.value = true;
      hold();
    }
    judge();
    save();
  }

  function restore(settings: Settings): void {
    const found = snapshot.take(user);
    if (!found) return;
    selected.value = found.selected;
    const { rows, held, reached: upTo, served: before } = restored(found, settings, `g${serial}`);
    reached = upTo;
    for (const filter of before) served.add(filter);
    if (held) pausedAt.value = held.since;
    board.restore(rows, held);
  }

  function save(): void {
    if (!begun) return;
    const chosen = filters.value.map(({ filter, hue, name, muted }) => ({
      filter,
      hue,
      name,
      muted,
    }));
    remember({
      filters: chosen,
      where: where.value,
      paused: paused.value,
      recent: recent.value,
    });
  }

  connection.socket.on("mqtt_messages", take);
  // A new connection knows nothing of this page's filters.
  connection.socket.on("connect", () => {
    creditor.open();
    for (const one of filters.value) ask(one.filter);
  });
  window.addEventListener("pagehide", () => {
    batcher.flushNow();
    const { all: rows, held } = board;
    if (!rows.length && !selected.value) return;
    snapshot.keep(
      {
        rows,
        reached,
        filters: [...served],
        held: paused.value && held ? { ...held, since: pausedAt.value } : null,
        selected: selected.value,
      },
      user,
    );
  });

  function hueOf(topic: string): number {
    return owner(topic)?.hue ?? 1;
  }

  /** A row that is at hand, on the screen or not. */
  function rowOf(key: string): MessageRow | null {
    for (const list of [rows.value, board.all])
      for (const row of list) if (row.key === key && row.kind === "message") return row;
    return null;
  }

  return {
    filters,
    recent,
    earlier,
    where,
    expression,
    applied,
    rows,
    paused,
    pausedAt,
    scrolledAway,
    meanwhile,
    totals,
    judged,
    selected,
    holding,
    hueOf,
    rowOf,
    begin,
    add,
    remove,
    change,
    replace,
    only,
    back,
    clear,
    setPaused,
    setScrolledAway,
    setWhere,
  };
});
