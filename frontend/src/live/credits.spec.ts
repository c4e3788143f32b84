import { describe, expect, it } from "vitest";
import { Creditor, WINDOW } from "./credits";

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
  it("gives the window to a new connection and forgets what the old one owed", () => {
    const { creditor, given, draw } = stage();
    creditor.open();
    creditor.took();
    creditor.open();
    draw();
    expect(given).toEqual([WINDOW, WINDOW]);
  });

  it("gives back what was drawn, with the next animation frame and only once", () => {
    const { creditor, given, draw, wait } = stage();
    creditor.took();
    creditor.took();
    expect(given).toEqual([]);
    draw();
    wait();
    expect(given).toEqual([2]);
    creditor.took();
    draw();
    expect(given).toEqual([2, 1]);
  });

  it("gives back at once while the page is hidden, also what was not drawn yet", () => {
    const { creditor, given, hide } = stage();
    creditor.took();
    hide();
    expect(given).toEqual([1]);
    creditor.took();
    expect(given).toEqual([1, 1]);
  });

  it("does not stall when the browser draws nothing", () => {
    const { creditor, given, draw, wait } = stage();
    creditor.took();
    wait();
    draw();
    expect(given).toEqual([1]);
  });
});
