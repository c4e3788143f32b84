// A bounded list, newest first, that is shown at a calm pace however fast it fills.

/** Join new items (oldest first) in front of a list, keeping at most `limit`. */
export function prepend<T>(list: readonly T[], fresh: readonly T[], limit: number): T[] {
  const taken = fresh.slice(-limit).reverse();
  return taken.concat(list.slice(0, limit - taken.length));
}

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
    if (this.waiting.length > 2 * this.limit) this.waiting = this.waiting.slice(-this.limit);
    this.ask();
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
