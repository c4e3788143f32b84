"""The topic index: per topic the last value and its account, bounded, written behind.

The forwarder's thread notes messages, the index thread writes to Redis what changed: a topic that
changed a thousand times between two writes is written once. A full index refuses new topics and
counts them; topics that were silent for long make room.
"""

import heapq
import threading
from array import array
from collections import Counter
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from mqtt_dashboard.bridge.topic_table import CHANGED, CONFIRMED, RETAINED, STORED, TopicTable
from mqtt_dashboard.contract.messages import (
    LogMessage,
    TopicChange,
    TopicEntry,
    TopicNews,
    TopicsUpdate,
)

CHANGES_SHOWN: Final = 200
NEWEST_SHOWN: Final = 20
# What a value keeps when the bytes of all values are used up.
SHORT_VALUE_BYTES: Final = 64
SILENT_S: Final = 7 * 86400.0
EXPIRED_AT_ONCE: Final = 5000

_topic_of = attrgetter("topic")


class TopicIndex:
    """All topics seen, up to ``limit``.

    A value is kept up to ``value_limit`` bytes, all values together up to about ``value_budget``
    bytes; past it a value keeps its first 64 bytes, which readers see from its size.
    """

    def __init__(self, limit: int, value_limit: int, value_budget: int) -> None:
        self.limit = limit
        self._value_limit = value_limit
        self._value_budget = value_budget
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything: another bridge writes the index now."""
        with self._lock:
            self._table = TopicTable()
            self._dirty: dict[int, bytes | None] = {}
            self._taking: list[tuple[int, bytes | None]] = []
            self._changed = array("I")
            self._new = 0
            self._left_out = 0
            self._value_bytes = 0
            self._values_cut = 0
            self._retained = 0
            self._newest: list[tuple[float, int]] = []  # a heap of (first seen, slot)

    @property
    def retained(self) -> int:
        """How many topics have a retained message as far as is known."""
        return self._retained

    @property
    def left_out(self) -> int:
        """Messages of topics that found no place."""
        return self._left_out

    def __len__(self) -> int:
        return len(self._table)

    def note(self, messages: list[LogMessage]) -> None:
        """Take the messages of one batch into account."""
        counts = Counter(map(_topic_of, messages))
        latest = {message.topic: message for message in messages}
        first: dict[str, float] = {}
        with self._lock:
            table, slots, flags = self._table, self._table.slots, self._table.flags
            for topic, message in latest.items():
                slot = slots.get(topic)
                if slot is None:
                    if len(slots) >= self.limit:
                        self._left_out += counts[topic]
                        continue
                    # Only new topics ask for their first message of the batch.
                    first = first or {one.topic: one.timestamp for one in reversed(messages)}
                    slot = table.add(topic, first[topic])
                    self._new += 1
                    self._note_new(slot, first[topic])
                payload = message.payload
                table.hear(slot, counts[topic], message.timestamp, len(payload), message.qos)
                self._dirty[slot] = payload[: self._value_limit]
                if not flags[slot] & CHANGED:
                    flags[slot] |= CHANGED
                    self._changed.append(slot)
            for message in messages:
                if message.retain:
                    # Without payload it clears what was kept (MQTT 5.0, 3.3.1.3).
                    self._set_retained(slots.get(message.topic), bool(message.payload))

    def restore(self, entries: Iterable[TopicEntry]) -> list[str]:
        """Add what was stored before; return the topics that find no place."""
        refused = []
        with self._lock:
            table = self._table
            for entry in entries:
                slot = table.slots.get(entry.topic)
                if slot is None:
                    if len(table) >= self.limit:
                        refused.append(entry.topic)
                        continue
                    slot = table.add(entry.topic, entry.first_seen)
                elif table.flags[slot] & STORED:
                    continue  # this bridge wrote it itself
                table.merge(slot, entry)
                self._note_new(slot, entry.first_seen)
                self._value_bytes += len(entry.payload)
                if entry.retained and not table.flags[slot] & CONFIRMED:
                    table.flags[slot] |= RETAINED
                    self._retained += 1
        return refused

    def missing_from(self, stored: int) -> int:
        """Write every topic anew if Redis holds fewer than were written; return how many."""
        with self._lock:
            table = self._table
            written = [slot for slot in table.slots.values() if table.flags[slot] & STORED]
            if stored >= len(written):
                return 0
            for slot in written:
                table.flags[slot] &= ~STORED
                self._value_bytes -= table.kept[slot]
                table.kept[slot] = 0
                self._dirty.setdefault(slot, None)
            return len(written)

    def take_dirty(self, limit: int) -> tuple[list[TopicEntry], set[str]]:
        """Return up to ``limit`` changed entries, oldest change first.

        The second part names those whose value is not at hand: what Redis has of it stays.
        """
        with self._lock:
            if not self._taking:
                self._taking = list(self._dirty.items())[::-1]
                self._dirty = {}
            entries: list[TopicEntry] = []
            hollow: set[str] = set()
            while self._taking and len(entries) < limit:
                slot, payload = self._taking.pop()
                newer = self._dirty.pop(slot, None)
                payload = payload if newer is None else newer
                topic = self._table.names[slot]
                if not topic:
                    continue
                if payload is None:
                    hollow.add(topic)
                entries.append(self._flush(slot, payload))
            return entries, hollow

    def give_back(self, entries: Iterable[TopicEntry], hollow: set[str]) -> None:
        """Mark entries as dirty again: they could not be written."""
        with self._lock:
            for entry in entries:
                slot = self._table.slots.get(entry.topic)
                if slot is not None:
                    value = None if entry.topic in hollow else entry.payload
                    self._dirty.setdefault(slot, value)

    def written(self, entries: Iterable[TopicEntry]) -> None:
        """Note that Redis has these entries now."""
        with self._lock:
            for entry in entries:
                slot = self._table.slots.get(entry.topic)
                if slot is not None:
                    self._table.flags[slot] |= STORED

    def known_to_redis(self, topic: str) -> bool:
        """Tell whether Redis has an entry of the topic."""
        slot = self._table.slots.get(topic)
        return slot is not None and bool(self._table.flags[slot] & STORED)

    def make_room(self, now: float) -> list[str]:
        """Forget long silent topics if the index is full; return them."""
        with self._lock:
            table = self._table
            if len(table) < self.limit:
                return []
            silent = (
                slot
                for slot in table.slots.values()
                if now - table.last_seen[slot] > SILENT_S and not table.flags[slot] & RETAINED
            )
            gone = [slot for slot, _ in zip(silent, range(EXPIRED_AT_ONCE), strict=False)]
            names = [table.names[slot] for slot in gone]
            for slot in gone:
                self._value_bytes -= table.kept[slot]
                self._dirty.pop(slot, None)
                table.remove(slot)
            if gone:
                self._taking = [one for one in self._taking if table.names[one[0]]]
                self._changed = array("I", (one for one in self._changed if table.names[one]))
            return names

    def is_retained(self, topic: str) -> bool:
        """Tell whether the topic is known to have a retained message."""
        slot = self._table.slots.get(topic)
        return slot is not None and bool(self._table.flags[slot] & RETAINED)

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
                self._dirty.setdefault(slot, None)
            return len(gone)

    def update(self, timestamp: float, epoch: int) -> TopicsUpdate:
        """Return the document for `RedisChannels.TOPIC_LIST` and start the next interval."""
        with self._lock:
            table = self._table
            changed, self._changed = self._changed, array("I")
            new, self._new = self._new, 0
            for slot in changed:
                table.flags[slot] &= ~CHANGED
            busiest = heapq.nlargest(CHANGES_SHOWN, changed, key=table.rate)
            return TopicsUpdate(
                timestamp=timestamp,
                count=len(table),
                new=new,
                changed_count=len(changed),
                changed=[self._change(slot) for slot in busiest],
                limit=self.limit,
                left_out=self._left_out,
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
            table = self._table
            kept = [
                slot
                for seen, slot in sorted(self._newest, reverse=True)
                if table.names[slot] and table.first_seen[slot] == seen
            ]
        return self.news(dict.fromkeys(kept))

    def news(self, slots: Iterable[int]) -> list[TopicNews]:
        """Return what is worth telling of some slots."""
        with self._lock:
            table = self._table
            return [
                TopicNews(
                    topic=table.names[slot],
                    first_seen=table.first_seen[slot],
                    last_seen=table.last_seen[slot],
                    message_count=table.counts[slot],
                    usual_gap_s=table.usual_gap(slot),
                )
                for slot in slots
                if table.names[slot]
            ]

    def _note_new(self, slot: int, first_seen: float) -> None:
        if len(self._newest) < NEWEST_SHOWN:
            heapq.heappush(self._newest, (first_seen, slot))
        elif first_seen > self._newest[0][0]:
            heapq.heapreplace(self._newest, (first_seen, slot))

    def _flush(self, slot: int, payload: bytes | None) -> TopicEntry:
        table = self._table
        before = table.kept[slot]
        if payload is None:
            return table.flush(slot, b"", before)
        kept = payload
        if self._value_bytes - before + len(kept) > self._value_budget:
            if len(kept) > SHORT_VALUE_BYTES:
                self._values_cut += 1
            kept = kept[:SHORT_VALUE_BYTES]
        self._value_bytes += len(kept) - before
        return table.flush(slot, kept, len(kept))

    def _set_retained(self, slot: int | None, retained: bool) -> None:
        if slot is None:
            return
        flags = self._table.flags
        self._retained += retained - bool(flags[slot] & RETAINED)
        flags[slot] = flags[slot] & ~RETAINED | CONFIRMED | (RETAINED if retained else 0)

    def _change(self, slot: int) -> TopicChange:
        table = self._table
        return TopicChange(
            topic=table.names[slot],
            message_count=table.counts[slot],
            last_seen=table.last_seen[slot],
            rate=table.rate(slot),
            retained=bool(table.flags[slot] & RETAINED),
        )


_WITHOUT_CONFIRMED: Final = bytes(flags & ~CONFIRMED for flags in range(256))
