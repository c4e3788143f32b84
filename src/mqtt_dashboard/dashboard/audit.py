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
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.api import PublishRequest
from mqtt_dashboard.contract.audit import AuditAction, AuditEntry, AuditOutcome
from mqtt_dashboard.contract.orders import CommandRequest, CommandResult, told_topic
from mqtt_dashboard.dashboard.audit_pace import Pace
from mqtt_dashboard.dashboard.audit_refusals import Refusals
from mqtt_dashboard.dashboard.audit_sweep import AuditSweep
from mqtt_dashboard.dashboard.auth.principal import Principal
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.errors import BusError, ContractError, DashboardError

MAX_OWN: Final = 10_000
DETAIL_CHARACTERS: Final = 300
TARGET_CHARACTERS: Final = 128

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
        pace: Pace | None = None,
    ) -> None:
        self.store = store
        self._refusals = Refusals(clock)
        self._clock = clock
        self._counters = counters
        self._pace = pace
        self._own: OrderedDict[str, int] = OrderedDict()
        self._sweep = AuditSweep(store, orders, clock, self, self._refusals.in_words, max_age_s)

    def publishing(
        self, who: Principal, request: PublishRequest | CommandRequest, command: str
    ) -> int:
        """Write down that somebody wants to publish; raise `BusError` when that is impossible.

        Raise `TooManyError`, and write nothing, when that one does too much.
        """
        if self._pace is not None:
            self._pace.publish(who)
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
            self.outcome(command, seq, outcome, reason, None)
        except BusError as error:
            self._late(error)

    def result(self, result: CommandResult) -> None:
        """Tell the outcome of a command that this worker accepted."""
        seq = self._own.pop(result.id, None)
        if seq is None:
            return
        try:
            self.outcome(result.id, seq, result.state, result.reason, result.code)
        except BusError as error:
            self._late(error)

    @contextmanager
    def deed(
        self, who: Principal, action: AuditAction, target: str, detail: str = ""
    ) -> Iterator[None]:
        """Write down what is about to be done, and afterwards how it ended.

        Raise `BusError` or `TooManyError`, and nothing is to be done, when that is impossible.
        """
        # Whoever signed in may sign out: the one was counted.
        if self._pace is not None and action != "sign_out":
            self._pace.deed(who)
        target = target[:TARGET_CHARACTERS]
        seq = self._write(who, action=action, outcome="asked", target=target, detail=detail or None)
        try:
            yield
        except DashboardError as error:
            self._told(who, action, target, seq, "refused", str(error))
            raise
        self._told(who, action, target, seq, "done", None)

    def signed_in(self, who: Principal) -> None:
        """Write down that a session began; raise `BusError` or `TooManyError` when impossible."""
        if self._pace is not None:
            self._pace.deed(who)
        self._write(who, action="sign_in", outcome="done", target=who.name)

    def key_changed(self, who: Principal) -> None:
        """Tie the record together with this key from now on, and write that down."""
        self.store.take_over()
        self._write(who, action="key_changed", outcome="done")

    def refused_sign_in(self, name: str, address: str, reason: str) -> None:
        """Write down an attempt; ``name`` is empty unless it is a user's."""
        if not self._refusals.take("sign_in"):
            self._counters.add("audit_refusals_left_out")
            return
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
        """Do a part of what must be written down although nobody asks for it."""
        self._sweep.turn()

    def note(self, action: AuditAction, outcome: AuditOutcome, detail: str) -> None:
        """Write down what nobody in particular did; raise `BusError`."""
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

    def outcome(
        self, command: str, of: int, outcome: AuditOutcome, reason: str, code: int | None
    ) -> None:
        """Write down how a command ended, unless somebody did; raise `BusError`."""
        self._own.pop(command, None)
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

    def _refused(self, who: Principal, action: AuditAction, reason: str, **fields: Any) -> None:
        if not self._refusals.take(action):
            self._counters.add("audit_refusals_left_out")
            return
        try:
            self._write(who, action=action, outcome="refused", detail=reason, **fields)
        except BusError as error:
            # It is refused all the same.
            self._late(error)

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
    topic, topic_sha256 = told_topic(request.topic)
    return {
        "topic": topic,
        "topic_sha256": topic_sha256,
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
