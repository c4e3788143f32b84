"""The two clocks: wall time for what people read, monotonic time for every interval."""

import time
from dataclasses import dataclass
from typing import Final, Protocol

DAY_S: Final = 86_400.0


class Clock(Protocol):
    """Passed in wherever time is read, so that tests never sleep."""

    def now(self) -> float:
        """Return seconds since the Unix epoch; may jump."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""


@dataclass(frozen=True)
class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Return seconds since the Unix epoch; may jump."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()


@dataclass
class ManualClock:
    """A clock that moves only when it is told to."""

    wall: float = 1_700_000_000.0
    steady: float = 1_000.0

    def now(self) -> float:
        """Return the set wall time."""
        return self.wall

    def monotonic(self) -> float:
        """Return the set monotonic time."""
        return self.steady

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self.wall += seconds
        self.steady += seconds
