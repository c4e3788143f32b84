"""Packet ids for what we send: never two uses at once (MQTT 5.0, 2.2.1)."""

import secrets
from typing import Final

_HIGHEST: Final = 65_535

# Packet ids 1 to this one are never handed out: they belong to callers that remember them.
CALLERS: Final = 4_096


class PacketIds:
    """Hands out ids in turn.

    An id of a QoS 2 publish that ended without an answer stays ``burnt`` while the broker keeps
    the session: used again, the broker would take the new message for a copy of the old one.
    """

    def __init__(self, first: int | None = None, *, reserved: int = 0) -> None:
        self._reserved = reserved
        self._count = _HIGHEST - reserved
        self._last = reserved + secrets.randbelow(self._count) if first is None else first - 1
        self._used: set[int] = set()
        self._burnt: set[int] = set()

    def take(self) -> int | None:
        """Return a free id, or None when all are in use."""
        if len(self._used) + len(self._burnt) >= self._count:
            return None
        while True:
            self._last = self._last + 1 if self._last < _HIGHEST else self._reserved + 1
            if self._last not in self._used and self._last not in self._burnt:
                self._used.add(self._last)
                return self._last

    def give_back(self, packet_id: int) -> None:
        """Free an id whose exchange is complete."""
        self._used.discard(packet_id)

    def burn(self, packet_id: int) -> None:
        """Keep an id out of use until the broker forgets the session."""
        self._used.discard(packet_id)
        self._burnt.add(packet_id)

    def new_connection(self, *, session_present: bool) -> None:
        """Free what a new connection frees."""
        self._used.clear()
        if not session_present:
            self._burnt.clear()
