"""Keeps the topic index in Redis in line with the one in memory; run by a thread of its own.

At the beginning of a reign what an earlier bridge stored is read back first: until that is done
nothing is written, and messages that arrive meanwhile are added to it.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.bus.bridge_topics import BridgeTopics
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.messages import TopicEntry
from mqtt_dashboard.errors import BusError

WRITE_EVERY_S: Final = 1.0
# Entries per turn: bounds how long a stop waits for a turn.
WRITE_AT_ONCE: Final = 10_000
ROOM_EVERY_S: Final = 30.0
RETRY_S: Final = 1.0

log = logs.get(__name__)


class IndexKeeper:
    """The loop behind the index; `turn` is run by one thread."""

    def __init__(self, index: TopicIndex, store: BridgeTopics, lease: Lease, clock: Clock) -> None:
        self._index = index
        self._store = store
        self._lease = lease
        self._clock = clock
        self._epoch = 0
        self._room_due = 0.0

    @property
    def restoring(self) -> bool:
        """Whether the stored index is not known yet."""
        return self._lease.held and self._epoch != self._lease.epoch

    def turn(self, wait: Callable[[float], bool]) -> None:
        """Restore at the beginning of a reign, then write what changed."""
        epoch = self._lease.epoch
        if not epoch:
            if self._epoch:
                self._epoch = 0
                self._index.clear()  # another bridge writes it from now on
            wait(WRITE_EVERY_S / 2)
            return
        try:
            if epoch != self._epoch:
                if not self._restore(epoch, wait):
                    return
                self._epoch = epoch
            full = self.write(epoch)
            self._make_room(epoch)
        except BusError as error:
            log.warning("index.postponed", reason=error.reason)
            wait(RETRY_S)
            return
        wait(0.0 if full else WRITE_EVERY_S)

    def write(self, epoch: int) -> bool:
        """Write what changed, up to a bound; tell whether there may be more. Raise `BusError`."""
        entries, hollow = self._index.take_dirty(WRITE_AT_ONCE)
        try:
            whole = self._filled(entries, hollow)
            new = {one.topic for one in entries if not self._index.known_to_redis(one.topic)}
            self._store.write(epoch, whole, new)
        except BusError:
            self._index.give_back(entries, hollow)
            raise
        self._index.written(entries)
        return len(entries) == WRITE_AT_ONCE

    def finish(self, deadline: float) -> None:
        """Write what is left, until ``deadline`` (monotonic seconds). Raise `BusError`."""
        epoch = self._lease.epoch
        if epoch and epoch == self._epoch:
            while self.write(epoch) and self._clock.monotonic() < deadline:
                pass

    def _restore(self, epoch: int, wait: Callable[[float], bool]) -> bool:
        """Read the stored index; tell whether it was read to the end."""
        began = self._clock.monotonic()
        refused: list[str] = []
        for chunk in self._store.load():
            refused += self._index.restore(chunk)
            if wait(0.0) or self._lease.epoch != epoch:
                return False
        lost = self._index.missing_from(self._store.count() - len(refused))
        self._store.forget(epoch, refused)
        seconds = round(self._clock.monotonic() - began, 2)
        log.info("index.restored", topics=len(self._index), seconds=seconds)
        if refused or lost:
            log.warning("index.differs", over_the_limit=len(refused), lost_by_redis=lost)
        return True

    def _filled(self, entries: Iterable[TopicEntry], hollow: set[str]) -> list[TopicEntry]:
        """Return the entries with the values Redis has for those that come without."""
        entries = list(entries)
        if not hollow:
            return entries
        values = self._store.values(hollow)
        return [
            msgspec.structs.replace(one, payload=values.get(one.topic, b""))
            if one.topic in hollow
            else one
            for one in entries
        ]

    def _make_room(self, epoch: int) -> None:
        now = self._clock.monotonic()
        if now < self._room_due:
            return
        self._room_due = now + ROOM_EVERY_S
        gone = self._index.make_room(self._clock.now())
        if gone:
            log.info("index.made_room", topics=len(gone))
            self._store.forget(epoch, gone)
