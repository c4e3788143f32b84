"""Which bridge is the active one: a lease in Redis whose epoch fences every write.

The holder renews it each second; a standby tries as often and connects to nothing until it gets
it. While Redis is away nobody can take the lease, so the holder keeps its MQTT session; once its
lease may have run out it makes no new one and executes no command.
"""

import threading
from typing import Final

from mqtt_dashboard.bus.bridge_store import LEASE_TTL_MS, BridgeStore
from mqtt_dashboard.clock import Clock

# Past this share of the lease without a renewal the holder no longer acts on it (P41).
SAFE_SHARE: Final = 0.6


class Lease:
    """The right to be the one MQTT client, as this process knows it.

    ``losses`` counts the reigns that ended because another bridge ruled, even if it did so only
    between two renewals; ``renewed_at`` is monotonic seconds.
    """

    def __init__(self, store: BridgeStore, instance: str, clock: Clock) -> None:
        self._store = store
        self.instance = instance
        self._clock = clock
        self._lock = threading.Lock()
        self._epoch = 0
        self._beat = self._confirmed = 0
        self.losses = 0
        self.renewed_at = float("-inf")

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
        age = self._clock.monotonic() - self.renewed_at
        return self.held and age < LEASE_TTL_MS / 1000 * SAFE_SHARE

    def renew(self, status: bytes = b"") -> bool:
        """Take or keep the lease; return True when a new reign began. Raise `BusError`."""
        with self._lock:
            before = self._epoch
            asked = self._clock.monotonic()
            self._beat += 1
            beats = (self._confirmed, self._beat)
            now = self._store.renew(self.instance, before, self._clock.now(), status, beats)
            if before and now.others_ruled:
                # Counted first: whoever finds the lease safe again must see that it was lost.
                self.losses += 1
            self._epoch = now.epoch
            if now.epoch:
                self.renewed_at = asked
                self._confirmed = self._beat
            return now.epoch not in {0, before}

    def release(self) -> None:
        """Give the lease up, if it is held. Raise `BusError`."""
        with self._lock:
            if self._epoch:
                self._store.release(self.instance)
                self._epoch = 0
