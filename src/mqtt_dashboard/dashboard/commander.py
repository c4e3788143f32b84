"""Durable commands: accept them, tell what became of them, never guess it."""

import threading
import time
import uuid
from typing import Final

from msgspec.structs import replace

from mqtt_dashboard.bus.dashboard_orders import Bounds, DashboardOrders
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import orders
from mqtt_dashboard.contract.orders import CommandRecord, CommandRequest, CommandsReply
from mqtt_dashboard.contract.policy import CommandPolicy
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.results import ResultBoard
from mqtt_dashboard.dashboard.state import ReadModel
from mqtt_dashboard.errors import BusError, DashboardError

LOOK_EVERY_S: Final = 1.0


class UnavailableError(DashboardError):
    """The request was not served now; the text says whether anything was accepted."""


class NoRoomError(UnavailableError):
    """Nothing was accepted, because as much as is allowed is kept already."""


class KeyTakenError(DashboardError):
    """The Idempotency-Key stands for another command."""


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
    ) -> None:
        self._store = store
        self._state = state
        self._clock = clock
        self._counters = counters
        self._bounds = bounds
        self.board = board

    def accept(
        self,
        request: CommandRequest,
        key: str | None,
        *,
        patient: bool = True,
        command_id: str | None = None,
        policy: CommandPolicy | None = None,
    ) -> CommandRecord:
        """Accept a command for good, or return the record its key stands for.

        Raise `FieldRefusedError` (a field), `KeyTakenError` or `UnavailableError`.
        """
        if key is not None:
            orders.check_key(key)
        order = orders.order_of(request, keyed=key is not None, patient=patient, policy=policy)
        command_id = command_id or uuid.uuid4().hex
        try:
            accepted = self._store.accept(
                command_id, order, request.deadline_s, key, self._bounds, self._state.durability
            )
        except BusError as error:
            self._counters.add("commands", "unavailable")
            advice = "" if key is None else "; repeat it with the same Idempotency-Key"
            raise UnavailableError(f"not known to be accepted: {error.reason}{advice}") from error
        self._counters.add("commands", accepted.verdict)
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

    def get(self, command_id: str) -> CommandRecord | None:
        """Return a record as it is now; one that is overdue and untouched has expired."""
        try:
            record = self._store.record(command_id)
            if record is None or record.state != "accepted" or record.phase != "queued":
                return record
            if self._clock.now() <= record.deadline:
                return record
            if self._store.expire(record, self._clock.now()):
                self._counters.add("commands", "expired_here")
            return self._store.record(command_id)
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

    def recent(self, limit: int) -> CommandsReply:
        """Return the newest records and how full the stream is."""
        try:
            found = self._store.recent(limit)
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
