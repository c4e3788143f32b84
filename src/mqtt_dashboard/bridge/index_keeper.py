"""Keeps the topic index in Redis in line with the one in memory; run by a thread of its own.

At the beginning of a reign, and when Redis came back with older data, what is stored is read back
first, and with it what the message log holds beyond it: until that is done nothing is written, and
messages that arrive meanwhile are added to it.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.faults import Faults
from mqtt_dashboard.bridge.index_past import Past
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.bridge.unwritten import Position
from mqtt_dashboard.bus.bridge_topics import BridgeTopics
from mqtt_dashboard.bus.log_tail import LogTail
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.topic_entry import TopicEntry
from mqtt_dashboard.errors import BusError, FellBackError

WRITE_EVERY_S: Final = 1.0
# Entries per turn: bounds how long a stop waits for a turn.
WRITE_AT_ONCE: Final = 10_000
ROOM_EVERY_S: Final = 30.0
RETRY_S: Final = 1.0

log = logs.get(__name__)

Wait = Callable[[float], bool]


class IndexKeeper:
    """The loop behind the index; `turn` is run by one thread."""

    def __init__(
        self,
        index: TopicIndex,
        store: BridgeTopics,
        tail: LogTail,
        lease: Lease,
        clock: Clock,
        faults: Faults,
    ) -> None:
        self._index = index
        self._store = store
        self._tail = tail
        self._lease = lease
        self._clock = clock
        self._faults = faults
        self._epoch = 0
        self._reigned = False
        self._marked: Position = (0, 0)
        self._room_due = 0.0

    @property
    def restoring(self) -> bool:
        """Whether the stored index is not known yet."""
        return self._lease.held and self._epoch != self._lease.epoch

    def turn(self, wait: Wait) -> None:
        """Restore at the beginning of a reign, then write what changed."""
        epoch = self._lease.epoch
        if not epoch:
            if self._reigned:
                self._epoch, self._reigned = 0, False
                self._index.clear()  # another bridge writes it from now on
            wait(WRITE_EVERY_S / 2)
            return
        pause = RETRY_S
        try:
            with self._faults.survived("index"):
                pause = self._keep(epoch, wait)
        except FellBackError as error:
            log.warning("index.fell_back", reason=error.reason)
            self._epoch = 0
        except BusError as error:
            log.warning("index.postponed", reason=error.reason)
        wait(pause)

    def write(self, epoch: int) -> bool:
        """Write what changed, up to a bound; tell whether there is more. Raise `BusError`."""
        taken = self._index.take_dirty(WRITE_AT_ONCE)
        mark = taken.mark if taken.mark != self._marked else None
        if not taken.entries and mark is None:
            return False
        try:
            whole = self._filled(taken.entries, taken.hollow)
            new = {one.topic for one in whole if not self._index.known_to_redis(one.topic)}
            self._store.write(epoch, whole, new, mark)
        except BusError:
            self._index.give_back(taken.entries, taken.hollow)
            raise
        self._index.written(taken.entries)
        self._marked = mark or self._marked
        return taken.more

    def finish(self, deadline: float) -> None:
        """Write what is left, until ``deadline`` (monotonic seconds). Raise `BusError`."""
        epoch = self._lease.epoch
        if epoch and epoch == self._epoch:
            while self.write(epoch) and self._clock.monotonic() < deadline:
                pass

    def _keep(self, epoch: int, wait: Wait) -> float:
        """Do what is due; return for how long there is nothing more to do."""
        self._reigned = True
        if epoch != self._epoch:
            if not self._restore(epoch, wait):
                return 0.0
            self._epoch = epoch
        more = self.write(epoch)
        self._make_room(epoch)
        return 0.0 if more else WRITE_EVERY_S

    def _restore(self, epoch: int, wait: Wait) -> bool:
        """Read the stored index; tell whether it was read to the end."""
        began = self._clock.monotonic()
        mark = self._store.begin()
        if mark is not None and mark[0] > epoch:
            mark = None  # no bridge wrote that
        self._marked = mark or (0, 0)
        past = Past(self._marked, self._index.begin_restore(epoch), self._index.value_limit)
        refused: list[str] = []
        for piece in self._store.load():
            self._faults.add("unreadable_entry", piece.unreadable)
            with self._faults.survived("index_piece"):
                refused += self._index.restore(piece.entries)
                for entry in piece.entries:
                    past.stored(entry)
            if wait(0.0) or self._lease.epoch != epoch:
                return False
        lost = self._index.end_restore(names_whole=self._store.names_whole())
        if mark is not None and not self._catch_up(mark, epoch, past, wait):
            return False
        self._store.forget(epoch, refused)
        seconds = round(self._clock.monotonic() - began, 2)
        log.info("index.restored", topics=len(self._index), seconds=seconds, late=past.messages)
        if refused or lost:
            log.warning("index.differs", over_the_limit=len(refused), lost_by_redis=lost)
        return True

    def _catch_up(self, mark: Position, epoch: int, past: Past, wait: Wait) -> bool:
        """Add what the log holds beyond the stored index; tell whether that was done."""
        tail = self._tail.find(mark, self._clock.monotonic)
        if not tail.reached:
            log.warning("index.gap", reason="the message log does not reach back to the index")
        for batch in self._tail.read(tail):
            if batch is None:
                self._faults.add("unreadable_batch")
            elif batch.epoch == epoch:
                break  # these were heard here
            else:
                with self._faults.survived("index_piece"):
                    past.add(batch)
            if wait(0.0) or self._lease.epoch != epoch:
                return False
        self._faults.add("unreadable_message", past.refused)
        self._index.catch_up(past)
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
