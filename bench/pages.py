"""The page in a real browser: a flood on `#`, a million topics, and one message on an idle system.

python -m bench.pages [--parts flood,topics,idle] [--minutes 5]    # this part alone
"""

import argparse
import contextlib
import random
import re
import shutil
import socket
import statistics
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from playwright.sync_api import Browser

from bench.browser import Watched, chromium, opened
from bench.load import Load, Sent, connect
from bench.measure import Idle
from bench.process import cpu_of, rss_of
from bench.worker import Worker
from tests.support.dashboard_server import DashboardServer
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess

RATE: Final = 10_000
MINUTES: Final = 5
SPAN_S: Final = 60
SETTLE_S: Final = 5.0
TOPICS: Final = 1_000_000
ASKED: Final = 300
SCROLL_S: Final = 5.0
SINGLES: Final = 200
WORKER: Final = "mqtt-dashboard"
MASTER: Final = "mqtt-dashboard, gunicorn's master"
RESTING_S: Final = 10.0
# Longer than the slowest of them takes, so that each finds an idle system.
APART_S: Final = 0.12


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


class Single(msgspec.Struct, frozen=True):
    """One message on an idle system, from handing it to the socket; milliseconds."""

    messages: int
    seen: int
    event_p50_ms: float
    event_p99_ms: float
    drawn_p50_ms: float
    drawn_p99_ms: float


@dataclass
class Whole:
    """Every process of a running system."""

    broker: Broker
    redis: RedisServer
    bridge: BridgeProcess
    dashboard: DashboardServer


@contextlib.contextmanager
def whole() -> Iterator[Whole]:
    """Run a fresh system with default settings."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        broker, redis = Broker(folder), RedisServer(folder)
        with running(broker, redis):
            bridge = BridgeProcess(folder, broker.port, redis)
            dashboard = DashboardServer(folder, redis.port)
            with running(bridge, dashboard):
                bridge.wait_ready()
                dashboard.wait_ready()
                yield Whole(broker, redis, bridge, dashboard)
    finally:
        shutil.rmtree(folder)


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
        _publish(system, Load(count=RATE * 2, rate=RATE))
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
    groups = [system.bridge.pid], _serving(system)
    document = msgspec.json.encode(load).decode()
    with Worker("bench.load", str(system.broker.port), document) as sender:
        watched.forget()
        before, browser_s = [_cpu(pids) for pids in groups], watched.cpu_s()
        began = time.monotonic()
        sender.ask("go", Sent)
        took = time.monotonic() - began
        frames, longest = watched.probe("frames"), watched.probe("longest")
        long = watched.probe("long")
        spent = [_cpu(pids) - used for pids, used in zip(groups, before, strict=True)]
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


def _publish(system: Whole, load: Load) -> None:
    with Worker(
        "bench.load", str(system.broker.port), msgspec.json.encode(load).decode()
    ) as sender:
        sender.ask("go", Sent)


def million(topics: int = TOPICS) -> Million:
    """Fill the index, then open the tree, scroll a level of a hundred thousand, and search."""
    with whole() as system, chromium() as browser:
        return _million(browser, system, topics)


def _million(browser: Browser, system: Whole, topics: int) -> Million:
    began = time.monotonic()
    # As fast as the broker queues without loss on its default limits.
    _publish(system, Load(count=topics, topics=topics, rate=25_000))
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
        heap = watched.heap_mb()
    delays.sort()
    return Million(
        topics=topics,
        listed_s=listed_s,
        first_rows_ms=first_rows,
        scroll_frames_per_s=frames / SCROLL_S,
        scroll_longest_ms=longest,
        search_ms=search_ms,
        page_p50_ms=statistics.median(delays),
        page_p99_ms=_p99(delays),
        heap_mb=heap,
        bridge_mb=_mb([system.bridge.pid]),
        dashboard_mb=_mb(_serving(system)),
        redis_mb=_mb([system.redis.pid]),
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


def single() -> Single:
    """Publish one message after another, each into silence."""
    with whole() as system, chromium() as browser:
        return _single(browser, system)


def _single(browser: Browser, system: Whole) -> Single:
    sent: dict[str, float] = {}
    with (
        opened(browser, f"{system.dashboard.url}/monitor?f=one%2F%2B") as watched,
        connect(system.broker.port) as link,
    ):
        watched.page.get_by_role("list", name="Watched filters").wait_for()
        time.sleep(SETTLE_S)
        for number in range(SINGLES):
            mark = f"one:{number:06d}"
            sent[mark] = time.time() * 1000
            _send_one(link, f"one/{number % 10}", mark)
            time.sleep(APART_S)
        time.sleep(1)
        arrived, drawn = watched.probe("arrived"), watched.probe("drawn")
    events = sorted(arrived[mark] - at for mark, at in sent.items() if mark in arrived)
    pixels = sorted(drawn[mark] - at for mark, at in sent.items() if mark in drawn)
    return Single(
        messages=SINGLES,
        seen=len(pixels),
        event_p50_ms=statistics.median(events),
        event_p99_ms=_p99(events),
        drawn_p50_ms=statistics.median(pixels),
        drawn_p99_ms=_p99(pixels),
    )


def _send_one(link: socket.socket, topic: str, payload: str) -> None:
    body = len(topic).to_bytes(2) + topic.encode() + payload.encode()
    link.sendall(bytes([0x30, len(body)]) + body)


def _p99(ordered: Sequence[float]) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def resting() -> list[Idle]:
    """Watch the dashboard while nothing happens and nobody looks: its worker and its master."""
    with whole() as system:
        (worker,) = system.dashboard.children()
        pids = {WORKER: worker, MASTER: system.dashboard.pid}
        time.sleep(SETTLE_S)
        before = {name: cpu_of(pid) for name, pid in pids.items()}
        began = time.monotonic()
        time.sleep(RESTING_S)
        share = 100 / (time.monotonic() - began)
        return [
            Idle(name, (cpu_of(pid) - before[name]) * share, rss_of(pid) / 1e6)
            for name, pid in pids.items()
        ]


def _serving(system: Whole) -> list[int]:
    return [system.dashboard.pid, *system.dashboard.children()]


def _cpu(pids: Iterable[int]) -> float:
    return sum(map(cpu_of, pids))


def _mb(pids: Iterable[int]) -> float:
    return sum(map(rss_of, pids)) / 1e6


PARTS: Final[dict[str, Callable[[], Flood | Million | Single]]] = {
    "flood": flood,
    "topics": million,
    "idle": single,
}


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure")
    parser.add_argument("--minutes", type=int, default=MINUTES, help="how long the flood lasts")
    given = parser.parse_args()
    for part in given.parts.split(","):
        found = flood(given.minutes) if part == "flood" else PARTS[part]()
        print(msgspec.json.format(msgspec.json.encode(found)).decode())


if __name__ == "__main__":
    main()
