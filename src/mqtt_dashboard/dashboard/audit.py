"""Writes down who does what, before it is done, and how it ended, after.

What cannot be written down is not done. The outcome of a durable command is told by the worker that
accepted it; of a worker that died, another one tells it from the command's record.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from mqtt_dashboard import logs
from mqtt_dashboard.bus.audit_store import AuditStore
from mqtt_dashboard.bus.dashboard_orders import DashboardOrders
from mqtt_dashboard.clock import DAY_S, Clock
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.api import PublishRequest
from mqtt_dashboard.contract.audit import AuditAction, AuditEntry, AuditOutcome
from mqtt_dashboard.contract.orders import CommandRequest, CommandResult
from mqtt_dashboard.dashboard.audit_refusals import Refusals
from mqtt_dashboard.dashboard.auth.principal import Principal
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.errors import BusError, ContractError, DashboardError

SWEEP_EVERY_S: Final = 30.0
# A command that was opened this long ago and has no record was never accepted.
ACCEPTED_WITHIN_S: Final = 60.0
MAX_OWN: Final = 10_000
DETAIL_CHARACTERS: Final = 300

_log = logs.get(__name__)


class Auditor:
    """The audit record as one worker writes it; any thread may call it."""

    def __init__(
        self,
        store: AuditStore,
        orders: DashboardOrders,
        clock: Clock,
        counters: Counters,
        max_age_s: float | None = None,
    ) -> None:
        self.store = store
        self._max_age_s = max_age_s
        self._refusals = Refusals(clock)
        self._orders = orders
        self._clock = clock
        self._counters = counters
        self._own: OrderedDict[str, int] = OrderedDict()
        self._first_seen: dict[str, float] = {}
        self._swept_at = float("-inf")

    def publishing(
        self, who: Principal, request: PublishRequest | CommandRequest, command: str
    ) -> int:
        """Write down that somebody wants to publish; raise `BusError` when that is impossible."""
        seq = self._write(
            who,
            action="publish",
            outcome="asked",
            opens=command,
            command=command,
            **_facts(request),
        )
        self._own[command] = seq
        if len(self._own) > MAX_OWN:
            self._own.popitem(last=False)  # found by the sweep
        return seq

    def refused_publish(
        self, who: Principal, request: PublishRequest | CommandRequest, reason: str
    ) -> None:
        """Write down that somebody wanted to publish where that one may not."""
        self._refused(who, "publish", reason, **_facts(request))

    def forbidden(self, who: Principal, target: str, reason: str) -> None:
        """Write down that somebody asked for a route or an event that needs another role."""
        self._refused(who, "forbidden", reason, target=target)

    def not_published(self, command: str, outcome: AuditOutcome, reason: str) -> None:
        """Tell that nothing came of it; what cannot be told now, the sweep tells."""
        seq = self._own.pop(command, None)
        if seq is None:
            return
        try:
            self._close(command, seq, outcome, reason, None)
        except BusError as error:
            self._late(error)

    def result(self, result: CommandResult) -> None:
        """Tell the outcome of a command that this worker accepted."""
        seq = self._own.pop(result.id, None)
        if seq is None:
            return
        try:
            self._close(result.id, seq, result.state, result.reason, result.code)
        except BusError as error:
            self._late(error)

    @contextmanager
    def deed(
        self, who: Principal, action: AuditAction, target: str, detail: str = ""
    ) -> Iterator[None]:
        """Write down what is about to be done, and afterwards how it ended."""
        seq = self._write(who, action=action, outcome="asked", target=target, detail=detail or None)
        try:
            yield
        except DashboardError as error:
            self._told(who, action, target, seq, "refused", str(error))
            raise
        self._told(who, action, target, seq, "done", None)

    def signed_in(self, who: Principal) -> None:
        """Write down that a session began; raise `BusError` when that is impossible."""
        self._write(who, action="sign_in", outcome="done", target=who.name)

    def refused_sign_in(self, name: str, address: str, reason: str) -> None:
        """Write down an attempt; ``name`` is empty unless it is a user's."""
        self._append(
            lambda seq: AuditEntry(
                seq=seq,
                at=self._clock.now(),
                action="sign_in",
                outcome="refused",
                who=name,
                address=address,
                detail=reason,
            )
        )

    def sweep(self) -> None:
        """Tell the outcomes that nobody told: of workers that died, of times without Redis."""
        now = self._clock.monotonic()
        if now - self._swept_at < SWEEP_EVERY_S:
            return
        found = self.store.open_commands()
        self._swept_at = now
        self._tell_left_out()
        self._remove_old()
        self._first_seen = {one: self._first_seen.get(one, now) for one in found}
        for command, seq in found.items():
            record = self._orders.record(command)
            if record is not None and record.state != "accepted":
                self._own.pop(command, None)
                self._close(command, seq, record.state, record.reason, record.code)
            elif record is None and now - self._first_seen[command] > ACCEPTED_WITHIN_S:
                self._own.pop(command, None)
                self._close(command, seq, "refused", "there is no record of this command", None)

    def _refused(self, who: Principal, action: AuditAction, reason: str, **fields: Any) -> None:
        if not self._refusals.take(action):
            self._counters.add("audit_refusals_left_out")
            return
        try:
            self._write(who, action=action, outcome="refused", detail=reason, **fields)
        except BusError as error:
            # It is refused all the same.
            self._late(error)

    def _tell_left_out(self) -> None:
        told = self._refusals.in_words()
        if told is not None:
            self._note("left_out", "refused", f"not written down one by one: {told}")

    def _remove_old(self) -> None:
        """Move the beginning past what is too old, a day's entries at a time."""
        if self._max_age_s is None:
            return
        oldest, now = self.store.oldest_at(), self._clock.now()
        if oldest is None or now - oldest < self._max_age_s + DAY_S:
            return
        first = self.store.first_since(now - self._max_age_s)
        self.store.begin_with(first)
        self._note("old_removed", "done", f"the record begins with entry {first}")

    def _note(self, action: AuditAction, outcome: AuditOutcome, detail: str) -> None:
        self._append(
            lambda seq: AuditEntry(
                seq=seq,
                at=self._clock.now(),
                action=action,
                outcome=outcome,
                who="",
                detail=detail[:DETAIL_CHARACTERS],
            )
        )

    def _close(
        self, command: str, of: int, outcome: AuditOutcome, reason: str, code: int | None
    ) -> None:
        self._append(
            lambda seq: AuditEntry(
                seq=seq,
                at=self._clock.now(),
                action="result",
                outcome=outcome,
                who="",
                command=command,
                detail=reason[:DETAIL_CHARACTERS],
                code=code,
                of=of,
            ),
            closes=command,
        )

    def _told(
        self,
        who: Principal,
        action: AuditAction,
        target: str,
        of: int,
        outcome: AuditOutcome,
        detail: str | None,
    ) -> None:
        try:
            self._write(who, action=action, outcome=outcome, target=target, detail=detail, of=of)
        except BusError as error:
            # It is done, or refused, already; the entry before says that it was asked for.
            self._late(error)

    def _write(self, who: Principal, *, opens: str = "", **fields: Any) -> int:
        at = self._clock.now()
        if fields.get("detail"):
            fields["detail"] = fields["detail"][:DETAIL_CHARACTERS]
        return self._append(
            lambda seq: AuditEntry(
                seq=seq,
                at=at,
                who=who.name,
                role=who.role,
                kind=who.kind,
                address=who.address,
                **fields,
            ),
            opens=opens,
        )

    def _append(self, make: Any, *, opens: str = "", closes: str = "") -> int:
        seq = self.store.append(make, opens=opens, closes=closes)
        self._counters.add("audit_entries")
        return seq or 0

    def _late(self, error: BusError) -> None:
        self._counters.add("audit_outcomes_late")
        _log.warning("audit.outcome_not_written", reason=error.reason)


def _facts(request: PublishRequest | CommandRequest) -> dict[str, Any]:
    size, digest = _payload(request)
    return {
        "topic": request.topic,
        "qos": request.qos,
        "retain": request.retain,
        "mode": request.mode if isinstance(request, CommandRequest) else None,
        "size": size,
        "sha256": digest,
    }


def _payload(request: PublishRequest | CommandRequest) -> tuple[int | None, str | None]:
    try:
        payload = codec.text_to_payload(request.payload, request.encoding)
    except ContractError:
        return None, None  # it will be refused
    return len(payload), hashlib.sha256(payload).hexdigest()
