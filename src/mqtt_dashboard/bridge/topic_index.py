"""The topic index: per topic the last value and its account, bounded, written behind.

The forwarder's thread notes messages, the index thread writes to Redis what changed: a topic that
changed a thousand times between two writes is written once. A full index refuses new topics and
counts their messages by reason; topics that were silent for long make room.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from operator import attrgetter
from typing import Final, NamedTuple

from mqtt_dashboard.bridge.index_past import Past
from mqtt_dashboard.bridge.topic_report import TopicReport, news
from mqtt_dashboard.bridge.topic_table import (
    CHANGED,
    CONFIRMED,
    RETAINED,
    SEEN,
    STORED,
    TopicTable,
    name_bytes,
)
from mqtt_dashboard.bridge.unwritten import Position, Unwritten
from mqtt_dashboard.contract.messages import LogMessage, TopicNews, TopicsUpdate
from mqtt_dashboard.contract.topic_entry import TopicEntry

NAMES_BUDGET: Final = 128 * 1024 * 1024
# What a value keeps when the bytes of all values are used up.
SHORT_VALUE_BYTES: Final = 64
SILENT_S: Final = 7 * 86400.0
EXPIRED_AT_ONCE: Final = 5000

# Why a new topic finds no place.
FULL: Final = "topics"
NAMES_FULL: Final = "name_bytes"

_topic_of = attrgetter("topic")


class Taken(NamedTuple):
    """Entries to write. Those named in ``hollow`` come without the value, which Redis has.

    ``mark`` (None: as it was) is up to where the index is whole once they are written; ``more``
    tells whether others wait.
    """

    entries: list[TopicEntry]
    hollow: set[str]
    mark: Position | None
    more: bool


class TopicIndex:
    """All topics seen, up to ``limit``, and up to ``names_budget`` bytes of their names.

    A value is kept up to ``value_limit`` bytes, all values together up to about ``value_budget``
    bytes; past it a value keeps its first 64 bytes, which readers see from its size.
    """

    def __init__(
        self, limit: int, value_limit: int, value_budget: int, names_budget: int = NAMES_BUDGET
    ) -> None:
        self.limit = limit
        self.value_limit = value_limit
        self._value_budget = value_budget
        self._names_budget = names_budget
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything: another bridge writes the index now."""
        with self._lock:
            self._table = TopicTable()
            self._unwritten = Unwritten()
            self._noted: Position = (0, 0)
            self._own: set[int] = set()  # epochs whose messages were all heard here
            self._report = TopicReport()
            self._left_out: Counter[str] = Counter()
            self._crowded = False
            self._value_bytes = 0
            self._values_cut = 0
            self._retained = 0

    @property
    def retained(self) -> int:
        """How many topics have a retained message as far as is known."""
        return self._retained

    @property
    def left_out(self) -> int:
        """Messages of topics that found no place."""
        return self._left_out.total()

    def __len__(self) -> int:
        return len(self._table)

    def note(self, messages: list[LogMessage], last: Position = (0, 0)) -> None:
        """Take the messages of one batch into account; ``last`` is the number of its last one."""
        counts = Counter(map(_topic_of, messages))
        latest = {message.topic: message for message in messages}
        first: dict[str, float] = {}
        with self._lock:
            table, slots, flags = self._table, self._table.slots, self._table.flags
            unwritten, changed = self._unwritten.changed, self._report.changed
            for topic, message in latest.items():
                slot = slots.get(topic)
                if slot is None:
                    size = name_bytes(topic)
                    if self._refuses(size, counts[topic]):
                        continue
                    # Only new topics ask for their first message of the batch.
                    first = first or {one.topic: one.timestamp for one in reversed(messages)}
                    slot = self._add(topic, size, first[topic])
                payload = message.payload
                table.hear(slot, counts[topic], message.timestamp, len(payload), message.qos)
                unwritten[slot] = payload[: self.value_limit]
                if not flags[slot] & CHANGED:
                    flags[slot] |= CHANGED
                    changed.append(slot)
            for message in messages:
                if message.retain:
                    # Without payload it clears what was kept (MQTT 5.0, 3.3.1.3).
                    self._set_retained(slots.get(message.topic), bool(message.payload))
            self._hear_up_to(last)

    def begin_restore(self, epoch: int) -> frozenset[int]:
        """Expect everything Redis has; return the epochs whose messages were all heard here."""
        with self._lock:
            self._own.add(epoch)
            self._table.flags = self._table.flags.translate(_WITHOUT_SEEN)
            return frozenset(self._own)

    def restore(self, entries: Iterable[TopicEntry]) -> list[str]:
        """Add what was stored before; return the topics that find no place."""
        refused = []
        with self._lock:
            table = self._table
            for entry in entries:
                slot = table.slots.get(entry.topic)
                if slot is None:
                    size = name_bytes(entry.topic)
                    if self._refuses(size, 0):
                        refused.append(entry.topic)
                        continue
                    slot = table.add(entry.topic, size, entry.first_seen)
                elif table.flags[slot] & STORED:
                    table.flags[slot] |= SEEN
                    if table.behind(slot, entry):
                        # The value went with what Redis lost, and an older one would be a lie.
                        self._unwritten.changed.setdefault(slot, b"")
                    continue  # this bridge wrote it itself
                table.merge(slot, entry)
                self._report.note_new(slot, entry.first_seen)
                self._value_bytes += len(entry.payload)
                if entry.retained and not table.flags[slot] & CONFIRMED:
                    table.flags[slot] |= RETAINED
                    self._retained += 1
        return refused

    def end_restore(self, *, names_whole: bool) -> int:
        """Write anew what Redis has lost, and every name if some are missing; return how many."""
        with self._lock:
            table = self._table
            lost = [
                slot
                for slot in table.slots.values()
                if table.flags[slot] & STORED and (not names_whole or not table.flags[slot] & SEEN)
            ]
            for slot in lost:
                value = None if table.flags[slot] & SEEN else b""
                table.flags[slot] &= ~STORED
                self._unwritten.changed.setdefault(slot, value)
            return len(lost)

    def catch_up(self, past: Past) -> None:
        """Add what the log held beyond the stored index; what was heard since is newer."""
        with self._lock:
            table, heard_since = self._table, self._unwritten.slots()
            for topic, heard in past.topics.items():
                slot = table.slots.get(topic)
                if slot is None:
                    size = name_bytes(topic)
                    if self._refuses(size, heard.count):
                        continue
                    slot = self._add(topic, size, heard.first_seen)
                if slot in heard_since:
                    table.counts[slot] += heard.count
                    table.first_seen[slot] = min(table.first_seen[slot], heard.first_seen)
                else:
                    last = heard.last
                    table.hear(slot, heard.count, last.timestamp, len(last.payload), last.qos)
                    self._unwritten.changed[slot] = heard.value
            for topic, kept in past.retained.items():
                slot = table.slots.get(topic)
                if slot is not None and not table.flags[slot] & CONFIRMED:
                    self._set_retained(slot, kept)
                    table.flags[slot] &= ~CONFIRMED
            self._hear_up_to(past.last)

    def take_dirty(self, limit: int) -> Taken:
        """Return about ``limit`` changed entries, oldest change first."""
        with self._lock:
            part = self._unwritten.take(limit, self._noted)
            entries: list[TopicEntry] = []
            hollow: set[str] = set()
            for slot, payload in part.slots:
                if payload is None:
                    hollow.add(self._table.names[slot])
                entries.append(self._flush(slot, payload))
            return Taken(entries, hollow, part.mark, part.more)

    def give_back(self, entries: Iterable[TopicEntry], hollow: set[str]) -> None:
        """Mark entries as dirty again: they could not be written."""
        with self._lock:
            for entry in entries:
                slot = self._table.slots.get(entry.topic)
                if slot is not None:
                    value = None if entry.topic in hollow else entry.payload
                    self._unwritten.give_back(slot, value)

    def written(self, entries: Iterable[TopicEntry]) -> None:
        """Note that Redis has these entries now."""
        with self._lock:
            for entry in entries:
                slot = self._table.slots.get(entry.topic)
                if slot is not None:
                    self._table.flags[slot] |= STORED

    def known_to_redis(self, topic: str) -> bool:
        """Tell whether Redis has an entry of the topic."""
        return self._has(topic, STORED)

    def make_room(self, now: float) -> list[str]:
        """Forget long silent topics if the index is full; return them."""
        with self._lock:
            table = self._table
            if len(table) < self.limit and not self._crowded:
                return []
            self._crowded = False
            silent = (
                slot
                for slot in table.slots.values()
                if now - table.last_seen[slot] > SILENT_S and not table.flags[slot] & RETAINED
            )
            gone = [slot for slot, _ in zip(silent, range(EXPIRED_AT_ONCE), strict=False)]
            names = [table.names[slot] for slot in gone]
            for slot in gone:
                self._value_bytes -= table.kept[slot]
                table.remove(slot)
            if gone:
                self._unwritten.forget(gone)
                self._report.forget_gone(table)
            return names

    def is_retained(self, topic: str) -> bool:
        """Tell whether the topic is known to have a retained message."""
        return self._has(topic, RETAINED)

    def first_levels(self, limit: int) -> list[str]:
        """Return the first levels of all topics, up to ``limit``."""
        found = {name.partition("/")[0] for name in list(self._table.slots)}
        return sorted(found)[:limit]

    def depth(self) -> int:
        """Return how many levels the deepest topic has, at most 16."""
        return min(max((name.count("/") for name in list(self._table.slots)), default=0) + 1, 16)

    def begin_snapshot(self) -> None:
        """Expect a complete set of retained messages: nothing of it is confirmed yet."""
        with self._lock:
            flags = self._table.flags
            self._table.flags = flags.translate(_WITHOUT_CONFIRMED)

    def confirm(self, topics: Iterable[str]) -> None:
        """Note that the broker still has the retained messages of these topics."""
        with self._lock:
            for topic in topics:
                slot = self._table.slots.get(topic)
                if slot is not None:
                    self._table.flags[slot] |= CONFIRMED

    def end_snapshot(self) -> int:
        """Take back "retained" from topics the snapshot did not hold; return how many."""
        with self._lock:
            gone = [
                slot
                for slot in self._table.slots.values()
                if self._table.flags[slot] & (RETAINED | CONFIRMED) == RETAINED
            ]
            for slot in gone:
                self._set_retained(slot, False)
                self._unwritten.changed.setdefault(slot, None)
            return len(gone)

    def update(self, timestamp: float, epoch: int) -> TopicsUpdate:
        """Return the document for `RedisChannels.TOPIC_LIST` and start the next interval."""
        with self._lock:
            interval = self._report.take(self._table)
            return TopicsUpdate(
                timestamp=timestamp,
                count=len(self._table),
                new=interval.new,
                changed_count=interval.changed,
                changed=interval.shown,
                limit=self.limit,
                left_out=self._left_out.total(),
                left_out_by=dict(self._left_out),
                values_cut=self._values_cut,
                epoch=epoch,
            )

    @property
    def places(self) -> int:
        """How many slots there are to look through, free ones included."""
        return len(self._table.names)

    def overdue(self, first: int, last: int, now: float, since: float) -> list[tuple[float, int]]:
        """Return (last seen, slot) of the topics among some slots that are silent for too long."""
        with self._lock:
            return self._table.overdue(first, last, now, since)

    def newest(self) -> list[TopicNews]:
        """Return the topics seen first most recently, the newest first."""
        with self._lock:
            return self._report.newest(self._table)

    def news(self, slots: Iterable[int]) -> list[TopicNews]:
        """Return what is worth telling of some slots."""
        with self._lock:
            return news(self._table, slots)

    def _has(self, topic: str, flag: int) -> bool:
        # Asked from other threads without the lock: one table, which `clear` may replace meanwhile.
        table = self._table
        slot = table.slots.get(topic)
        return slot is not None and bool(table.flags[slot] & flag)

    def _refuses(self, size: int, messages: int) -> bool:
        """Tell whether there is no place for a name of ``size`` bytes, and count its messages."""
        if len(self._table) >= self.limit:
            reason = FULL
        elif self._table.name_bytes + size > self._names_budget:
            reason = NAMES_FULL
        else:
            return False
        self._left_out[reason] += messages
        self._crowded = True
        return True

    def _add(self, topic: str, size: int, first_seen: float) -> int:
        slot = self._table.add(topic, size, first_seen)
        self._report.new += 1
        self._report.note_new(slot, first_seen)
        return slot

    def _hear_up_to(self, last: Position) -> None:
        self._noted = max(self._noted, last)
        if last[0]:
            self._own.add(last[0])

    def _flush(self, slot: int, payload: bytes | None) -> TopicEntry:
        table = self._table
        before = table.kept[slot]
        if payload is None:
            return table.flush(slot, b"", before, self._noted)
        kept = payload
        if self._value_bytes - before + len(kept) > self._value_budget:
            if len(kept) > SHORT_VALUE_BYTES:
                self._values_cut += 1
            kept = kept[:SHORT_VALUE_BYTES]
        self._value_bytes += len(kept) - before
        return table.flush(slot, kept, len(kept), self._noted)

    def _set_retained(self, slot: int | None, retained: bool) -> None:
        if slot is None:
            return
        flags = self._table.flags
        self._retained += retained - bool(flags[slot] & RETAINED)
        flags[slot] = flags[slot] & ~RETAINED | CONFIRMED | (RETAINED if retained else 0)


_WITHOUT_CONFIRMED: Final = bytes(flags & ~CONFIRMED for flags in range(256))
_WITHOUT_SEEN: Final = bytes(flags & ~SEEN for flags in range(256))
