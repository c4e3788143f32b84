"""Threads that are watched: each loop reports every turn, and a dead or stuck one is seen (P43)."""

import threading
from collections.abc import Callable

from mqtt_dashboard import logs
from mqtt_dashboard.clock import Clock

log = logs.get(__name__)


class Loop:
    """Run ``turn`` again and again on a thread of its own until asked to stop.

    ``turn`` gets a function that sleeps up to a number of seconds and returns True when the loop
    must end. An exception ends the loop; the owner sees it through `problem` and ends the process.
    A turn that takes long by nature calls `beat` meanwhile. ``finish`` runs on the loop's own
    thread at its end.
    """

    def __init__(
        self,
        name: str,
        turn: Callable[[Callable[[float], bool]], None],
        clock: Clock,
        *,
        stuck_after: float = 30.0,
        finish: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self._turn = turn
        self._clock = clock
        self._stuck_after = stuck_after
        self._finish = finish
        self._stop = threading.Event()
        self._beaten = clock.monotonic()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end; returns at once."""
        self._stop.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the loop; return whether it came."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def wait(self, seconds: float) -> bool:
        """Sleep, but wake up at once when asked to stop; return whether to stop."""
        self.beat()
        return self._stop.wait(seconds)

    def beat(self) -> None:
        """Show that the loop goes on."""
        self._beaten = self._clock.monotonic()

    def problem(self) -> str | None:
        """Return what is wrong with the loop, or None."""
        if self._error is not None:
            return f"{self.name} died: {self._error!r}"
        if self._thread.ident is not None and not self._thread.is_alive():
            return None if self._stop.is_set() else f"{self.name} ended by itself"
        silent = self._clock.monotonic() - self._beaten
        if self._thread.is_alive() and silent > self._stuck_after:
            return f"{self.name} made no turn for {silent:.0f} s"
        return None

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.beat()
                self._turn(self.wait)
            if self._finish is not None:
                self._finish()
        except BaseException as error:
            self._error = error
            log.exception("loop.died", loop=self.name)
