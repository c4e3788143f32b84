"""What went wrong inside the bridge and was survived: counted by place, never silent.

Whatever a broker or another writer of Redis sends may be wrong in a way nobody thought of. One
such value must cost one document or one entry, not the process.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from mqtt_dashboard import logs
from mqtt_dashboard.errors import BusError

log = logs.get(__name__)


class Faults:
    """Counts by place; any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, place: str, amount: int = 1) -> None:
        """Count something that could not be used."""
        if amount:
            with self._lock:
                self._counts[place] += amount

    def counts(self) -> dict[str, int]:
        """Return all counts since the start."""
        with self._lock:
            return dict(self._counts)

    @contextmanager
    def survived(self, place: str) -> Iterator[None]:
        """Log and count what nobody expected; an unreachable Redis is the caller's business."""
        try:
            yield
        except BusError:
            raise
        except Exception:
            self.add(place)
            log.exception("bridge.fault", place=place)
