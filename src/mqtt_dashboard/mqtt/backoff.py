"""How long to wait before the next attempt to connect, by what ended the last one."""

import random
from collections.abc import Callable
from typing import Final

from mqtt_dashboard.mqtt.client import Loss

FIRST_SECONDS: Final = 0.2
LONGEST_SECONDS: Final = 30.0
STABLE_SECONDS: Final = 10.0
FINAL_FIRST_SECONDS: Final = 10.0
FINAL_LONGEST_SECONDS: Final = 60.0
TAKEN_FIRST_SECONDS: Final = 30.0
TAKEN_LONGEST_SECONDS: Final = 300.0


class Backoff:
    """Doubling delays; ``jitter`` returns a number from 0 to 1 and spreads a crowd of bridges."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._failures = 0
        self._finals = 0
        self._takeovers = 0

    def after(self, loss: Loss, lived: float | None) -> float:
        """Return the seconds to wait; ``lived`` is how long the connection was open, if it was."""
        if lived is not None:
            self._finals = 0
            if lived >= STABLE_SECONDS:
                self._failures = 0
            # Two bridges that take turns must not keep doing so at the first, short delay.
            if lived >= 2 * self._last_takeover():
                self._takeovers = 0
        if loss.taken_over:
            self._takeovers += 1
            return self._spread(self._last_takeover())
        if loss.final:
            self._finals += 1
            return self._spread(_grown(FINAL_FIRST_SECONDS, self._finals, FINAL_LONGEST_SECONDS))
        self._failures += 1
        return self._spread(_grown(FIRST_SECONDS, self._failures, LONGEST_SECONDS))

    def _last_takeover(self) -> float:
        return _grown(TAKEN_FIRST_SECONDS, max(1, self._takeovers), TAKEN_LONGEST_SECONDS)

    def _spread(self, seconds: float) -> float:
        return seconds * (1 + self._jitter()) / 2


def _grown(first: float, times: int, longest: float) -> float:
    return float(min(first * 2 ** min(times - 1, 20), longest))
