// What comes fast is shown at a calm pace, and nothing of it is lost on the way.

export interface Scheduler {
  request: (run: () => void) => void;
  now: () => number;
}

const browser: Scheduler = {
  request: (run) => {
    requestAnimationFrame(run);
  },
  now: () => performance.now(),
};

/** Collects items and hands them over in one go, at most once per `interval` milliseconds. */
export class Batcher<T> {
  private waiting: T[] = [];
  private last = Number.NEGATIVE_INFINITY;
  private asked = false;

  constructor(
    private readonly flush: (items: T[]) => void,
    private readonly limit: number,
    private readonly interval = 100,
    private readonly scheduler: Scheduler = browser,
  ) {}

  add(items: readonly T[]): void {
    this.waiting.push(...items);
    // Where nothing is drawn, as in a hidden tab, all of it is still to be judged and counted.
    if (this.waiting.length >= 2 * this.limit) this.flushNow();
    else this.ask();
  }

  clear(): void {
    this.waiting = [];
  }

  /** Hand over what waits without waiting for the next interval. */
  flushNow(): void {
    const items = this.waiting;
    this.waiting = [];
    if (items.length) this.flush(items);
  }

  private ask(): void {
    if (this.asked) return;
    this.asked = true;
    this.scheduler.request(() => {
      this.asked = false;
      if (this.scheduler.now() - this.last < this.interval) {
        this.ask();
        return;
      }
      this.last = this.scheduler.now();
      this.flushNow();
    });
  }
}
