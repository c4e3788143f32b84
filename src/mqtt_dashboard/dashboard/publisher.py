"""Publish and wait for what becomes of it: a durable command of which nothing is done late.

It is sent at most once, fails at once while there is no connection to the broker, and its deadline
is the time the caller waits anyway.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from mqtt_dashboard.contract.api import PublishReply, PublishRequest
from mqtt_dashboard.contract.orders import CommandRecord, CommandRequest
from mqtt_dashboard.dashboard.commander import Commander, Judge, UnavailableError
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.state import ReadModel
from mqtt_dashboard.errors import QueueFullError

GRACE_S: Final = 1.0


class Publisher:
    """Sends publish commands and waits for their results."""

    def __init__(
        self, commander: Commander, state: ReadModel, counters: Counters, timeout_s: float
    ) -> None:
        self._commander = commander
        self._state = state
        self._counters = counters
        self._timeout_s = timeout_s

    def publish(
        self,
        request: PublishRequest,
        judge: Judge,
        *,
        identity: str,
        waiter: str,
        begun: Callable[[str], None],
    ) -> PublishReply:
        """Publish one message; ``begun`` is told the id before anybody can have a result.

        ``judge`` says in whose name, ``identity`` is the id the command gets, ``waiter`` stands for
        the one whose place to wait is taken.

        Raise `FieldRefusedError` or `UnavailableError` when nothing was sent.
        """
        started = time.monotonic()
        command = self.command(request)
        try:
            # The place is taken first: nothing is sent whose result nobody waits for.
            with self._commander.board.place(identity, waiter) as event:
                begun(identity)
                self._commander.accept(command, None, judge, command_id=identity, patient=False)
                reply = self._reply(identity, self._wait(identity, event))
        except QueueFullError as error:
            self._counters.add("publishes", "unavailable")
            raise UnavailableError(f"not sent: {error}") from error
        except UnavailableError:
            self._counters.add("publishes", "unavailable")
            raise
        self._counters.add("publishes", reply.state)
        duration_ms = (time.monotonic() - started) * 1000
        return PublishReply(
            ok=reply.ok,
            id=identity,
            state=reply.state,
            reason=reply.reason,
            topic=request.topic,
            code=reply.code,
            duration_ms=duration_ms,
        )

    def command(self, request: PublishRequest) -> CommandRequest:
        """Return the command a publish is."""
        return CommandRequest(
            topic=request.topic,
            payload=request.payload,
            qos=request.qos,
            retain=request.retain,
            encoding=request.encoding,
            mode="at-most-once",
            deadline_s=self._timeout_s,
        )

    def require_bridge(self) -> None:
        """Raise `UnavailableError` while it is known that nothing can be sent; asks nobody."""
        redis, reason = self._state.redis_health(), None
        if redis.status == "down":
            reason = redis.reason
        elif self._state.bridge_alive() is False:
            reason = self._state.broker_status().reason
        if reason is not None:
            self._counters.add("publishes", "unavailable")
            raise UnavailableError(f"not sent: {reason}")

    def _wait(self, identity: str, event: threading.Event) -> CommandRecord | None:
        try:
            return self._commander.wait(identity, self._timeout_s + GRACE_S, event)
        except UnavailableError:
            # It was accepted; what became of it is in the record once Redis answers again.
            return None

    def _reply(self, identity: str, record: CommandRecord | None) -> PublishReply:
        if record is not None and record.state != "accepted":
            return PublishReply(
                ok=record.state in {"acked", "sent"},
                id=identity,
                state=record.state,
                reason=record.reason,
                topic=record.topic,
                code=record.code,
            )
        reason = f"no result within {self._timeout_s + GRACE_S:g} s"
        if record is None:
            reason = "accepted, but its record cannot be read now"
        later = f"; ask for it later under /api/commands/{identity}"
        return PublishReply(
            ok=False, id=identity, state="indeterminate", reason=f"{reason}{later}", topic=""
        )
