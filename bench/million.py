"""The page with the tree of a million topics: opened, scrolled, searched."""

import random
import statistics
import time
import urllib.parse
from typing import Final

import msgspec
from playwright.sync_api import Browser

from bench.browser import Watched, chromium, opened
from bench.load import Load
from bench.whole import Whole, megabytes, p99, publish, serving, whole
from tests.support.servers import wait_for

TOPICS: Final = 1_000_000
ASKED: Final = 300
SCROLL_S: Final = 5.0
SETTLE_S: Final = 5.0


class Million(msgspec.Struct, frozen=True):
    """The tree of very many topics; milliseconds, and megabytes."""

    topics: int
    listed_s: float
    first_rows_ms: float
    scroll_frames_per_s: float
    scroll_longest_ms: float
    search_ms: float
    page_p50_ms: float
    page_p99_ms: float
    heap_mb: float
    bridge_mb: float
    dashboard_mb: float
    redis_mb: float
    renderer_mb: float | None = None


def million(topics: int = TOPICS) -> Million:
    """Fill the index, then open the tree, scroll a level of a hundred thousand, and search."""
    with whole() as system, chromium() as browser:
        return _million(browser, system, topics)


def _million(browser: Browser, system: Whole, topics: int) -> Million:
    began = time.monotonic()
    # As fast as the broker queues without loss on its default limits.
    publish(system, Load(count=topics, topics=topics, rate=25_000))
    wait_for(lambda: _listed(system) >= topics, "all topics are in the index", 120)
    listed_s = time.monotonic() - began
    time.sleep(SETTLE_S)
    delays = _asked(system)
    url = f"{system.dashboard.url}/topics?topic=" + urllib.parse.quote("bench/site3/device3/state")
    with opened(browser, url) as watched:
        watched.page.get_by_role("treeitem").filter(has_text="device").first.wait_for()
        first_rows = watched.probe("firstRow")
        watched.page.get_by_role("treeitem").filter(has_text="device").first.hover()
        watched.forget()
        ends = time.monotonic() + SCROLL_S
        while time.monotonic() < ends:
            watched.page.mouse.wheel(0, 900)
            time.sleep(0.03)
        frames, longest = watched.probe("frames"), watched.probe("longest")
        search_ms = _searched(watched)
        heap, renderer = watched.heap_mb(), watched.renderer_mb()
    delays.sort()
    return Million(
        topics=topics,
        listed_s=listed_s,
        first_rows_ms=first_rows,
        scroll_frames_per_s=frames / SCROLL_S,
        scroll_longest_ms=longest,
        search_ms=search_ms,
        page_p50_ms=statistics.median(delays),
        page_p99_ms=p99(delays),
        heap_mb=heap,
        renderer_mb=renderer,
        bridge_mb=megabytes([system.bridge.pid]),
        dashboard_mb=megabytes(serving(system)),
        redis_mb=megabytes([system.redis.pid]),
    )


def _searched(watched: Watched) -> float:
    box = watched.page.get_by_role("searchbox")
    began = time.monotonic()
    box.fill("device987654")
    watched.page.get_by_role("treeitem").filter(has_text="device987654").first.wait_for()
    return (time.monotonic() - began) * 1000


def _listed(system: Whole) -> int:
    return int(system.dashboard.get("/api/topics?limit=1")[1]["count"] or 0)


def _asked(system: Whole) -> list[float]:
    """Ask for levels and pages all over the tree; return milliseconds."""
    draw = random.Random(1)
    delays = []
    for number in range(ASKED):
        site = draw.randrange(10)
        path = f"/api/topics/levels?parent=bench/site{site}&limit=200"
        if number % 2:
            device = draw.randrange(100_000) * 10 + site
            path += f"&after=device{device}"
        began = time.monotonic()
        status, answer = system.dashboard.get(path)
        delays.append((time.monotonic() - began) * 1000)
        assert status == 200, answer
        assert answer["children"], answer
    return delays
