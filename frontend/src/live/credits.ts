// Credit for the live channel: the server sends a frame only while this page still has room for one.
// What was drawn is given back with the next animation frame, so a busy page is sent less. A hidden
// page draws nothing and gives back at once, or it would stall.

/** Frames that may be on their way: enough for twenty a second over a slow line. */
export const WINDOW = 8;

/** Credit is given back in such portions: a message of its own for each frame costs the server. */
export const PORTION = 4;

/** Longer than any animation frame of a page that is drawn at all. */
const AT_LATEST_MS = 1000;

export interface Stage {
  hidden: () => boolean;
  onHidden: (run: () => void) => void;
  request: (run: () => void) => void;
  later: (run: () => void, ms: number) => void;
}

const browser: Stage = {
  hidden: () => document.hidden,
  onHidden: (run) => {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) run();
    });
  },
  request: (run) => {
    requestAnimationFrame(run);
  },
  later: (run, ms) => {
    setTimeout(run, ms);
  },
};

export class Creditor {
  private owed = 0;
  private drawn = 0;
  private asked = 0;

  constructor(
    private readonly give: (frames: number) => void,
    private readonly stage: Stage = browser,
  ) {
    stage.onHidden(() => {
      this.settle();
    });
  }

  /** A new connection owes nothing and is given the whole window. */
  open(): void {
    this.owed = 0;
    this.drawn = 0;
    this.asked += 1;
    this.give(WINDOW);
  }

  /** Note that a frame was taken; its credit goes back once the page was drawn. */
  took(): void {
    this.owed += 1;
    if (this.stage.hidden()) {
      this.settle();
    } else if (this.owed === 1) {
      this.asked += 1;
      const mine = this.asked;
      const settle = () => {
        if (mine === this.asked) this.settle();
      };
      this.stage.request(settle);
      this.stage.later(settle, AT_LATEST_MS);
    }
  }

  private settle(): void {
    this.drawn += this.owed;
    this.owed = 0;
    this.asked += 1;
    if (this.drawn < PORTION) return;
    this.give(this.drawn);
    this.drawn = 0;
  }
}
