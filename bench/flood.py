"""A page that watches everything in a flood: frames, long tasks, memory, what it got."""

import re
import time
from typing import Final

import msgspec
from playwright.sync_api import Browser

from bench.browser import Watched, chromium, opened
from bench.load import Load, Sent
from bench.whole import Whole, cpu, publish, serving, whole
from bench.worker import Worker

RATE: Final = 10_000
MINUTES: Final = 5
SPAN_S: Final = 60
SETTLE_S: Final = 5.0


class Minute(msgspec.Struct, frozen=True):
    """One minute of the flood; CPU in percent of one core, memory after collecting garbage."""

    frames_per_s: float
    longest_ms: float
    long_tasks: int
    heap_mb: float
    browser_cpu: float
    bridge_cpu: float
    dashboard_cpu: float


class Flood(msgspec.Struct, frozen=True):
    """Everything published, watched on `#`; what the page says it got and left out."""

    rate: int
    minutes: list[Minute]
    published: int
    received: int
    skipped: int


def flood(minutes: int = MINUTES) -> Flood:
    """Watch `#` while everything comes; garbage is collected between the minutes only."""
    with whole() as system, chromium() as browser:
        return _flood(browser, system, minutes)


def _flood(browser: Browser, system: Whole, minutes: int) -> Flood:
    spans: list[Minute] = []
    load = Load(count=RATE * SPAN_S, rate=RATE)
    with opened(browser, f"{system.dashboard.url}/monitor?f=%23") as watched:
        watched.page.get_by_role("list", name="Watched filters").wait_for()
        time.sleep(SETTLE_S)
        before = _accounts(watched)
        publish(system, Load(count=RATE * 2, rate=RATE))
        for number in range(minutes):
            spans.append(_minute(watched, system, load))
            print(f"minute {number + 1} of the flood: {spans[-1]}", flush=True)
        published = RATE * 2 + load.count * minutes
        time.sleep(SETTLE_S)
        received, skipped = (
            now - then for now, then in zip(_accounts(watched), before, strict=True)
        )
    return Flood(RATE, spans, published, received, skipped)


def _minute(watched: Watched, system: Whole, load: Load) -> Minute:
    groups = [system.bridge.pid], serving(system)
    document = msgspec.json.encode(load).decode()
    with Worker("bench.load", str(system.broker.port), document) as sender:
        watched.forget()
        before, browser_s = [cpu(pids) for pids in groups], watched.cpu_s()
        began = time.monotonic()
        sender.ask("go", Sent)
        took = time.monotonic() - began
        frames, longest = watched.probe("frames"), watched.probe("longest")
        long = watched.probe("long")
        spent = [cpu(pids) - used for pids, used in zip(groups, before, strict=True)]
        browser_s = watched.cpu_s() - browser_s
    share = 100 / took
    return Minute(
        frames_per_s=frames / took,
        longest_ms=longest,
        long_tasks=long,
        heap_mb=watched.heap_mb(),
        browser_cpu=browser_s * share,
        bridge_cpu=spent[0] * share,
        dashboard_cpu=spent[1] * share,
    )


def _accounts(watched: Watched) -> tuple[int, int]:
    """Return what the page's own footer says: received, and skipped."""
    text = watched.page.locator("main footer").first.inner_text()
    numbers = [int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", text)]
    return numbers[0], numbers[-1]
