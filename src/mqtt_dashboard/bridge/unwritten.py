"""Which topics have changed since Redis was told, oldest change first, in rounds.

A round is everything that had changed at one moment. Once all of it is written, Redis holds every
message up to that moment: the round's mark.
"""

from collections.abc import Collection, Iterator
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
        # What is left of a round; values already taken are gone from it, their slots are not.
        self._round: dict[int, bytes | None] = {}
        self._rest: Iterator[int] = iter(())
        self._left = 0
        self._gone: set[int] = set()
        self._mark: Position = (0, 0)
        self._failed = False

    def slots(self) -> set[int]:
        """Return every slot that waits to be written, or was taken in the present round."""
        return self.changed.keys() | self._round.keys()

    def take(self, limit: int, noted: Position) -> Part:
        """Return the next part; ``noted`` is up to where messages are taken into account now."""
        if not self._left:
            self._round, self.changed = self.changed, {}
            self._rest, self._left = iter(self._round), len(self._round)
            self._gone.clear()
            self._mark, self._failed = noted, False
        part: list[tuple[int, bytes | None]] = []
        while self._left and len(part) < limit:
            slot = next(self._rest)
            self._left -= 1
            value, self._round[slot] = self._round[slot], None
            if slot not in self._gone:
                newer = self.changed.pop(slot, None)
                part.append((slot, value if newer is None else newer))
        if not self._left:
            self._round, self._rest = {}, iter(())
        whole = not self._left and not self._failed
        return Part(part, self._mark if whole else None, self._left > 0)

    def give_back(self, slot: int, value: bytes | None) -> None:
        """Take a slot back that could not be written; what came meanwhile is newer."""
        self._failed = True
        self.changed.setdefault(slot, value)

    def forget(self, slots: Collection[int]) -> None:
        """Give slots up: their topics are no longer known."""
        for slot in slots:
            self.changed.pop(slot, None)
        if self._left:
            self._gone.update(slots)
