// What the benchmark asks a page: frames drawn, long tasks, and when a marked message arrived and was drawn.

(() => {
  const probe = {
    frames: 0,
    longest: 0,
    long: 0,
    arrived: {},
    drawn: {},
    firstRow: null,
  };
  window.benchProbe = probe;

  const tick = () => {
    probe.frames += 1;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);

  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      probe.long += 1;
      probe.longest = Math.max(probe.longest, entry.duration);
    }
  }).observe({ type: "longtask" });

  const now = () => performance.timeOrigin + performance.now();
  const MARK = /one:\d{6}/g;

  // The page's own listeners come after this one.
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      if (!location.search.includes("one")) return;
      this.addEventListener("message", ({ data }) => {
        if (typeof data !== "string") return;
        for (const mark of data.match(MARK) ?? [])
          probe.arrived[mark] ??= now();
      });
    }
  };

  // Changed rows are looked at after the frame that shows them has been put together.
  const drawn = () => {
    const text = document.querySelector("main")?.textContent ?? "";
    for (const mark of text.match(MARK) ?? []) probe.drawn[mark] ??= now();
  };
  const changed = () => {
    if (probe.firstRow === null && document.querySelector("[role=treeitem]"))
      requestAnimationFrame(() => (probe.firstRow ??= performance.now()));
    if (location.search.includes("one"))
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = drawn;
        channel.port2.postMessage(0);
      });
  };
  const observer = new MutationObserver(changed);
  document.addEventListener("DOMContentLoaded", () => {
    if (location.pathname.includes("topics") || location.search.includes("one"))
      observer.observe(document.body, {
        childList: true,
        subtree: true,
        characterData: true,
      });
  });
})();
