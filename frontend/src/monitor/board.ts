// The monitor's memory: all rows, those that pass the conditions, and those on the screen, which
// stand still while the list is held. Bounded and plain; whoever shows it copies its lists.

import { inserted, joined, type MessageRow, type Row, sifted } from "./rows";

export type Pass = (row: MessageRow) => boolean;

/** A list that stands still, and how many messages passed since. */
export interface Held {
  /** Newest first. */
  rows: readonly Row[];
  meanwhile: number;
}

export class Board {
  all: readonly Row[] = [];
  /** What is shown, newest first. */
  rows: readonly Row[] = [];
  /** Messages that passed while the list was held. */
  meanwhile = 0;
  /** Messages judged since the conditions were set, and those that passed. */
  judged = { examined: 0, matched: 0 };
  private passing: readonly Row[] = [];
  private frozen: readonly Row[] | null = null;

  constructor(
    private readonly pass: Pass,
    private readonly limit: number,
  ) {}

  /** Take live rows, oldest first. */
  enter(fresh: readonly Row[]): void {
    this.all = joined(this.all, fresh, this.limit);
    const found = this.note(fresh);
    // Rare matches outlast the flood they were picked from.
    this.passing = joined(this.passing, [...found.rows].reverse(), this.limit);
    if (!this.frozen) this.rows = this.passing;
  }

  /** Take replayed rows, oldest first, to where they belong. */
  insert(replayed: readonly Row[]): void {
    const known = new Set(this.all.map((row) => row.key));
    const fresh = replayed.filter((row) => !known.has(row.key));
    this.all = inserted(this.all, fresh, this.limit);
    const found = this.note(fresh);
    this.passing = inserted(this.passing, [...found.rows].reverse(), this.limit);
    if (!this.frozen) this.rows = this.passing;
  }

  /** Judge everything at hand anew, after the conditions changed. */
  judge(): void {
    const found = sifted(newestLast(this.all), this.pass);
    this.passing = found.rows;
    this.judged = { examined: found.examined, matched: found.matched };
    this.rows = this.frozen ? sifted(newestLast(this.frozen), this.pass).rows : this.passing;
  }

  /** Forget the messages that are nobody's any more. */
  purge(isKept: Pass): void {
    this.all = sifted(newestLast(this.all), isKept).rows;
    if (this.frozen) this.frozen = sifted(newestLast(this.frozen), isKept).rows;
    this.judge();
  }

  /** Let the list stand still, or go on with what arrived meanwhile. */
  hold(isHeld: boolean): void {
    if (isHeld === (this.frozen !== null)) return;
    this.frozen = isHeld ? this.all : null;
    this.meanwhile = 0;
    if (!isHeld) this.rows = this.passing;
  }

  /** What is held, whether it passes or not; null while nothing is. */
  get held(): Held | null {
    return this.frozen && { rows: this.frozen, meanwhile: this.meanwhile };
  }

  /** Begin with rows from before, newest first, and with what was held then. */
  restore(rows: readonly Row[], held: Held | null = null): void {
    this.all = rows.slice(0, this.limit);
    if (held) this.meanwhile = held.meanwhile;
    if (held || this.frozen) this.frozen = held?.rows ?? this.all;
    this.judge();
  }

  clear(): void {
    this.meanwhile = 0;
    this.restore([]);
  }

  private note(fresh: readonly Row[]): ReturnType<typeof sifted> {
    const found = sifted(fresh, this.pass);
    this.judged = {
      examined: this.judged.examined + found.examined,
      matched: this.judged.matched + found.matched,
    };
    if (this.frozen) this.meanwhile += found.matched;
    return found;
  }
}

function newestLast(list: readonly Row[]): Row[] {
  return [...list].reverse();
}
