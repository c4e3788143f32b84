"""Counts of one worker: what went through, what was left out and why, what failed."""

import threading
from collections import defaultdict


class Counters:
    """Named counts with a reason each; may be raised from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], int] = defaultdict(int)

    def add(self, name: str, reason: str = "", amount: int = 1) -> None:
        """Raise a count."""
        if amount:
            with self._lock:
                self._values[name, reason] += amount

    def get(self, name: str, reason: str = "") -> int:
        """Return one count."""
        return self._values.get((name, reason), 0)

    def snapshot(self) -> dict[tuple[str, str], int]:
        """Return all counts by name and reason."""
        with self._lock:
            return dict(self._values)
