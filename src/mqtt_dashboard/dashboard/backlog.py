"""What waits for somebody slow: everything while it is little, then the newest of each topic.

An older message gives way when a newer one of its topic waits too: it is *conflated*. Only when
even the newest of all topics are too many, the one that waits longest is *dropped*.
"""

from collections import deque
from dataclasses import dataclass, field

from mqtt_dashboard.dashboard.ring import FRAME_BYTES, FRAME_MESSAGES, Item


@dataclass(slots=True)
class Losses:
    """How many matched messages are not sent, by cause, and of named topics in both together."""

    conflated: int = 0
    dropped: int = 0
    named: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Losses") -> None:
        """Add others to these."""
        self.conflated += other.conflated
        self.dropped += other.dropped
        for topic, count in other.named.items():
            self.named[topic] = self.named.get(topic, 0) + count

    def copy(self) -> "Losses":
        """Return the same numbers, to be kept."""
        return Losses(self.conflated, self.dropped, dict(self.named))

    def __bool__(self) -> bool:
        return bool(self.conflated or self.dropped)


class Backlog:
    """Waiting messages, bounded in topics, messages and bytes; ``losses`` counts what gave way.

    What gives way of the topics in ``named`` is counted for each of them, too.
    """

    def __init__(
        self,
        most_topics: int,
        most_messages: int,
        most_bytes: int,
        named: frozenset[str] = frozenset(),
    ) -> None:
        self.named = named
        self._most_topics = most_topics
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        # The newest of each topic, longest waiting first, and those a newer one has followed.
        self._newest: dict[str, Item] = {}
        self._older: deque[Item] = deque()
        self._bytes = 0
        self.losses = Losses()

    def __len__(self) -> int:
        return len(self._newest) + len(self._older)

    def add(self, item: Item) -> None:
        """Keep a message, later in the log than all before."""
        before = self._newest.pop(item.topic, None)
        if before is not None:
            self._older.append(before)
        self._newest[item.topic] = item
        self._bytes += item.weight
        while self._older and (len(self) > self._most_messages or self._bytes > self._most_bytes):
            self._give_way(self._older.popleft())
            self.losses.conflated += 1
        while len(self._newest) > self._most_topics or (
            self._bytes > self._most_bytes and len(self._newest) > 1
        ):
            self._give_way(self._newest.pop(next(iter(self._newest))))
            self.losses.dropped += 1

    def take_losses(self) -> Losses:
        """Return and forget what gave way."""
        taken, self.losses = self.losses, Losses()
        return taken

    def take_all(self) -> list[Item]:
        """Return and forget everything that waits, in the order of the log."""
        items = self.items()
        self._newest.clear()
        self._older.clear()
        self._bytes = 0
        return items

    def take_frame(self) -> list[Item]:
        """Return and forget what fits into one frame, longest waiting first."""
        items = self.take_all()
        room, end = FRAME_BYTES, 0
        for item in items[:FRAME_MESSAGES]:
            room -= item.weight
            if room < 0 and end:
                break
            end += 1
        self._put_back(items[end:])
        return items[:end]

    def keep_only(self, topics_wanted: "dict[str, bool]") -> int:
        """Forget messages of other topics; return how many."""
        items = self.take_all()
        kept = [one for one in items if topics_wanted[one.topic]]
        self._put_back(kept)
        return len(items) - len(kept)

    def topics(self) -> list[str]:
        """Return the topics that wait."""
        return list(self._newest)

    def items(self) -> list[Item]:
        """Return everything that waits, in the order of the log."""
        if not self._older:
            return list(self._newest.values())
        return sorted([*self._older, *self._newest.values()], key=_place)

    def _give_way(self, item: Item) -> None:
        self._bytes -= item.weight
        if item.topic in self.named:
            self.losses.named[item.topic] = self.losses.named.get(item.topic, 0) + 1

    def _put_back(self, items: list[Item]) -> None:
        for item in items:
            before = self._newest.pop(item.topic, None)
            if before is not None:
                self._older.append(before)
            self._newest[item.topic] = item
            self._bytes += item.weight


def _place(item: Item) -> tuple[int, int]:
    return item.position
