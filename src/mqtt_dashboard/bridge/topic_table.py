"""What is known of each topic, in columns: a million topics in about 210 MB.

An object per topic would cost five times as much. A topic has a slot; its facts are at that place
of every column. Values are not kept here: they pass through to Redis.
"""

from array import array
from typing import Final

from mqtt_dashboard.contract.topic_entry import TopicEntry

RETAINED: Final = 0b0000_0100
CONFIRMED: Final = 0b0000_1000  # retained was seen, or taken back, in this snapshot or live
STORED: Final = 0b0001_0000  # Redis has an entry of this topic
CHANGED: Final = 0b0010_0000  # had traffic since the last report
SEEN: Final = 0b0100_0000  # found in Redis in the present reading of the stored index
_QOS: Final = 0b0000_0011
# How much the newest period weighs against what was known before.
_NEWEST: Final = 0.3
# Periods are learned from writes a second apart; a shorter silence says nothing.
LEAST_SILENCE_S: Final = 5.0
_MISSED_PERIODS: Final = 3


# Of a count at the last flush only this much is kept: more never comes between two flushes.
_LOW: Final = 2**32 - 1
# Names outside ASCII are kept with 1, 2 or 4 bytes per character, and once more as UTF-8.
_NARROW: Final = "\xff"
_WIDE: Final = "\uffff"


def name_bytes(topic: str) -> int:
    """Return the memory the characters of a name take."""
    if topic.isascii():
        return len(topic)
    widest = max(topic)
    width = 1 if widest <= _NARROW else 2 if widest <= _WIDE else 4
    return width * len(topic) + len(topic.encode())


class TopicTable:
    """Topics and their columns; times in seconds since the Unix epoch, sizes in bytes."""

    def __init__(self) -> None:
        self.slots: dict[str, int] = {}
        self.names: list[str] = []
        self.name_bytes = 0
        self.counts = array("Q")
        self.first_seen = array("d")
        self.last_seen = array("d")
        self.sizes = array("I")
        self.kept = array("I")  # bytes of the value that Redis keeps
        self.flags = bytearray()
        self._flushed = array("I")  # the count at the last flush, its low half
        self._flushed_at = array("d")  # last_seen at the last flush
        self._periods = array("f")  # seconds between messages, 0 = not known yet
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.slots)

    def add(self, topic: str, size: int, first_seen: float) -> int:
        """Give a new topic, whose name takes ``size`` bytes, a slot and return it."""
        if self._free:
            slot = self._free.pop()
            self.names[slot] = topic
        else:
            slot = len(self.names)
            self.names.append(topic)
            self.flags.append(0)
            for column in self._columns():
                column.append(0)
        self.slots[topic] = slot
        self.name_bytes += size
        self.first_seen[slot] = self.last_seen[slot] = first_seen
        return slot

    def remove(self, slot: int) -> None:
        """Forget a topic; its slot is used again."""
        del self.slots[self.names[slot]]
        self.name_bytes -= name_bytes(self.names[slot])
        self.names[slot] = ""
        self.flags[slot] = 0
        for column in self._columns():
            column[slot] = 0
        self._free.append(slot)

    def hear(self, slot: int, count: int, seen_at: float, size: int, qos: int) -> None:
        """Take ``count`` messages into account, the last one of ``size`` bytes."""
        self.counts[slot] += count
        self.last_seen[slot] = seen_at
        self.sizes[slot] = size
        self.flags[slot] = self.flags[slot] & ~_QOS | qos

    def merge(self, slot: int, entry: TopicEntry) -> None:
        """Add what Redis knows from before to what was heard since."""
        heard = self.counts[slot] > 0
        self.counts[slot] += entry.message_count
        self._flushed[slot] = (self._flushed[slot] + entry.message_count) & _LOW
        self.first_seen[slot] = entry.first_seen
        self._flushed_at[slot] = entry.last_seen
        self._periods[slot] = 1 / entry.rate if entry.rate else 0.0
        self.kept[slot] = len(entry.payload)
        if not heard:
            self.last_seen[slot] = entry.last_seen
            self.sizes[slot] = entry.size
            self.flags[slot] = self.flags[slot] & ~_QOS | entry.qos
        self.flags[slot] |= STORED | SEEN

    def behind(self, slot: int, entry: TopicEntry) -> bool:
        """Tell whether what Redis has is older than what was written there."""
        return entry.message_count < self.counts[slot] - self._fresh(slot)

    def flush(self, slot: int, payload: bytes, kept: int, noted: tuple[int, int]) -> TopicEntry:
        """Return the entry to store and begin the next period of the topic's rate.

        ``noted`` is the number of the newest message that was taken into account.
        """
        self._learn_period(slot)
        self._flushed[slot] = self.counts[slot] & _LOW
        self._flushed_at[slot] = self.last_seen[slot]
        self.kept[slot] = kept
        flags = self.flags[slot]
        return TopicEntry(
            self.names[slot],
            payload,
            self.sizes[slot],
            flags & _QOS,
            bool(flags & RETAINED),
            self.counts[slot],
            self.first_seen[slot],
            self.last_seen[slot],
            self.rate(slot) or None,
            *noted,
        )

    def rate(self, slot: int) -> float:
        """Return messages per second as of the last message, 0 while unknown."""
        period = self._periods[slot]
        return 1 / period if period > 0 else 0.0

    def usual_gap(self, slot: int) -> float | None:
        """Return the usual seconds between two messages, None while unknown."""
        return self._periods[slot] or None

    def overdue(self, first: int, last: int, now: float, since: float) -> list[tuple[float, int]]:
        """Return (last seen, slot) of the silent ones among some slots.

        Silent means: for three usual periods, and `LEAST_SILENCE_S`, without a message although
        they could have come since ``since``.
        """
        latest = now - LEAST_SILENCE_S
        return [
            (seen, slot)
            for slot, (seen, period) in enumerate(
                zip(self.last_seen[first:last], self._periods[first:last], strict=True), first
            )
            if period and seen < latest and now - max(seen, since) > _MISSED_PERIODS * period
        ]

    def _fresh(self, slot: int) -> int:
        """Return how many messages came since the last flush."""
        return (self.counts[slot] - self._flushed[slot]) & _LOW

    def _learn_period(self, slot: int) -> None:
        news = self._fresh(slot)
        since = self._flushed_at[slot]
        if not since:  # the first flush: n messages have n - 1 gaps
            news, since = news - 1, self.first_seen[slot]
        gap = self.last_seen[slot] - since
        if news <= 0 or gap <= 0:
            return
        newest, before = gap / news, self._periods[slot]
        self._periods[slot] = before + _NEWEST * (newest - before) if before else newest

    def _columns(self) -> "tuple[array[int] | array[float], ...]":
        return (
            self.counts,
            self.first_seen,
            self.last_seen,
            self.sizes,
            self.kept,
            self._flushed,
            self._flushed_at,
            self._periods,
        )
