"""Durable commands in the bridge's hand, and the packet ids of those that are sent exactly once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mqtt_dashboard.contract.orders import Order
from mqtt_dashboard.mqtt.packet_ids import CALLERS

MAX_HELD: Final = 500
MAX_HELD_BYTES: Final = 16 * 1024 * 1024


@dataclass(eq=False)
class Held:
    """One command.

    ``epoch`` is the reign it was taken under. ``due`` is its deadline on the monotonic clock, None
    until its record was read. ``out``: the link has it. ``may_be_out``: an earlier sending may have
    reached the broker. ``closed``: its result is on its way into the journal.
    """

    command_id: str
    position: str
    order: Order
    epoch: int
    due: float | None = None
    phase: str = ""
    packet_id: int = 0
    out: bool = False
    may_be_out: bool = False
    closed: bool = False

    @property
    def exactly_once(self) -> bool:
        """Whether its packet id and phase are journalled."""
        return self.order.mode == "exactly-once"

    @property
    def order_key(self) -> tuple[int, int]:
        """The place in the stream, to compare."""
        first, _, second = self.position.partition("-")
        return int(first), int(second or 0)


class Hand:
    """All commands in hand, bounded in number and bytes; belongs to one thread."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._ids: set[int] = set()
        self._last_id = 0
        self.burnt: set[int] = set()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    def holds(self, held: Held) -> bool:
        """Tell whether this very command is still in hand."""
        return self._held.get(held.command_id) is held

    def position_of(self, command_id: str) -> str | None:
        """Return the place in the stream of a command in hand."""
        held = self._held.get(command_id)
        return None if held is None else held.position

    def add(self, held: Held) -> None:
        """Take a command in hand, with the packet id it may have."""
        self._held[held.command_id] = held
        self.bytes += len(held.order.payload)
        if held.packet_id:
            self._ids.add(held.packet_id)

    def drop(self, held: Held) -> None:
        """Let go of a command; its packet id is free, unless it is burnt."""
        if self._held.pop(held.command_id, None) is not None:
            self.bytes -= len(held.order.payload)
            self._ids.discard(held.packet_id)

    def clear(self) -> None:
        """Let go of everything."""
        self._held.clear()
        self._ids.clear()
        self.burnt.clear()
        self.bytes = 0

    def room(self) -> int:
        """Return how many more commands may be taken in hand."""
        return 0 if self.bytes >= MAX_HELD_BYTES else MAX_HELD - len(self._held)

    def give_packet_id(self, held: Held) -> bool:
        """Give a command a packet id of its own; False when none is free."""
        if len(self._ids | self.burnt) >= CALLERS:
            return False
        while True:
            self._last_id = self._last_id % CALLERS + 1
            if self._last_id not in self._ids and self._last_id not in self.burnt:
                held.packet_id = self._last_id
                self._ids.add(self._last_id)
                return True
