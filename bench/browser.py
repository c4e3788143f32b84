"""Chromium with a page that counts its frames, long tasks and memory."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.process import rss_of

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--enable-precise-memory-info",
)
PROBE: Final = Path(__file__).with_name("probe.js")


class Watched:
    """An open page and what its probe has seen."""

    def __init__(self, page: Page, browser: Browser) -> None:
        self.page = page
        self._tools: CDPSession = page.context.new_cdp_session(page)
        self._whole: CDPSession = browser.new_browser_cdp_session()

    def probe(self, name: str) -> Any:
        """Return one of the probe's values."""
        return self.page.evaluate("(name) => window.benchProbe[name]", name)

    def forget(self) -> None:
        """Begin to count again."""
        self.page.evaluate("Object.assign(window.benchProbe, { frames: 0, longest: 0, long: 0 })")

    def heap_mb(self) -> float:
        """Return what the page's scripts hold after everything unreachable was thrown away."""
        self._tools.send("HeapProfiler.collectGarbage")
        return float(self._tools.send("Runtime.getHeapUsage")["usedSize"]) / 1e6

    def renderer_mb(self) -> float:
        """Return what the page's process has in memory, with what it shares with the browser."""
        return max(rss_of(one["id"]) for one in self._processes("renderer")) / 1e6

    def _processes(self, kind: str = "") -> list[Any]:
        told = self._whole.send("SystemInfo.getProcessInfo")["processInfo"]
        return [one for one in told if kind in one["type"]]

    def cpu_s(self) -> float:
        """Return the seconds of CPU that all processes of the browser have used."""
        return float(sum(one["cpuTime"] for one in self._processes()))


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run one Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "Chromium is missing; `make bench` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Watched]:
    """Open a page with the probe in it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    context.add_init_script(path=PROBE)
    page = context.new_page()
    try:
        page.goto(url)
        yield Watched(page, browser)
    finally:
        context.close()
