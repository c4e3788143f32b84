"""What was found out about topics, kept in a bounded number of bytes."""

import sys
from typing import Final, TypeVar

V = TypeVar("V")

# A name on the wire may have 64 KiB. Such ones are looked up each time.
LONGEST: Final = 1024
# What an entry costs beside its name.
ENTRY_BYTES: Final = 100


class NameCache(dict[str, V]):
    """A dictionary by topic that starts over when its names take up ``limit`` bytes.

    Only `keep` adds to it; it is not safe to call that from several threads at once.
    """

    def __init__(self, limit: int = 8 * 1024 * 1024) -> None:
        super().__init__()
        self._limit = limit
        self._bytes = 0

    def keep(self, name: str, value: V) -> V:
        """Remember a value unless the name is very long; return it."""
        if len(name) <= LONGEST:
            cost = sys.getsizeof(name) + ENTRY_BYTES
            if self._bytes + cost > self._limit:
                self.clear()
            self[name] = value
            self._bytes += cost
        return value

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._bytes = 0
