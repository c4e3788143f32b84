"""What was not allowed, in the audit record: one by one while it is little, then counted.

Else whoever may do nothing could push out what others did.
"""

import threading
from collections import Counter
from typing import Final

from mqtt_dashboard.clock import Clock

PER_MINUTE: Final = 60
MINUTE_S: Final = 60.0


class Refusals:
    """How many refusals of each kind this worker wrote down in this minute, and left out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = float("-inf")
        self._written: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def take(self, action: str) -> bool:
        """Tell whether a refusal is to be written down; otherwise it is counted."""
        with self._lock:
            now = self._clock.monotonic()
            if now - self._began >= MINUTE_S:
                self._began = now
                self._written.clear()
            self._written[action] += 1
            if self._written[action] > PER_MINUTE:
                self._left_out[action] += 1
                return False
            return True

    def in_words(self) -> str | None:
        """Return and forget what was left out in a minute that is over; None for nothing."""
        with self._lock:
            if not self._left_out or self._clock.monotonic() - self._began < MINUTE_S:
                return None
            told = ", ".join(f"{count} {action}" for action, count in self._left_out.items())
            self._left_out.clear()
            return told
