"""The account of all topics behind the topic index: what was heard, stored before, and is due.

Bounded in topics, in bytes of their names and in bytes of their values. Not locked: see
`topic_index.TopicIndex`.
"""

from collections import Counter
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from mqtt_dashboard.bridge.index_past import Past
from mqtt_dashboard.bridge.topic_report import TopicReport
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
from mqtt_dashboard.contract.messages import LogMessage
from mqtt_dashboard.contract.topic_entry import TopicEntry

# What a value keeps when the bytes of all values are used up.
SHORT_VALUE_BYTES: Final = 64
SILENT_S: Final = 7 * 86400.0
EXPIRED_AT_ONCE: Final = 5000

# Why a new topic finds no place.
FULL: Final = "topics"
NAMES_FULL: Final = "name_bytes"

_topic_of = attrgetter("topic")


class TopicAccount:
    """The bounds are those of `TopicIndex`; ``table``, ``unwritten`` and ``report`` are its books.

    ``noted`` is the number of the newest message that was heard, ``own`` are the epochs whose
    messages were all heard here, ``retained`` counts the topics known as retained.
    """

    def __init__(self, limit: int, value_limit: int, value_budget: int, names_budget: int) -> None:
        self.table = TopicTable()
        self.unwritten = Unwritten()
        self.report = TopicReport()
        self.noted: Position = (0, 0)
        self.own: set[int] = set()
        self.left_out: Counter[str] = Counter()
        self.values_cut = 0
        self.retained = 0
        self._limit = limit
        self._value_limit = value_limit
        self._value_budget = value_budget
        self._names_budget = names_budget
        self._crowded = False
        self._value_bytes = 0

    def hear(self, messages: list[LogMessage]) -> None:
        """Enter messages, oldest first: a topic is looked at once for all of its messages."""
        counts = Counter(map(_topic_of, messages))
        latest = {message.topic: message for message in messages}
        first: dict[str, float] = {}
        table, slots, flags = self.table, self.table.slots, self.table.flags
        unwritten, changed = self.unwritten.changed, self.report.changed
        for topic, message in latest.items():
            slot = slots.get(topic)
            if slot is None:
                size = name_bytes(topic)
                if self._refuses(size, counts[topic]):
                    continue
                # Only new topics ask for their first message.
                first = first or {one.topic: one.timestamp for one in reversed(messages)}
                slot = self._add(topic, size, first[topic])
            payload = message.payload
            table.hear(slot, counts[topic], message.timestamp, len(payload), message.qos)
            unwritten[slot] = payload[: self._value_limit]
            if not flags[slot] & CHANGED:
                flags[slot] |= CHANGED
                changed.append(slot)
        for message in messages:
            if message.retain:
                # Without payload it clears what was kept (MQTT 5.0, 3.3.1.3).
                slot = slots.get(message.topic)
                if slot is not None:
                    self.set_retained(slot, bool(message.payload))

    def hear_up_to(self, last: Position) -> None:
        """Note the number of the last message that was heard."""
        self.noted = max(self.noted, last)
        if last[0]:
            self.own.add(last[0])

    def restore(self, entries: Iterable[TopicEntry]) -> list[str]:
        """Add what was stored before; return the topics that find no place."""
        refused, table = [], self.table
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
                    self.unwritten.changed.setdefault(slot, b"")
                continue  # this bridge wrote it itself
            table.merge(slot, entry)
            self.report.note_new(slot, entry.first_seen)
            self._value_bytes += len(entry.payload)
            if entry.retained and not table.flags[slot] & CONFIRMED:
                table.flags[slot] |= RETAINED
                self.retained += 1
        return refused

    def write_anew(self, *, names_whole: bool) -> int:
        """Have what Redis lost written again, all names if some are missing; return how many."""
        table = self.table
        lost = [
            slot
            for slot in table.slots.values()
            if table.flags[slot] & STORED and (not names_whole or not table.flags[slot] & SEEN)
        ]
        for slot in lost:
            value = None if table.flags[slot] & SEEN else b""
            table.flags[slot] &= ~STORED
            self.unwritten.changed.setdefault(slot, value)
        return len(lost)

    def catch_up(self, past: Past) -> None:
        """Add what the log held beyond the stored index; what was heard since is newer."""
        table, heard_since = self.table, self.unwritten.slots()
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
                self.unwritten.changed[slot] = heard.value
        for topic, kept in past.retained.items():
            slot = table.slots.get(topic)
            if slot is not None and not table.flags[slot] & CONFIRMED:
                self.set_retained(slot, kept)
                table.flags[slot] &= ~CONFIRMED
        self.hear_up_to(past.last)

    def flush(self, slot: int, payload: bytes | None) -> TopicEntry:
        """Return the entry to store; None: Redis has the value already."""
        table = self.table
        before = table.kept[slot]
        if payload is None:
            return table.flush(slot, b"", before, self.noted)
        kept = payload
        if self._value_bytes - before + len(kept) > self._value_budget:
            if len(kept) > SHORT_VALUE_BYTES:
                self.values_cut += 1
            kept = kept[:SHORT_VALUE_BYTES]
        self._value_bytes += len(kept) - before
        return table.flush(slot, kept, len(kept), self.noted)

    def make_room(self, now: float) -> list[str]:
        """Forget long silent topics if there is no place for others; return them."""
        table = self.table
        if len(table) < self._limit and not self._crowded:
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
            self.unwritten.forget(gone)
            self.report.forget_gone(table)
        return names

    def take_back_unconfirmed(self) -> int:
        """Take "retained" back from topics a whole snapshot did not hold; return how many."""
        table = self.table
        gone = [
            slot
            for slot in table.slots.values()
            if table.flags[slot] & (RETAINED | CONFIRMED) == RETAINED
        ]
        for slot in gone:
            self.set_retained(slot, False)
            self.unwritten.changed.setdefault(slot, None)
        return len(gone)

    def set_retained(self, slot: int, retained: bool) -> None:
        """Note, as confirmed, whether a topic has a retained message."""
        flags = self.table.flags
        self.retained += retained - bool(flags[slot] & RETAINED)
        flags[slot] = flags[slot] & ~RETAINED | CONFIRMED | (RETAINED if retained else 0)

    def _refuses(self, size: int, messages: int) -> bool:
        """Tell whether there is no place for a name of ``size`` bytes, and count its messages."""
        if len(self.table) >= self._limit:
            reason = FULL
        elif self.table.name_bytes + size > self._names_budget:
            reason = NAMES_FULL
        else:
            return False
        self.left_out[reason] += messages
        self._crowded = True
        return True

    def _add(self, topic: str, size: int, first_seen: float) -> int:
        slot = self.table.add(topic, size, first_seen)
        self.report.new += 1
        self.report.note_new(slot, first_seen)
        return slot
