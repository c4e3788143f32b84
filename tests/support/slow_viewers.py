"""Viewers that do not read, those that do, and messages for both: what G14 is about."""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from socketio.exceptions import BadNamespaceError
from tests.support.dashboard_server import BeatingBridge, DashboardServer, Viewer
from tests.support.raw_viewer import PONG, RawViewer

TOPICS = 20
PADDING = "x" * 1500
FILTER = "big/#"
CREDITS = 5
# Small, so that it is soon full.
RECEIVE_BUFFER = 8192


class GoodViewer(Viewer):
    """Gives credit for each frame and notes what it got and how long each message took."""

    def __init__(self, server: DashboardServer) -> None:
        super().__init__(server)
        self.numbers: list[int] = []
        self.missed = 0
        self.forget()
        self.client.on("mqtt_messages", self._take)
        self.client.emit("credit", {"frames": 6})
        assert self.subscribe(FILTER)["ok"]

    def forget(self) -> None:
        """Count frames and times from now on."""
        self.delays: list[float] = []
        self.count = 0
        self.since = time.monotonic()

    def _take(self, frame: Any) -> None:
        now = time.time()
        with contextlib.suppress(BadNamespaceError):  # closed meanwhile
            self.client.emit("credit", {"frames": 1})
        if not frame["replay"]:
            self.count += 1
            self.missed += frame["dropped"] + frame["conflated"]
            for one in frame["messages"]:
                at, number, _ = one["payload"].split()
                self.delays.append(now - float(at))
                self.numbers.append(int(number))

    def take_figures(self) -> "Figures":
        """Return the figures since they were forgotten, and forget them."""
        delays, count = sorted(self.delays), self.count
        took = time.monotonic() - self.since
        self.forget()
        return Figures(count / took, delays[int(len(delays) * 0.99)])


@dataclass
class Figures:
    """What one good viewer got in a while."""

    frames_per_s: float
    p99_s: float


class Writer:
    """Writes batches of numbered messages, each with the time of its writing."""

    def __init__(self, bridge: BeatingBridge) -> None:
        self._feed = bridge.feed
        self.written = 0

    def write(self) -> None:
        """Write one batch."""
        texts = []
        for topic in range(TOPICS):
            texts.append((f"big/{topic}", f"{time.time()} {self.written} {PADDING}"))
            self.written += 1
        self._feed.messages(*texts)

    @contextmanager
    def steadily(self) -> Iterator[None]:
        """Write twenty batches a second meanwhile."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(0.05):
                self.write()

        thread = threading.Thread(target=run, name="writer")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@dataclass
class BadViewers:
    """One that is deaf, one that only answers pings, and one that stops giving credit."""

    deaf: RawViewer
    greedy: RawViewer
    silent: RawViewer

    @property
    def all(self) -> tuple[RawViewer, ...]:
        """Return the three of them."""
        return self.deaf, self.greedy, self.silent

    def closed(self) -> bool:
        """Tell whether all are cut."""
        return all(one.closed() for one in self.all)


@contextmanager
def bad_viewers(server: DashboardServer) -> Iterator[BadViewers]:
    """Connect the three and let them watch."""
    stop = threading.Event()
    with ExitStack() as opened:
        deaf = opened.enter_context(RawViewer(server, receive_buffer=RECEIVE_BUFFER))
        greedy = opened.enter_context(RawViewer(server, receive_buffer=RECEIVE_BUFFER))
        silent = opened.enter_context(RawViewer(server))
        opened.callback(stop.set)
        threading.Thread(target=keep_answering, args=(greedy, stop), daemon=True).start()
        silent.read()
        silent.send(f'42["credit",{{"frames":{CREDITS}}}]')
        bad = BadViewers(deaf, greedy, silent)
        for one in bad.all:
            one.subscribe(FILTER)
        yield bad


def keep_answering(viewer: RawViewer, stop: threading.Event) -> None:
    """Answer pings that were never read, as a client does that ignores all else."""
    while not stop.wait(0.5):
        try:
            viewer.send(PONG)
        except OSError:
            return


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
