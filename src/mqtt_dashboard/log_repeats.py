"""Log lines that repeat: a few at once, then one now and then that says how many were left out.

An outage or a hostile publisher can cause the same event thousands of times a second. Left out is
the line, never the count.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

# So many lines of one event come at once; then one for each of these seconds.
BURST: Final = 10
SPACING_S: Final = 10.0
MAX_EVENTS: Final = 1000


class Event(NamedTuple):
    """What makes two lines the same: who logs, how grave it is, and the event; not its details."""

    logger: str
    level: str
    name: str


class _State:
    __slots__ = ("at", "left_out", "tokens", "waits")

    def __init__(self, now: float) -> None:
        self.tokens = float(BURST)
        self.at = now
        self.left_out = 0
        self.waits = False


class Repeats:
    """Decides about each line; any thread may ask.

    ``tell`` writes a line about what was left out when no further line of the event does.
    """

    def __init__(
        self,
        tell: Callable[[Event, int], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._states: OrderedDict[Event, _State] = OrderedDict()

    def ask(self, event: Event) -> int | None:
        """Return None to leave a line out, else how many were left out before it."""
        forgotten: tuple[Event, int] | None = None
        with self._lock:
            now = self._monotonic()
            state = self._states.get(event)
            if state is None:
                forgotten = self._make_room()
                state = self._states[event] = _State(now)
            self._states.move_to_end(event)
            state.tokens = min(BURST, state.tokens + (now - state.at) / SPACING_S)
            state.at = now
            answer: int | None = None
            if state.tokens >= 1:
                state.tokens -= 1
                answer, state.left_out = state.left_out, 0
            else:
                state.left_out += 1
                if not state.waits:
                    state.waits = True
                    self._later(event)
        if forgotten is not None:
            self._tell(*forgotten)
        return answer

    def tell_all(self) -> None:
        """Say now what was left out and not said yet; for the end of the process."""
        with self._lock:
            events = list(self._states)
        for event in events:
            self._say(event)

    def _later(self, event: Event) -> None:
        timer = threading.Timer(SPACING_S, self._say, [event])
        timer.daemon = True
        timer.start()

    def _say(self, event: Event) -> None:
        with self._lock:
            state = self._states.get(event)
            if state is None:
                return
            state.waits = False
            left_out, state.left_out = state.left_out, 0
            if left_out:
                state.tokens -= 1  # this line counts, too
        if left_out:
            self._tell(event, left_out)

    def _make_room(self) -> tuple[Event, int] | None:
        if len(self._states) < MAX_EVENTS:
            return None
        event, state = self._states.popitem(last=False)
        return (event, state.left_out) if state.left_out else None
