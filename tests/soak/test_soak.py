"""Load over time: `make soak`, for SOAK_MINUTES each (60 when not said)."""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil
import pytest

from bench.load import Load, Sent
from bench.watching import Span, Watched
from bench.worker import Worker
from tests.support.dashboard_server import DashboardServer
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.raw_viewer import RawViewer
from tests.support.servers import Broker, RedisServer, running
from tests.support.services import BridgeProcess
from tests.support.slow_viewers import RECEIVE_BUFFER, metric

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

MINUTES = float(os.environ.get("SOAK_MINUTES") or 60)
EACH = 50
GROWTH_BYTES = 50_000_000
PADDING = "x" * 1500
# Half of what the page is promised to bear.
RATE = 5000
LOAD = msgspec.json.encode(Load(count=RATE * 10, topics=1000, rate=RATE)).decode()
WARM_UP = 0.25
SLOPE_PER_HOUR = 0.001
# What the allocator's pages make of a process that does not grow.
RESTLESS_BYTES = 1_500_000


class Deaf:
    """Fifty viewers that never read: whoever is cut is replaced."""

    def __init__(self, server: DashboardServer) -> None:
        self._server = server
        self._open: list[tuple[RawViewer, ExitStack]] = []
        self.cut = 0

    def fill(self) -> None:
        """Put new ones in the place of those that were cut."""
        for viewer, closing in [one for one in self._open if one[0].closed()]:
            self.cut += 1
            self._open.remove((viewer, closing))
            closing.close()
        while len(self._open) < EACH:
            closing = ExitStack()
            viewer = RawViewer(self._server, receive_buffer=RECEIVE_BUFFER)
            self._open.append((closing.enter_context(viewer), closing))
            viewer.subscribe("watch/#")

    def close(self) -> None:
        """Close all that are left."""
        for _, closing in self._open:
            closing.close()


def test_g14_fifty_deaf_viewers_cost_fifty_good_ones_nothing(tmp_path: Path) -> None:
    """G14: fifty viewers that never read, replaced when they are cut, beside fifty good ones."""
    with running_stack(tmp_path) as stack, ExitStack() as opened:
        (worker,) = (psutil.Process(pid) for pid in stack.dashboard.children())
        port = str(stack.dashboard.port)
        good = opened.enter_context(Worker("bench.watching", port, str(EACH), "1", "watch/#"))
        piece_s = min(30.0, MINUTES * 4)
        _p99(stack, good, piece_s)
        calm = [_p99(stack, good, piece_s) for _ in range(3)]
        before = peak = worker.memory_info().rss
        deaf = Deaf(stack.dashboard)
        opened.callback(deaf.close)
        beside: list[float] = []
        ends = time.monotonic() + MINUTES * 60 - 4 * piece_s
        while time.monotonic() < ends:
            deaf.fill()
            beside.append(_p99(stack, good, piece_s))
            peak = max(peak, worker.memory_info().rss)
        told = metric(stack.dashboard, "viewers_cut_total").get('reason="not_reading"', 0)
    print(f"p99 alone {calm}, beside {beside}; {told} cut, {(peak - before) / 1e6:.1f} MB more")
    assert peak - before < GROWTH_BYTES
    assert told >= deaf.cut
    assert told > 0 or MINUTES < 1
    # Within a tenth, or within what it was when nobody disturbed.
    assert statistics.median(beside) <= max(1.1 * statistics.median(calm), *calm)


def _p99(stack: Stack, good: Worker, seconds: float) -> float:
    """Write ten small frames a second; return the p99 of the good ones' delays in milliseconds."""
    good.ask(Span(ended=False), Watched)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        text = f"at:{time.monotonic():.6f} {PADDING}"
        stack.bridge.feed.messages(*((f"watch/{number}", text) for number in range(4)))
        time.sleep(0.1)
    got = good.ask(Span(ended=True), Watched)
    assert (got.left_out, got.fewest > 0) == (0, True), got
    return got.p99_ms


@dataclass
class Usage:
    """What a process holds, again and again, from the first measurement that counts on."""

    pid: int
    at: list[float] = field(default_factory=list)
    rss: list[int] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def note(self) -> None:
        """Measure once more."""
        process = psutil.Process(self.pid)
        self.at.append(time.monotonic())
        self.rss.append(process.memory_info().rss)
        self.fds.append(process.num_fds())
        self.threads.append(process.num_threads())

    def growth(self, name: str) -> float:
        """Return how much the line that fits best rises over the measurements."""
        start = int(len(self.at) * WARM_UP)
        at, values = self.at[start:], getattr(self, name)[start:]
        return statistics.linear_regression(at, values).slope * (at[-1] - at[0])

    def course(self) -> list[float]:
        """Return the megabytes at twelve times from the first to the last."""
        step = max(1, len(self.rss) // 12)
        return [
            round(statistics.mean(self.rss[at : at + step]) / 1e6, 2)
            for at in range(0, len(self.rss), step)
        ]

    def allowed(self) -> float:
        """Return the bytes by which memory may seem to have grown."""
        hours = (self.at[-1] - self.at[0]) / 3600
        return RESTLESS_BYTES + SLOPE_PER_HOUR * hours * self.rss[-1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards: hours of log files are nobody's interest."""
    with tempfile.TemporaryDirectory(prefix="soak-") as path:
        yield Path(path)


def test_g23_nothing_grows_under_half_load(folder: Path) -> None:
    """G23: memory, files and threads of bridge and worker stay level at 5,000 messages a second."""
    broker, redis = Broker(folder), RedisServer(folder)
    with ExitStack() as opened:
        opened.enter_context(running(broker, redis))
        bridge = BridgeProcess(folder, broker.port, redis)
        dashboard = DashboardServer(folder, redis.port)
        opened.enter_context(running(bridge, dashboard))
        bridge.wait_ready()
        dashboard.wait_ready()
        opened.enter_context(Worker("bench.watching", str(dashboard.port), "5", "1", "#"))
        (worker,) = dashboard.children()
        usage = {"bridge": Usage(bridge.pid), "worker": Usage(worker)}
        ends = time.monotonic() + MINUTES * 60
        while time.monotonic() < ends:
            with Worker("bench.load", str(broker.port), LOAD) as sender:
                sender.ask("go", Sent)
            for one in usage.values():
                one.note()
        queued = bridge.probe("/metrics")[1]
    for name, one in usage.items():
        told = {what: round(one.growth(what), 1) for what in ("rss", "fds", "threads")}
        print(f"{name}: {told} over {len(one.at)} measurements; MB at times {one.course()}")
        assert told["rss"] <= one.allowed(), name
        assert (told["fds"] < 1, told["threads"] < 1) == (True, True), name
    assert "mqtt_bridge_queued_messages 0.0" in queued
