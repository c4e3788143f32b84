"""Counters that several threads add to and another reads."""

import threading
from collections import Counter


class Counts:
    """How often what happened, by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str) -> None:
        """Count one more."""
        with self._lock:
            self._counts[name] += 1

    def all(self) -> Counter[str]:
        """Return a copy, which nobody changes while it is read."""
        with self._lock:
            return self._counts.copy()
