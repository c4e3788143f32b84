"""Durable commands: accept them, tell what became of them, never guess it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from mqtt_dashboard.bus.dashboard_orders import (
    ANYBODY,
    Accepted,
    Bounds,
    DashboardOrders,
    Sender,
)
from mqtt_dashboard.bus.durability import NOT_ASKED
from mqtt_dashboard.bus.order_records import Seen
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import orders
from mqtt_dashboard.contract.orders import CommandRecord, CommandRequest, CommandsReply
from mqtt_dashboard.contract.policy import CommandPolicy
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.results import ResultBoard
from mqtt_dashboard.dashboard.state import ReadModel
from mqtt_dashboard.errors import BusError, DashboardError

# Results are told; this is for the one that was not.
LOOK_EVERY_S: Final = 3.0
# Rights change when an administrator acts, so once more is nearly always enough.
JUDGED_AT_MOST: Final = 5


class UnavailableError(DashboardError):
    """The request was not served now; the text says whether anything was accepted."""


class NoRoomError(UnavailableError):
    """Nothing was accepted, because as much as is allowed is kept already."""


class NotDurableError(UnavailableError):
    """Nothing was accepted, because Redis would lose it when it dies; the text says what to do."""


class KeyTakenError(DashboardError):
    """The Idempotency-Key stands for another command."""


@dataclass(frozen=True)
class Behalf:
    """In whose name a command is sent: what the bridge judges by, and who it is."""

    policy: CommandPolicy | None = None
    sender: Sender = ANYBODY


Judge = Callable[[], Behalf]


class Commander:
    """The durable commands of this worker."""

    def __init__(
        self,
        store: DashboardOrders,
        state: ReadModel,
        board: ResultBoard,
        clock: Clock,
        counters: Counters,
        bounds: Bounds,
        *,
        must_last: bool = True,
    ) -> None:
        self._store = store
        self._state = state
        self._clock = clock
        self._counters = counters
        self._bounds = bounds
        self._must_last = must_last
        self.board = board

    def accept(
        self,
        request: CommandRequest,
        key: str | None,
        judge: Judge,
        *,
        command_id: str,
        patient: bool = True,
    ) -> CommandRecord:
        """Accept a command for good, or return the record its key stands for.

        ``judge`` says in whose name, or raises; it is asked again when rights change meanwhile.
        Without patience the caller waits for the result, and nothing is left for later.

        Raise `FieldRefusedError` (a field), `KeyTakenError` or `UnavailableError`.
        """
        accepted = self._accepted(request, key, judge, command_id, patient=patient)
        self._counters.add("commands", accepted.verdict)
        if accepted.verdict == "rights":
            raise UnavailableError("not accepted: rights are being changed; try again")
        if accepted.verdict == "full":
            raise NoRoomError(
                f"not accepted: {accepted.told} are kept already, and there is no room for more"
            )
        if accepted.verdict == "differs":
            raise KeyTakenError(
                f"this Idempotency-Key stands for another command ({accepted.told}); "
                "use a new key for a new command"
            )
        record = self.get(accepted.told)
        if record is None:
            raise UnavailableError(f"accepted as {accepted.told}, but its record is gone")
        return replace(record, repeated=accepted.verdict == "known")

    def _accepted(
        self,
        request: CommandRequest,
        key: str | None,
        judge: Judge,
        command_id: str,
        *,
        patient: bool,
    ) -> Accepted:
        for _ in range(JUDGED_AT_MOST):
            behalf, keyed = judge(), key is not None
            order = orders.order_of(request, keyed=keyed, patient=patient, policy=behalf.policy)
            durability, deadline_s = self._state.durability, request.deadline_s
            try:
                accepted = self._store.accept(
                    command_id, order, deadline_s, key, self._bounds, durability, behalf.sender
                )
            except BusError as error:
                self._counters.add("commands", "unavailable")
                advice = "; repeat it with the same Idempotency-Key" if keyed else ""
                told = f"not known to be accepted: {error.reason}{advice}"
                raise UnavailableError(told) from error
            if accepted.verdict != "rights":
                break
        return accepted

    def get(self, command_id: str) -> CommandRecord | None:
        """Return a record as it is now; one that is overdue and untouched has expired."""
        try:
            record = self._store.records.one(command_id)
            if record is None or record.state != "accepted" or record.phase != "queued":
                return record
            if self._clock.now() <= record.deadline:
                return record
            self._counters.add("commands", "ended_here", self._store.sweep(only=command_id).ended)
            return self._store.records.one(command_id)
        except BusError as error:
            raise UnavailableError(f"cannot be looked up now: {error.reason}") from error

    def wait(self, command_id: str, seconds: float, event: threading.Event) -> CommandRecord | None:
        """Wait for a result and return the newest record; raise `UnavailableError`."""
        until = time.monotonic() + seconds
        while True:
            event.clear()
            record = self.get(command_id)
            left = until - time.monotonic()
            if record is None or record.finished_at is not None or left <= 0:
                return record
            event.wait(min(left, LOOK_EVERY_S))

    def recent(self, limit: int, seen: Seen, *, counted: bool) -> CommandsReply:
        """Return the newest records that are to be seen, and how full the stream is."""
        queued: int | None = None
        used: int | None = None
        try:
            found = self._store.records.newest(limit, seen)
            if counted:
                queued, used = self._store.waiting()
        except BusError as error:
            raise UnavailableError(f"cannot be looked up now: {error.reason}") from error
        durability = self._state.durability
        return CommandsReply(
            commands=found,
            queued=queued,
            queued_limit=self._bounds.commands,
            queued_bytes=used,
            queued_bytes_limit=self._bounds.bytes,
            durable=durability.durable,
            durable_reason=durability.reason,
        )

    def require_durable(self) -> None:
        """Raise `UnavailableError` when what is accepted now may not outlive Redis."""
        if not self._must_last:
            return
        found = self._state.durability
        if found is NOT_ASKED:
            try:
                found = self._state.durability = self._store.durability()
            except BusError as error:
                raise UnavailableError(f"not sent: {error.reason}") from error
        if found.durable:
            return
        self._counters.add("commands", "not_durable")
        raise NotDurableError(
            f"not accepted: {found.reason}. Switch its append-only file on (appendonly yes), or "
            "let the dashboard accept all the same (COMMAND_DURABILITY=relaxed)"
        )
