"""Publish through the bridge: check, send, wait for the one result, never guess it."""

import time
import uuid
from typing import Final

from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import codec, topics
from mqtt_dashboard.contract.api import PublishReply, PublishRequest
from mqtt_dashboard.contract.commands import CommandReply, PublishCommand
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.state import ReadModel
from mqtt_dashboard.errors import (
    BusError,
    ContractError,
    DashboardError,
    QueueFullError,
    TopicError,
)

GRACE_S: Final = 1.0
MAX_PAYLOAD_BYTES: Final = 1024 * 1024


class UnavailableError(DashboardError):
    """Nothing was sent: no bridge listens, or Redis does not answer."""


class FieldError(DashboardError):
    """A field of the request is not valid."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Publisher:
    """Sends publish commands and waits for their results."""

    def __init__(
        self,
        store: DashboardStore,
        state: ReadModel,
        clock: Clock,
        counters: Counters,
        timeout_s: float,
    ) -> None:
        self._store = store
        self._state = state
        self._clock = clock
        self._counters = counters
        self._timeout_s = timeout_s

    def publish(self, request: PublishRequest) -> PublishReply:
        """Publish one message; raise `FieldError` or `UnavailableError` when nothing was sent."""
        _check(request)
        self._require_bridge()
        started = time.monotonic()
        command = PublishCommand(
            topic=request.topic,
            payload=request.payload,
            qos=request.qos,
            retain=request.retain,
            encoding=request.encoding,
            id=uuid.uuid4().hex,
            deadline=self._clock.now() + self._timeout_s,
        )
        reply = self._send(command)
        self._counters.add("publishes", reply.state)
        return PublishReply(
            ok=reply.state in {"acked", "sent"},
            id=reply.id,
            state=reply.state,
            reason=reply.reason,
            topic=request.topic,
            code=reply.code,
            duration_ms=(time.monotonic() - started) * 1000,
        )

    def _require_bridge(self) -> None:
        redis = self._state.redis_health()
        if redis.status == "down":
            raise self._unavailable(f"not sent: {redis.reason}")
        if self._state.bridge_alive() is False:
            raise self._unavailable(f"not sent: {self._state.broker_status().reason}")

    def _send(self, command: PublishCommand) -> CommandReply:
        try:
            with self._store.reply_slot():
                return self._send_and_wait(command, command.id or "")
        except QueueFullError as error:
            raise self._unavailable(f"not sent: {error}") from error

    def _send_and_wait(self, command: PublishCommand, identity: str) -> CommandReply:
        try:
            listeners = self._store.send(command)
        except BusError as error:
            raise self._unavailable(f"it is not known to be sent: {error.reason}") from error
        if listeners == 0:
            raise self._unavailable("not sent: no bridge is listening")
        try:
            reply = self._store.wait_reply(identity, self._timeout_s + GRACE_S)
        except BusError as error:
            return _unknown(identity, f"sent to the bridge, but its result is lost: {error}")
        if reply is None:
            waited = self._timeout_s + GRACE_S
            return _unknown(identity, f"the bridge gave no result within {waited:g} s")
        return reply

    def _unavailable(self, reason: str) -> UnavailableError:
        self._counters.add("publishes", "unavailable")
        return UnavailableError(reason)


def _check(request: PublishRequest) -> None:
    try:
        topics.check_topic(request.topic)
    except TopicError as error:
        raise FieldError("topic", str(error)) from error
    try:
        payload = codec.text_to_payload(request.payload, request.encoding)
    except ContractError as error:
        raise FieldError("payload", str(error)) from error
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise FieldError(
            "payload", f"the payload has {len(payload)} bytes, {MAX_PAYLOAD_BYTES} are allowed"
        )


def _unknown(identity: str, reason: str) -> CommandReply:
    return CommandReply(id=identity, state="indeterminate", reason=reason)
