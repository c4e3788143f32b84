"""One viewer's account, those who share a set of filters, and the ring of recent messages.

Plain data with no lock: everything here is used under the fan-out's lock. For each viewer
``matched = sent + dropped + buffered`` holds at every moment.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.messages import LogMessage
from mqtt_dashboard.dashboard.matching import FilterSet, matches_any

FRAME_MESSAGES: Final = 200
FRAME_BYTES: Final = 512 * 1024
RING_MESSAGES: Final = 2000
RING_BYTES: Final = 4 * 1024 * 1024


class Item:
    """A message with its place in the log; turned into JSON once, when first sent."""

    __slots__ = ("_raw", "epoch", "message", "seq")

    def __init__(self, message: LogMessage, epoch: int, seq: int) -> None:
        self.message = message
        self.epoch = epoch
        self.seq = seq
        self._raw: msgspec.Raw | None = None

    def raw(self, limit: int) -> msgspec.Raw:
        """Return the public document in JSON; long payloads are cut."""
        if self._raw is None:
            document = codec.to_document(self.message, epoch=self.epoch, seq=self.seq, limit=limit)
            self._raw = msgspec.Raw(codec.encode(document))
        return self._raw

    def weight(self, limit: int) -> int:
        """Return about how many bytes the document takes."""
        return min(len(self.message.payload), limit) + len(self.message.topic) + 160


class Viewer:
    """One socket: its filters, what waits for it, and its account."""

    def __init__(self, sid: str) -> None:
        self.sid = sid
        self.filters: FilterSet = frozenset()
        self.backlog: deque[Item] = deque()
        self.wants_replay: set[str] = set()
        self.gap = False
        self.unreported = 0
        self.matched = 0
        self.sent = 0
        self.dropped = 0
        self.silent_since: float | None = None

    @property
    def behind(self) -> bool:
        """Tell whether something waits for this viewer alone."""
        return bool(self.backlog) or self.unreported > 0 or self.gap

    def absorb(self, items: Iterable[Item], left_out: int) -> int:
        """Buffer matched messages, the newest win; return how many were dropped."""
        self.backlog.extend(items)
        dropped = left_out
        while len(self.backlog) > FRAME_MESSAGES:
            self.backlog.popleft()
            dropped += 1
        self.unreported += dropped
        self.dropped += dropped
        return dropped

    def forget_unwanted(self) -> int:
        """Drop what waits but is not wanted any more; return how many."""
        kept = deque(one for one in self.backlog if matches_any(self.filters, one.message.topic))
        lost = len(self.backlog) - len(kept)
        self.backlog = kept
        self.dropped += lost
        return lost


class Audience:
    """Viewers with the same filters: matched once, encoded once, sent together."""

    def __init__(self, filters: FilterSet) -> None:
        self.filters = filters
        self.viewers: dict[str, Viewer] = {}
        self.pending: deque[Item] = deque(maxlen=FRAME_MESSAGES)
        self.matched = 0
        self.gap = False

    def add(self, item: Item) -> None:
        """Queue a message for the next frame; the oldest gives way."""
        self.pending.append(item)
        self.matched += 1

    def take(self) -> tuple[list[Item], int, bool]:
        """Return and forget what is queued, how many matched, and whether there was a gap."""
        taken = list(self.pending), self.matched, self.gap
        self.pending.clear()
        self.matched, self.gap = 0, False
        return taken


class Ring:
    """The most recent messages, bounded in number and in bytes."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._bytes = 0

    def add(self, item: Item) -> None:
        """Keep a message; the oldest give way."""
        self._items.append(item)
        self._bytes += len(item.message.payload)
        while len(self._items) > RING_MESSAGES or self._bytes > RING_BYTES:
            self._bytes -= len(self._items.popleft().message.payload)

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()
        self._bytes = 0

    def newest_first(self) -> Iterator[Item]:
        """Iterate from the newest to the oldest."""
        return reversed(self._items)


def newest_within(items: list[Item], limit: int) -> list[Item]:
    """Return the newest messages that fit into one frame, in order."""
    left = FRAME_BYTES
    for position in range(len(items) - 1, -1, -1):
        left -= items[position].weight(limit)
        if left < 0:
            return items[position + 1 :]
    return items
