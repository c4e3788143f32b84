"""How many entries the message log may keep so that it stays below its bytes."""

from collections import deque
from typing import Final

# The log's bytes are known to about one part in so many.
PORTIONS: Final = 1000


class Retention:
    """Counts the entries of the log and their bytes, oldest first; used by the forwarder alone.

    Neighbours are counted together as soon as they are many, so this stays small however many
    entries there are; what was in the log before is one such portion.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._portion = max(1, limit_bytes // PORTIONS)
        self.forget()

    def forget(self) -> None:
        """Start over: the log may have changed without our knowing."""
        self.known = False
        self._portions: deque[tuple[int, int]] = deque()
        self._entries = 0
        self._bytes = 0

    def begin(self, entries: int, used: int) -> None:
        """Take over a log of ``entries`` entries and ``used`` bytes."""
        self.known = True
        if entries:
            self._portions.append((entries, used))
            self._entries, self._bytes = entries, used

    def entries_after(self, size: int) -> int:
        """Return how many entries to keep when one of ``size`` bytes is added."""
        while self._bytes + size > self._limit and self._portions:
            entries, used = self._portions[0]
            over = self._bytes + size - self._limit
            # As many average entries as it takes, the whole portion at most.
            self._drop(min(entries, -(-over * entries // max(1, used))))
        return self._entries + 1

    def added(self, size: int) -> None:
        """Note an entry that was written."""
        if self._portions and self._portions[-1][1] + size <= self._portion:
            entries, used = self._portions.pop()
            self._portions.append((entries + 1, used + size))
        else:
            self._portions.append((1, size))
        self._entries += 1
        self._bytes += size

    def trimmed(self, entries: int) -> None:
        """Note that the oldest entries have gone because of their age."""
        while entries > 0 and self._portions:
            entries -= self._drop(min(entries, self._portions[0][0]))

    def _drop(self, entries: int) -> int:
        count, used = self._portions.popleft()
        gone = used if entries == count else used * entries // count
        if entries < count:
            self._portions.appendleft((count - entries, used - gone))
        self._entries -= entries
        self._bytes -= gone
        return entries
