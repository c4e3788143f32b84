"""Turns a durable command into what the link sends, with the conditions it is sent under."""

from collections.abc import Callable
from typing import Final, Literal, Protocol

from msgspec.structs import replace

from mqtt_dashboard.bridge.continuity import Continuity
from mqtt_dashboard.bridge.held import Held
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.messages import MessageProperties
from mqtt_dashboard.mqtt.client import Outgoing, Receipt

# How long past its deadline a message that the broker has already may take to be finished.
LONGEST_RELEASE_S: Final = 3600.0
COMMAND_ID: Final = "command-id"


class SendingLink(Protocol):
    """The part of a link that is needed here."""

    def publish(self, message: Outgoing) -> None:
        """Queue a message."""

    def release(self, packet_ids: list[int]) -> None:
        """Send PUBREL."""


class Courier:
    """Hands commands to the link."""

    def __init__(
        self, link: SendingLink, continuity: Continuity, lease: Lease, clock: Clock
    ) -> None:
        self._link = link
        self._continuity = continuity
        self._lease = lease
        self._clock = clock

    def send(
        self,
        held: Held,
        connection: int,
        done: Callable[[Held, Receipt], None],
        received: Callable[[Held], None],
    ) -> None:
        """Queue a command; one that hangs on the session goes out on that ``connection`` only.

        Raise `LinkError` or `QueueFullError` when the link did not take it.
        """
        order, now = held.order, self._clock.monotonic()
        resume: Literal["publish", "release"] | None = None
        deadline = held.due if held.due is not None else now
        if held.exactly_once and held.may_be_out:
            resume = "release" if held.phase == "received" else "publish"
        if resume == "release":
            deadline = now + LONGEST_RELEASE_S
        message = Outgoing(
            topic=order.topic,
            payload=order.payload,
            qos=order.qos,
            retain=order.retain,
            deadline=deadline,
            done=lambda receipt: done(held, receipt),
            properties=self._properties(held),
            may_send=self._permission(held, connection if held.exactly_once else None),
            packet_id=held.packet_id,
            resume=resume,
            on_received=(lambda: received(held)) if held.exactly_once else None,
        )
        self._link.publish(message)

    def _properties(self, held: Held) -> MessageProperties | None:
        """Return the properties, with what lets a device recognise a message sent twice."""
        properties = held.order.properties
        if held.order.mode != "at-least-once" or self._continuity.protocol != "5.0":
            return properties
        base = properties or MessageProperties()
        return replace(base, user_properties=[*base.user_properties, (COMMAND_ID, held.command_id)])

    def _permission(self, held: Held, connection: int | None) -> Callable[[], bool]:
        """Return what the link asks right before it sends."""
        needs_v5 = held.exactly_once or held.order.properties is not None

        def may_send() -> bool:
            here = connection is None or self._continuity.opened == connection
            fits = not needs_v5 or self._continuity.protocol == "5.0"
            return here and fits and self._lease.safe

        return may_send
