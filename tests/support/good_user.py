"""Somebody who uses the dashboard all the time, and a look at what its worker weighs meanwhile."""

import itertools
import threading
import time
from typing import Self

import psutil

from tests.support.dashboard_stack import Stack
from tests.support.servers import wait_for
from tests.support.visitors import Visitor

# A good request or message takes longer than this only when somebody else is served instead.
PATIENCE_S = 2.0


class GoodUser:
    """Watches, and asks over HTTP, all the time; notes the longest it had to wait."""

    def __init__(self, stack: Stack, token: str | None = None) -> None:
        self._stack = stack
        self._visitor = Visitor(stack.dashboard, token)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="good user")
        self.waits: list[float] = []
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        self._visitor.connect()
        assert self._visitor.call("subscribe", {"filter": "good/#"})["ok"]
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._stop.set()
        self._thread.join()
        self._visitor.close()

    def _run(self) -> None:
        for number in itertools.count():
            if self._stop.wait(0.05):
                return
            before = time.monotonic()
            try:
                self._stack.bridge.feed.messages(("good/1", str(number)))
                self._wait(str(number))
                if self._visitor.get("/api/topics")[0] != 200:
                    self.problems.append("not 200")
            except (AssertionError, OSError) as error:
                self.problems.append(repr(error))
            self.waits.append(time.monotonic() - before)

    def _wait(self, payload: str) -> None:
        def seen() -> bool:
            frames = self._visitor.named("mqtt_messages")[-5:]
            return any(one["payload"] == payload for frame in frames for one in frame["messages"])

        wait_for(seen, f"message {payload} is there", 10)

    def check(self) -> None:
        """Fail unless everything was served, and soon."""
        assert self.problems == []
        assert len(self.waits) > 3
        assert sorted(self.waits)[int(len(self.waits) * 0.95)] < PATIENCE_S


class Peak:
    """Watches the worker's memory until it is left."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peak")
        self.start = process.memory_info().rss
        self.most = self.start

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        """Return the bytes the worker grew by at most."""
        return self.most - self.start

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            self.most = max(self.most, self._process.memory_info().rss)
