"""G14: viewers that do not read or give no credit cost little, harm nobody and are cut."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.dashboard_server import BeatingBridge, DashboardServer, Viewer
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.raw_viewer import PONG, RawViewer
from tests.support.servers import wait_for

PATIENCE_S = 3
TOPICS = 20
PADDING = "x" * 1500
GROWTH_BYTES = 50_000_000
CREDITS = 5
# What the scheduler of a busy machine may add; a viewer that is held up by others waits seconds.
NOISE_S = 0.15


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Run a stack whose dashboard is impatient."""
    with running_stack(tmp_path, VIEWER_PATIENCE_S=str(PATIENCE_S)) as running_one:
        yield running_one


class GoodViewer(Viewer):
    """Gives credit for each frame and notes how long each message took."""

    def __init__(self, server: DashboardServer) -> None:
        super().__init__(server)
        self.delays: list[float] = []
        self.count = 0
        self.missed = 0
        self.client.on("mqtt_messages", self._take)
        self.client.emit("credit", {"frames": 6})
        assert self.subscribe("big/#")["ok"]

    def _take(self, frame: Any) -> None:
        now = time.time()
        self.client.emit("credit", {"frames": 1})
        if not frame["replay"]:
            self.count += 1
            self.missed += frame["dropped"] + frame["conflated"]
            self.delays += [now - float(one["payload"].split()[0]) for one in frame["messages"]]

    def take_figures(self) -> "Figures":
        """Return the figures since the last time."""
        delays, self.delays = sorted(self.delays), []
        count, self.count = self.count, 0
        return Figures(count, delays[int(len(delays) * 0.99)])


@dataclass
class Figures:
    """What one good viewer got in a while."""

    frames: int
    p99_s: float


class Pump:
    """Writes messages with the time of their writing until it is stopped."""

    def __init__(self, bridge: BeatingBridge) -> None:
        self._feed = bridge.feed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pump")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_details: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self._feed.messages(
                *((f"big/{number}", f"{time.time()} {PADDING}") for number in range(TOPICS))
            )


def keep_answering(viewer: RawViewer, stop: threading.Event) -> None:
    """Answer pings that were never read, as a client does that ignores all else."""
    while not stop.wait(0.5):
        try:
            viewer.send(PONG)
        except OSError:
            return


def bad_and_good(stack: Stack, calm_s: float, bad_s: float, patience_s: float) -> None:
    """Three good viewers alone, then beside three bad ones."""
    (worker,) = (psutil.Process(pid) for pid in stack.dashboard.children())
    stop = threading.Event()
    with ExitStack() as open_ones:
        good = [GoodViewer(stack.dashboard) for _ in range(3)]
        for one in good:
            open_ones.callback(one.close)
        open_ones.enter_context(Pump(stack.bridge))
        wait_for(lambda: all(one.count > 20 for one in good), "the good ones are warm")
        _ = [one.take_figures() for one in good]
        time.sleep(calm_s)
        alone = [one.take_figures() for one in good]
        before = worker.memory_info().rss
        deaf, greedy, silent = bad = [
            open_ones.enter_context(RawViewer(stack.dashboard, receive_buffer=8192)),
            open_ones.enter_context(RawViewer(stack.dashboard, receive_buffer=8192)),
            open_ones.enter_context(RawViewer(stack.dashboard)),
        ]
        open_ones.callback(stop.set)
        threading.Thread(target=keep_answering, args=(greedy, stop), daemon=True).start()
        silent.read()
        silent.send(f'42["credit",{{"frames":{CREDITS}}}]')
        for viewer in bad:
            viewer.subscribe("big/#")
        began = time.monotonic()
        wait_for(lambda: all(viewer.closed() for viewer in bad), "the bad are cut", patience_s + 15)
        assert time.monotonic() - began >= patience_s - 1
        rest = bad_s - (time.monotonic() - began)
        peak = worker.memory_info().rss
        time.sleep(max(0.0, rest))
        beside = [one.take_figures() for one in good]
        took = time.monotonic() - began
    assert silent.frames() == CREDITS
    assert not deaf.texts
    assert peak - before < GROWTH_BYTES
    for calm, disturbed in zip(alone, beside, strict=True):
        assert disturbed.frames / took > 0.9 * calm.frames / calm_s
        assert disturbed.p99_s < 1.1 * calm.p99_s + NOISE_S
    assert sum(one.missed for one in good) == 0
    cut = metric(stack.dashboard, "viewers_cut_total")
    assert (cut['reason="not_reading"'], cut['reason="no_credit"']) == (2, 1)


@pytest.mark.chaos
def test_g14_bad_viewers_are_cut_and_good_ones_keep_their_rate(stack: Stack) -> None:
    """G14: deaf, blindly answering and creditless viewers beside three good ones, in short."""
    bad_and_good(stack, calm_s=4, bad_s=8, patience_s=PATIENCE_S)


@pytest.mark.chaos
@pytest.mark.timeout(200)
def test_g14_in_full(tmp_path: Path) -> None:
    """G14: the same for a minute, with the patience of twenty seconds that is the default."""
    with running_stack(tmp_path) as stack:
        bad_and_good(stack, calm_s=20, bad_s=60, patience_s=20)


def test_p69_what_a_slow_viewer_may_hold_is_bounded_and_counted(stack: Stack) -> None:
    """P69: a deaf viewer under large messages of ever new topics: counted losses, little memory."""
    (worker,) = (psutil.Process(pid) for pid in stack.dashboard.children())
    before = worker.memory_info().rss
    peak, number, payload = before, 0, os.urandom(6000)
    began = time.monotonic()
    with RawViewer(stack.dashboard, receive_buffer=8192) as deaf:
        deaf.subscribe("big/#")
        while not deaf.closed():
            stack.bridge.feed.messages(*((f"big/{number + one}", payload) for one in range(50)))
            number += 50
            peak = max(peak, worker.memory_info().rss)
            assert time.monotonic() - began < 5 * PATIENCE_S, "it is never cut"
            time.sleep(0.02)
    assert peak - before < GROWTH_BYTES
    assert metric(stack.dashboard, "viewer_messages_dropped_total")['reason="slow"'] > 500
    wait_for(lambda: metric(stack.dashboard, "viewers") == {"": 0}, "it is forgotten")
    matched = sum(metric(stack.dashboard, "viewer_messages_matched_total").values())
    assert matched == sum(
        sum(metric(stack.dashboard, f"viewer_messages_{name}").values())
        for name in ("sent_total", "conflated_total", "dropped_total", "buffered")
    )


def test_a_client_that_asks_and_never_reads_the_answers_is_cut(stack: Stack) -> None:
    """Answers cannot be left out, so whoever lets them pile up is disconnected."""
    (worker,) = (psutil.Process(pid) for pid in stack.dashboard.children())
    before = worker.memory_info().rss
    with RawViewer(stack.dashboard, receive_buffer=4096) as viewer:
        asked = 0
        try:
            while not viewer.closed():
                viewer.subscribe("a/#/wrong" + "x" * 60, request=asked % 10)
                asked += 1
                assert asked < 200_000
                assert asked % 1000 or stack.dashboard.get("/healthz")[0] == 200
        except OSError:
            pass  # cut while it was sending
        wait_for(viewer.closed, "it is cut")
    assert worker.memory_info().rss - before < GROWTH_BYTES
    assert metric(stack.dashboard, "viewers_cut_total")


def metric(server: DashboardServer, name: str) -> dict[str, float]:
    """Return a counter's values by labels."""
    text = server.request("GET", "/metrics")[1].decode()
    found: dict[str, float] = {}
    for line in text.splitlines():
        full, _, value = line.partition(" ")
        title, _, labels = full.partition("{")
        if title == f"mqtt_dashboard_{name}":
            found[labels.removesuffix("}")] = float(value)
    return found
