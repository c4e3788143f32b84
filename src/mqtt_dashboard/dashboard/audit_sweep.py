"""What must be written into the audit record although nobody asks for it, seen to now and then.

Outcomes that nobody told (of workers that died, of times without Redis) are told by one worker at a
time, a part per turn.
"""

import uuid
from collections.abc import Callable
from typing import Final, Protocol

from mqtt_dashboard.bus.audit_store import AuditStore
from mqtt_dashboard.bus.dashboard_orders import DashboardOrders
from mqtt_dashboard.clock import DAY_S, Clock
from mqtt_dashboard.contract.audit import AuditAction, AuditOutcome

SWEEP_EVERY_S: Final = 30.0
# The claim ends before the next look, so that any worker may be the next.
CLAIMED_S: Final = 25.0
PER_TURN: Final = 200
# A command that was opened this long ago and has no record will have none.
ACCEPTED_WITHIN_S: Final = 60.0
NO_RECORD: Final = "there is no record of this command: it was not accepted, or its record is gone"


class Writer(Protocol):
    """The part of the auditor that is needed here."""

    def outcome(
        self, command: str, of: int, outcome: AuditOutcome, reason: str, code: int | None
    ) -> None:
        """Write down how a command ended, unless somebody did."""

    def note(self, action: AuditAction, outcome: AuditOutcome, detail: str) -> None:
        """Write down what nobody in particular did."""


class AuditSweep:
    """The rounds of one worker; belongs to one loop."""

    def __init__(
        self,
        store: AuditStore,
        orders: DashboardOrders,
        clock: Clock,
        writer: Writer,
        left_out: Callable[[], str | None],
        max_age_s: float | None,
    ) -> None:
        self._store = store
        self._orders = orders
        self._clock = clock
        self._writer = writer
        self._left_out = left_out
        self._max_age_s = max_age_s
        self._name = uuid.uuid4().hex
        self._looked_at = float("-inf")
        self._open: list[tuple[str, int]] = []

    def turn(self) -> None:
        """Do what is due, bounded; raise `BusError` when Redis does not answer."""
        if self._clock.monotonic() - self._looked_at >= SWEEP_EVERY_S:
            self._begin()
        part, self._open = self._open[:PER_TURN], self._open[PER_TURN:]
        self._tell(part)

    def _begin(self) -> None:
        self._looked_at = self._clock.monotonic()
        told = self._left_out()
        if told is not None:
            self._writer.note("left_out", "refused", f"not written down one by one: {told}")
        if self._store.claim_sweep(self._name, CLAIMED_S):
            self._remove_old()
            self._open = list(self._store.open_commands().items())

    def _tell(self, part: list[tuple[str, int]]) -> None:
        lost: list[tuple[str, int]] = []
        records = self._orders.records.many([command for command, _ in part])
        for (command, seq), record in zip(part, records, strict=True):
            if record is None:
                lost.append((command, seq))
            elif record.state != "accepted":
                self._writer.outcome(command, seq, record.state, record.reason, record.code)
        times = self._store.written_at([seq for _, seq in lost])
        for (command, seq), at in zip(lost, times, strict=True):
            if at is None or self._clock.now() - at > ACCEPTED_WITHIN_S:
                self._writer.outcome(command, seq, "indeterminate", NO_RECORD, None)

    def _remove_old(self) -> None:
        """Move the beginning past what is too old, a day's entries at a time."""
        if self._max_age_s is None:
            return
        oldest, now = self._store.oldest_at(), self._clock.now()
        if oldest is None or now - oldest < self._max_age_s + DAY_S:
            return
        first = self._store.first_since(now - self._max_age_s)
        self._store.begin_with(first)
        self._writer.note("old_removed", "done", f"the record begins with entry {first}")
