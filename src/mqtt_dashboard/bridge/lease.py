"""Which bridge is the active one: a lease in Redis whose epoch fences every write.

The holder renews it each second; a standby tries as often and connects to nothing until it gets
it. While Redis is away nobody can take the lease, so the holder keeps its MQTT session and only
stops executing commands once its lease may have run out.
"""

import threading
from typing import Final

from mqtt_dashboard.bus.bridge_store import LEASE_TTL_MS, BridgeStore
from mqtt_dashboard.clock import Clock

# Past this share of the lease without a renewal the holder no longer acts on it (P41).
SAFE_SHARE: Final = 0.6


class Lease:
    """The right to be the one MQTT client, as this process knows it."""

    def __init__(self, store: BridgeStore, instance: str, clock: Clock) -> None:
        self._store = store
        self.instance = instance
        self._clock = clock
        self._lock = threading.Lock()
        self._epoch = 0
        self._renewed = float("-inf")
        self._beat = self._confirmed = 0

    @property
    def epoch(self) -> int:
        """The epoch held, 0 when another bridge holds the lease or none was taken yet."""
        return self._epoch

    @property
    def held(self) -> bool:
        """Whether this bridge was the holder when Redis last answered."""
        return self._epoch != 0

    @property
    def safe(self) -> bool:
        """Whether the lease is held for certain, by the monotonic clock."""
        age = self._clock.monotonic() - self._renewed
        return self.held and age < LEASE_TTL_MS / 1000 * SAFE_SHARE

    def renew(self, status: bytes = b"") -> bool:
        """Take or keep the lease; return True when a new reign began. Raise `BusError`."""
        with self._lock:
            before = self._epoch
            asked = self._clock.monotonic()
            self._beat += 1
            beats = (self._confirmed, self._beat)
            self._epoch = self._store.renew(self.instance, before, self._clock.now(), status, beats)
            if self._epoch:
                self._renewed = asked
                self._confirmed = self._beat
            return self._epoch not in {0, before}

    def release(self) -> None:
        """Give the lease up, if it is held. Raise `BusError`."""
        with self._lock:
            if self._epoch:
                self._store.release(self.instance)
                self._epoch = 0
