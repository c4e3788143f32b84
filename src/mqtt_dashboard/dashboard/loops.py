"""A supervised loop: one turn at a time, backs off on errors, never ends before it is told to.

An expected error (`BusError`) makes it wait and try again; an unexpected one is logged with its
traceback and counted, turns readiness red for a while, and the loop goes on.
"""

import random
import threading
from collections.abc import Callable
from typing import Final

from mqtt_dashboard import logs
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.errors import BusError

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
HUNG_AFTER_S: Final = 15.0
RED_FOR_S: Final = 30.0

_log = logs.get(__name__)


class Loop:
    """Turns ``body`` until stopped; a turn must take less than `HUNG_AFTER_S`."""

    def __init__(
        self,
        name: str,
        body: Callable[[], None],
        clock: Clock,
        counters: Counters,
        on_error: Callable[[BusError], None] | None = None,
    ) -> None:
        self.name = name
        self._body = body
        self._clock = clock
        self._counters = counters
        self._on_error = on_error
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._turned_at = clock.monotonic()
        self._failed_at: float | None = None
        self._failures_in_row = 0
        self.waiting_for: str | None = None

    def start(self) -> None:
        """Start turning in a thread (a greenlet under gevent)."""
        self._turned_at = self._clock.monotonic()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end after its turn."""
        self._stopping.set()

    def join(self, timeout: float) -> None:
        """Wait for the end of the last turn."""
        if self._thread is not None:
            self._thread.join(timeout)

    def hung(self) -> bool:
        """Tell whether the loop is dead or has not turned for too long."""
        dead = self._thread is not None and not self._thread.is_alive()
        return dead or self._clock.monotonic() - self._turned_at > HUNG_AFTER_S

    def failed_lately(self) -> bool:
        """Tell whether an unexpected error happened a short while ago."""
        return self._failed_at is not None and self._clock.monotonic() - self._failed_at < RED_FOR_S

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._turned_at = self._clock.monotonic()
            if not self._turn():
                self._stopping.wait(self._pause())

    def _turn(self) -> bool:
        try:
            self._body()
        except BusError as error:
            self._counters.add("redis_errors", self.name)
            if self._failures_in_row == 0:
                _log.warning("loop.waiting", loop=self.name, reason=error.reason)
            self._failures_in_row += 1
            self.waiting_for = error.reason
            if self._on_error is not None:
                self._on_error(error)
            return False
        except Exception:  # noqa: BLE001 - a loop outlives every error, and shows it
            self._failed_at = self._clock.monotonic()
            self._failures_in_row += 1
            self._counters.add("loop_failures", self.name)
            _log.exception("loop.failed", loop=self.name)
            return False
        if self._failures_in_row:
            _log.info("loop.resumed", loop=self.name, failures=self._failures_in_row)
        self._failures_in_row = 0
        self.waiting_for = None
        return True

    def _pause(self) -> float:
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures_in_row, 8))
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads retries, no secret
