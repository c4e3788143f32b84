import { describe, expect, it } from "vitest";
import { Creditor, PORTION, WINDOW } from "./credits";

function stage() {
  const given: number[] = [];
  let drawn: (() => void)[] = [];
  let timers: (() => void)[] = [];
  let hide = () => {};
  const page = { hidden: false };
  const creditor = new Creditor((frames) => given.push(frames), {
    hidden: () => page.hidden,
    onHidden: (run) => {
      hide = run;
    },
    request: (run) => drawn.push(run),
    later: (run) => timers.push(run),
  });
  const run = (list: (() => void)[]) => {
    for (const one of list) one();
  };
  return {
    creditor,
    given,
    draw: () => {
      const now = drawn;
      drawn = [];
      run(now);
    },
    wait: () => {
      const now = timers;
      timers = [];
      run(now);
    },
    hide: () => {
      page.hidden = true;
      hide();
    },
  };
}

describe("Creditor", () => {
  const take = (creditor: Creditor, frames: number) => {
    for (let n = 0; n < frames; n += 1) creditor.took();
  };

  it("gives the window to a new connection and forgets what the old one owed", () => {
    const { creditor, given, draw } = stage();
    creditor.open();
    take(creditor, PORTION);
    creditor.open();
    draw();
    expect(given).toEqual([WINDOW, WINDOW]);
  });

  it("gives back what was drawn, with an animation frame and only once", () => {
    const { creditor, given, draw, wait } = stage();
    take(creditor, PORTION);
    expect(given).toEqual([]);
    draw();
    wait();
    expect(given).toEqual([PORTION]);
  });

  it("gives back in portions, and never lets all of the window be used up", () => {
    const { creditor, given, draw } = stage();
    for (let n = 1; n < PORTION; n += 1) {
      creditor.took();
      draw();
    }
    expect(given).toEqual([]);
    expect(WINDOW - PORTION).toBeGreaterThan(0);
    take(creditor, 2);
    draw();
    expect(given).toEqual([PORTION + 1]);
  });

  it("gives back at once while the page is hidden, also what was not drawn yet", () => {
    const { creditor, given, hide } = stage();
    take(creditor, PORTION);
    hide();
    expect(given).toEqual([PORTION]);
    take(creditor, PORTION);
    expect(given).toEqual([PORTION, PORTION]);
  });

  it("does not stall when the browser draws nothing", () => {
    const { creditor, given, draw, wait } = stage();
    take(creditor, PORTION);
    wait();
    draw();
    expect(given).toEqual([PORTION]);
  });
});
