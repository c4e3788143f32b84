"""Fair use of what is bounded, such as connections: who asks for many at once waits for a turn.

The dashboard says on whose behalf it asks (`asking`); what its own loops ask is on nobody's behalf
and never waits for visitors, because visitors get only a part of all connections.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from mqtt_dashboard.errors import TooManyAtOnceError

# A user or an address; None is the process itself. Each request and each socket event sets it.
asking: ContextVar[str | None] = ContextVar("asking", default=None)

PATIENCE_S: Final = 2.0


class Shares:
    """At most ``each`` turns at once for one visitor, and ``all_`` for all of them together."""

    def __init__(self, each: int, all_: int, patience_s: float = PATIENCE_S) -> None:
        self._each = each
        self._patience_s = patience_s
        self._all = threading.BoundedSemaphore(all_)
        self._lock = threading.Lock()
        self._turns: dict[str, threading.BoundedSemaphore] = {}
        self._users: dict[str, int] = {}

    def take(self, visitor: str) -> None:
        """Wait for a turn; raise `TooManyAtOnceError` when there is none in time."""
        turns = self._enter(visitor)
        if not turns.acquire(timeout=self._patience_s):
            self._leave(visitor)
            raise TooManyAtOnceError("too many requests of yours at once; wait for their answers")
        if not self._all.acquire(timeout=self._patience_s):
            turns.release()
            self._leave(visitor)
            raise TooManyAtOnceError("too many requests at once; try again in a moment")

    def give(self, visitor: str) -> None:
        """End a turn."""
        with self._lock:
            turns = self._turns[visitor]
        self._all.release()
        turns.release()
        self._leave(visitor)

    @contextmanager
    def turn(self, visitor: str) -> Iterator[None]:
        """Have a turn within this block."""
        self.take(visitor)
        try:
            yield
        finally:
            self.give(visitor)

    def __len__(self) -> int:
        """Return how many visitors have or wait for a turn."""
        return len(self._users)

    def _enter(self, visitor: str) -> threading.BoundedSemaphore:
        with self._lock:
            self._users[visitor] = self._users.get(visitor, 0) + 1
            found = self._turns.get(visitor)
            if found is None:
                found = self._turns[visitor] = threading.BoundedSemaphore(self._each)
            return found

    def _leave(self, visitor: str) -> None:
        with self._lock:
            left = self._users[visitor] - 1
            if left:
                self._users[visitor] = left
            else:
                del self._users[visitor], self._turns[visitor]


@contextmanager
def on_behalf_of(visitor: str | None) -> Iterator[None]:
    """Ask Redis for somebody within this block."""
    before = asking.set(visitor)
    try:
        yield
    finally:
        asking.reset(before)
