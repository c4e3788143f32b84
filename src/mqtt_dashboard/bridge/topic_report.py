"""What of the topic index goes into documents: what changed, what is new; bounded in bytes.

The owner locks.
"""

import heapq
from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

from mqtt_dashboard.bridge.shown import that_fit
from mqtt_dashboard.bridge.topic_table import CHANGED, RETAINED, TopicTable
from mqtt_dashboard.contract.messages import TopicChange, TopicNews

CHANGES_SHOWN: Final = 200
NEWEST_SHOWN: Final = 20
# Bytes of a document that all topics of one of its lists may take; every browser gets it.
CHANGES_BYTES: Final = 128 * 1024
NEWS_BYTES: Final = 32 * 1024


class Interval(NamedTuple):
    """What happened since the last document: ``shown`` are the busiest of the changed topics."""

    new: int
    changed: int
    shown: list[TopicChange]


class TopicReport:
    """Remembers what happened since the last document, and the topics seen first last."""

    def __init__(self) -> None:
        self.new = 0
        self.changed = array("I")
        self._newest: list[tuple[float, int]] = []  # a heap of (first seen, slot)

    def note_new(self, slot: int, first_seen: float) -> None:
        """Remember a topic if it is among the newest."""
        if len(self._newest) < NEWEST_SHOWN:
            heapq.heappush(self._newest, (first_seen, slot))
        elif first_seen > self._newest[0][0]:
            heapq.heapreplace(self._newest, (first_seen, slot))

    def forget_gone(self, table: TopicTable) -> None:
        """Give up slots that hold no topic any more."""
        self.changed = array("I", (one for one in self.changed if table.names[one]))

    def take(self, table: TopicTable) -> Interval:
        """Return what happened, and begin the next interval."""
        changed, self.changed = self.changed, array("I")
        new, self.new = self.new, 0
        for slot in changed:
            table.flags[slot] &= ~CHANGED
        busiest = heapq.nlargest(CHANGES_SHOWN, changed, key=table.rate)
        shown = (_change(table, slot) for slot in busiest)
        return Interval(new, len(changed), that_fit(shown, CHANGES_BYTES))

    def newest(self, table: TopicTable) -> list[TopicNews]:
        """Return the topics seen first most recently, the newest first."""
        kept = [
            slot
            for seen, slot in sorted(self._newest, reverse=True)
            if table.names[slot] and table.first_seen[slot] == seen
        ]
        return news(table, dict.fromkeys(kept))


def news(table: TopicTable, slots: Iterable[int]) -> list[TopicNews]:
    """Return what is worth telling of some slots."""
    told = (
        TopicNews(
            topic=table.names[slot],
            first_seen=table.first_seen[slot],
            last_seen=table.last_seen[slot],
            message_count=table.counts[slot],
            usual_gap_s=table.usual_gap(slot),
        )
        for slot in slots
        if table.names[slot]
    )
    return that_fit(told, NEWS_BYTES)


def _change(table: TopicTable, slot: int) -> TopicChange:
    return TopicChange(
        topic=table.names[slot],
        message_count=table.counts[slot],
        last_seen=table.last_seen[slot],
        rate=table.rate(slot) or None,
        retained=bool(table.flags[slot] & RETAINED),
    )
