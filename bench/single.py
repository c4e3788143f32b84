"""One message at a time on an idle system, to the page; and the dashboard when nobody looks."""

import socket
import statistics
import time
from typing import Final

import msgspec
from playwright.sync_api import Browser

from bench.browser import chromium, opened
from bench.load import connect
from bench.measure import Idle
from bench.process import cpu_of, rss_of
from bench.whole import Whole, p99, whole

SINGLES: Final = 200
# Longer than the slowest of them takes, so that each finds an idle system.
APART_S: Final = 0.12
WORKER: Final = "mqtt-dashboard"
MASTER: Final = "mqtt-dashboard, gunicorn's master"
RESTING_S: Final = 10.0
SETTLE_S: Final = 5.0


class Single(msgspec.Struct, frozen=True):
    """One message on an idle system, from handing it to the socket; milliseconds."""

    messages: int
    seen: int
    event_p50_ms: float
    event_p99_ms: float
    drawn_p50_ms: float
    drawn_p99_ms: float


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
        event_p99_ms=p99(events),
        drawn_p50_ms=statistics.median(pixels),
        drawn_p99_ms=p99(pixels),
    )


def _send_one(link: socket.socket, topic: str, payload: str) -> None:
    body = len(topic).to_bytes(2) + topic.encode() + payload.encode()
    link.sendall(bytes([0x30, len(body)]) + body)


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
