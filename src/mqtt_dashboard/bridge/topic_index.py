"""The topic index: per topic the last value and its account, bounded, written behind.

Kept in memory by the forwarder's thread and flushed to Redis once a second: a topic that changed a
thousand times in that second is written once. A full index refuses new topics and counts them.
"""

import threading
from collections.abc import Iterable
from typing import Final

from mqtt_dashboard.contract.messages import LogMessage, TopicChange, TopicEntry, TopicsUpdate

CHANGES_SHOWN: Final = 200


class _Row:
    """What is known of one topic; plain slots, because there may be very many."""

    __slots__ = (
        "count",
        "first_seen",
        "flushed_count",
        "last_seen",
        "payload",
        "qos",
        "rate",
        "retained",
        "size",
    )

    def __init__(self, first_seen: float) -> None:
        self.count = 0
        self.first_seen = first_seen
        self.flushed_count = 0
        self.last_seen = first_seen
        self.payload = b""
        self.qos = 0
        self.rate = 0.0
        self.retained = False
        self.size = 0


class TopicIndex:
    """All topics seen, up to ``limit``; values up to ``value_limit`` bytes."""

    def __init__(self, limit: int, value_limit: int) -> None:
        self.limit = limit
        self._value_limit = value_limit
        self._lock = threading.Lock()
        self._rows: dict[str, _Row] = {}
        self._dirty: set[str] = set()
        self._changed: set[str] = set()
        self._new = 0
        self._left_out = 0

    def restore(self, entries: Iterable[TopicEntry]) -> None:
        """Fill an empty index from what was stored before."""
        with self._lock:
            for entry in entries:
                if entry.topic in self._rows or len(self._rows) >= self.limit:
                    continue
                row = _Row(entry.first_seen)
                row.count = row.flushed_count = entry.message_count
                row.last_seen, row.payload, row.size = entry.last_seen, entry.payload, entry.size
                row.qos, row.retained = entry.qos, entry.retained
                self._rows[entry.topic] = row

    def note(self, messages: list[LogMessage]) -> None:
        """Take the messages of one batch into account."""
        with self._lock:
            rows, limit = self._rows, self._value_limit
            for message in messages:
                row = rows.get(message.topic)
                if row is None:
                    if len(rows) >= self.limit:
                        self._left_out += 1
                        continue
                    row = rows[message.topic] = _Row(message.timestamp)
                    self._new += 1
                payload = message.payload
                row.count += 1
                row.last_seen = message.timestamp
                row.size = len(payload)
                row.payload = payload if row.size <= limit else payload[:limit]
                row.qos = message.qos
                if message.retain:
                    # A retained message without payload clears what was kept (MQTT 5.0, 3.3.1.3).
                    row.retained = row.size > 0
                self._dirty.add(message.topic)

    def take_dirty(self, interval_s: float) -> list[TopicEntry]:
        """Return what changed since the last call, with rates over ``interval_s`` seconds."""
        with self._lock:
            dirty, self._dirty = self._dirty, set()
            self._changed |= dirty
            entries = []
            for topic in dirty:
                row = self._rows[topic]
                row.rate = (row.count - row.flushed_count) / interval_s if interval_s > 0 else 0.0
                row.flushed_count = row.count
                entries.append(_entry(topic, row))
            return entries

    def give_back(self, entries: Iterable[TopicEntry]) -> None:
        """Mark entries as dirty again: they could not be written."""
        with self._lock:
            self._dirty.update(entry.topic for entry in entries)

    def update(self, timestamp: float, epoch: int) -> TopicsUpdate:
        """Return the document for `RedisChannels.TOPIC_LIST` and start the next interval."""
        with self._lock:
            changed, self._changed = self._changed, set()
            new, self._new = self._new, 0
            busiest = sorted(changed, key=lambda topic: self._rows[topic].rate, reverse=True)
            return TopicsUpdate(
                timestamp=timestamp,
                count=len(self._rows),
                new=new,
                changed_count=len(changed),
                changed=[_change(topic, self._rows[topic]) for topic in busiest[:CHANGES_SHOWN]],
                limit=self.limit,
                left_out=self._left_out,
                epoch=epoch,
            )


def _entry(topic: str, row: _Row) -> TopicEntry:
    return TopicEntry(
        topic,
        row.payload,
        row.size,
        row.qos,
        row.retained,
        row.count,
        row.first_seen,
        row.last_seen,
        row.rate,
    )


def _change(topic: str, row: _Row) -> TopicChange:
    return TopicChange(
        topic=topic,
        message_count=row.count,
        last_seen=row.last_seen,
        rate=row.rate,
        retained=row.retained,
    )
