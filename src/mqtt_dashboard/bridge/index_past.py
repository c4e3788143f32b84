"""What the end of the message log adds to a stored index, topic by topic.

A bridge that is killed has written messages to the log which it had not yet written to the index.
An entry says up to which message it counts, so nothing is counted twice.
"""

from dataclasses import dataclass
from typing import Final

from mqtt_dashboard.bridge.unwritten import Position
from mqtt_dashboard.contract.messages import Batch, LogMessage
from mqtt_dashboard.contract.topic_entry import LATEST, TopicEntry

LONGEST_TOPIC: Final = 65_535
LARGEST_SEQ: Final = 2**62


@dataclass(slots=True)
class Heard:
    """Messages of one topic: how many, since when, and the newest with its value cut."""

    count: int
    first_seen: float
    last: LogMessage
    value: bytes


class Past:
    """Collects what the stored index does not hold yet.

    ``mark`` is up to where all of it does; ``own`` are the epochs whose messages this bridge has
    heard itself, the present one among them. ``refused`` counts what no bridge writes.
    """

    def __init__(self, mark: Position, own: frozenset[int], value_limit: int) -> None:
        self.topics: dict[str, Heard] = {}
        self.retained: dict[str, bool] = {}
        self.last = mark
        self.messages = 0
        self.refused = 0
        self._mark = mark
        self._own = own
        self._value_limit = value_limit
        self._ahead: dict[str, Position] = {}

    def stored(self, entry: TopicEntry) -> None:
        """Note an entry that was written after the mark."""
        position = (entry.epoch, entry.seq)
        if position > self._mark:
            self._ahead[entry.topic] = position

    def add(self, batch: Batch) -> None:
        """Take a batch of the log into account; batches come oldest first, and may come twice."""
        if batch.epoch in self._own:
            return
        if batch.epoch > max(self._own, default=0) or batch.first_seq > LARGEST_SEQ:
            self.refused += len(batch.messages)
            return
        for seq, message in enumerate(batch.messages, batch.first_seq):
            position = (batch.epoch, seq)
            if position <= self.last:
                continue
            self.last = position
            if position > self._ahead.get(message.topic, self._mark):
                self._count(message)

    def _count(self, message: LogMessage) -> None:
        if not _sound(message):
            self.refused += 1
            return
        self.messages += 1
        value = message.payload[: self._value_limit]
        heard = self.topics.get(message.topic)
        if heard is None:
            self.topics[message.topic] = Heard(1, message.timestamp, message, value)
        else:
            heard.count += 1
            heard.last, heard.value = message, value
        if message.retain:
            # Without payload it clears what was kept (MQTT 5.0, 3.3.1.3).
            self.retained[message.topic] = bool(message.payload)


def _sound(message: LogMessage) -> bool:
    """Tell whether a message of the log is one that a bridge may have written."""
    return (
        0 < len(message.topic) <= LONGEST_TOPIC
        and 0 <= message.qos <= 2
        and 0 <= message.timestamp <= LATEST
    )
