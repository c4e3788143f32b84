"""Which topics have changed since Redis was told, oldest change first, in rounds.

A round is everything that had changed at one moment. Once all of it is written, Redis holds every
message up to that moment: the round's mark.
"""

from collections.abc import Collection
from typing import NamedTuple

# The epoch and the number of a message; (0, 0) is before all of them.
Position = tuple[int, int]


class Part(NamedTuple):
    """A part of a round: slots, each with its value (None: not at hand).

    ``mark`` comes with the last part of a round of which nothing failed; ``more`` tells whether
    the round goes on.
    """

    slots: list[tuple[int, bytes | None]]
    mark: Position | None
    more: bool


class Unwritten:
    """Slots with their newest values; the owner locks."""

    def __init__(self) -> None:
        self.changed: dict[int, bytes | None] = {}
        self._taking: list[tuple[int, bytes | None]] = []
        self._mark: Position = (0, 0)
        self._failed = False

    def slots(self) -> set[int]:
        """Return every slot that waits to be written."""
        return self.changed.keys() | {slot for slot, _ in self._taking}

    def take(self, limit: int, noted: Position) -> Part:
        """Return the next part; ``noted`` is up to where messages are taken into account now."""
        if not self._taking:
            self._taking = list(self.changed.items())[::-1]
            self.changed = {}
            self._mark, self._failed = noted, False
        part: list[tuple[int, bytes | None]] = []
        while self._taking and len(part) < limit:
            slot, value = self._taking.pop()
            newer = self.changed.pop(slot, None)
            part.append((slot, value if newer is None else newer))
        whole = not self._taking and not self._failed
        return Part(part, self._mark if whole else None, bool(self._taking))

    def give_back(self, slot: int, value: bytes | None) -> None:
        """Take a slot back that could not be written; what came meanwhile is newer."""
        self._failed = True
        self.changed.setdefault(slot, value)

    def forget(self, slots: Collection[int]) -> None:
        """Give slots up: their topics are no longer known."""
        gone = set(slots)
        for slot in gone:
            self.changed.pop(slot, None)
        self._taking = [one for one in self._taking if one[0] not in gone]
