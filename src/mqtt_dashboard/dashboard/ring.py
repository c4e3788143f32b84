"""Messages on their way to viewers, and the ring of recent ones."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.messages import Batch, LogMessage

FRAME_MESSAGES: Final = 1000
FRAME_BYTES: Final = 512 * 1024
RING_MESSAGES: Final = 2000
RING_BYTES: Final = 4 * 1024 * 1024
OVERHEAD_BYTES: Final = 160


class Position(NamedTuple):
    """A place in the message log; later places compare greater."""

    epoch: int
    seq: int


START: Final = Position(0, 0)


class Item:
    """A message with its place in the log; turned into JSON once, when first sent.

    A payload longer than ``limit`` is cut at once, so that nobody who waits holds the whole of it.
    """

    __slots__ = ("_limit", "_message", "_raw", "position", "topic", "weight")

    def __init__(self, message: LogMessage, position: Position, limit: int) -> None:
        self.position = position
        self.topic = message.topic
        self._limit = limit
        self._message: LogMessage | None = message
        self._raw: msgspec.Raw | None = None
        self.weight = len(message.payload) + len(message.topic) + OVERHEAD_BYTES
        if len(message.payload) > limit:
            self.weight = len(self.raw())

    def raw(self) -> msgspec.Raw:
        """Return the public document in JSON."""
        if self._raw is None:
            assert self._message is not None
            epoch, seq = self.position
            document = codec.to_document(self._message, epoch=epoch, seq=seq, limit=self._limit)
            self._raw = msgspec.Raw(codec.encode(document))
            self._message = None
        return self._raw


def items_of(batch: Batch, limit: int) -> Iterator[Item]:
    """Return the messages of a batch, oldest first."""
    for seq, message in enumerate(batch.messages, batch.first_seq):
        yield Item(message, Position(batch.epoch, seq), limit)


class Ring:
    """The most recent messages, bounded in number and in bytes."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._bytes = 0

    def add(self, item: Item) -> None:
        """Keep a message; the oldest give way."""
        self._items.append(item)
        self._bytes += item.weight
        while len(self._items) > RING_MESSAGES or self._bytes > RING_BYTES:
            self._bytes -= self._items.popleft().weight

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()
        self._bytes = 0

    def newest_first(self) -> Iterator[Item]:
        """Iterate from the newest to the oldest."""
        return reversed(self._items)


def newest_within(items: list[Item], room: int) -> list[Item]:
    """Return the newest messages that fit into a number of bytes, in order."""
    for position in range(len(items) - 1, -1, -1):
        room -= items[position].weight
        if room < 0:
            return items[position + 1 :]
    return items


def frames_of(items: Iterable[Item]) -> list[list[Item]]:
    """Split messages into pieces that fit into one frame each, in order."""
    frames: list[list[Item]] = []
    room = 0
    for item in items:
        if not frames or len(frames[-1]) >= FRAME_MESSAGES or item.weight > room:
            frames.append([])
            room = FRAME_BYTES
        frames[-1].append(item)
        room -= item.weight
    return frames
