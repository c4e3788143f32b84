"""The one interface to an MQTT broker; no MQTT library's type crosses it.

A `Link` is one connection attempt after another under one client id. It never works in the
network loop: messages are handed over as batches, and acknowledgements of QoS 1 messages go out
only when the owner says that a batch is durable. Implementations: `v5.V5Link` (MQTT 5) and
`paho_link.PahoLink` (MQTT 3.1.1).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, Protocol

from msgspec import Struct

from mqtt_dashboard.contract.messages import MessageProperties


class Incoming(Struct, frozen=True, gc=False):
    """A PUBLISH as received. ``token`` is 0 for QoS 0, else what `Link.acknowledge` wants.

    ``identifiers`` are those of the subscriptions the broker sent it for (MQTT 5.0, 3.3.2.3.8).
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    properties: MessageProperties | None = None
    token: int = 0
    identifiers: tuple[int, ...] = ()


class Outcome(Enum):
    """How a publish ended."""

    SENT = "sent"
    ACKED = "acked"
    FAILED = "failed"
    INDETERMINATE = "indeterminate"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Receipt:
    """The end of one publish; ``code`` is the broker's reason code (MQTT 5.0, 2.4).

    ``unsent``: it failed here before the broker can have got it, and may be tried again.
    """

    outcome: Outcome
    reason: str
    code: int | None = None
    unsent: bool = False


@dataclass(frozen=True)
class Outgoing:
    """A message to publish; ``deadline`` is monotonic seconds, after it nothing is sent.

    ``may_send`` is asked on the link's thread right before sending. The rest is for MQTT 5 only.
    A caller that keeps the protocol's state itself gives a ``packet_id`` of its own range (see
    `packet_ids`), is told of PUBREC by ``on_received``, and answers with `Link.release`, which
    sends PUBREL. After a restart it goes on with ``resume``: the PUBLISH again, or the PUBREL.
    """

    topic: str
    payload: bytes
    qos: Literal[0, 1, 2]
    retain: bool
    deadline: float
    done: Callable[[Receipt], None]
    properties: MessageProperties | None = None
    may_send: Callable[[], bool] | None = None
    packet_id: int = 0
    resume: Literal["publish", "release"] | None = None
    on_received: Callable[[], None] | None = None


@dataclass(frozen=True)
class Will:
    """What the broker publishes when the connection is lost without a goodbye."""

    topic: str
    payload: bytes
    qos: Literal[0, 1, 2] = 1
    retain: bool = True


@dataclass(frozen=True)
class LinkOptions:
    """How to reach and greet the broker; durations in seconds, sizes in bytes.

    ``answer_timeout`` bounds the silence after a PINGREQ, connecting included: a broker that does
    not answer within it is reported as lost, long before the keep alive would notice.
    """

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    transport: Literal["tcp", "websockets"] = "tcp"
    ws_path: str = "/mqtt"
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    keepalive: int = 30
    ping_after: float = 2.0
    answer_timeout: float = 2.5
    session_expiry: int = 3600
    receive_maximum: int = 200
    max_packet_size: int = 1_114_112
    will: Will | None = None


@dataclass(frozen=True)
class Session:
    """What the broker granted at CONNACK."""

    protocol: Literal["5.0", "3.1.1"]
    session_present: bool
    maximum_qos: int = 2
    retain_available: bool = True
    wildcards_available: bool = True
    shared_available: bool = True
    subscription_ids_available: bool = True


@dataclass(frozen=True)
class Loss:
    """Why a connection ended or was refused, in plain words.

    ``taken_over``: another client connected with the same client id (MQTT 5.0 reason 0x8E, or a
    connection closed without a word again right after it was opened).
    ``version_refused``: the broker does not speak this MQTT version. ``final``: trying again with
    the same settings cannot help (bad password, not authorised, client id refused). ``unreached``:
    not a byte was sent, so the broker knows nothing of it.
    """

    reason: str
    code: int | None = None
    taken_over: bool = False
    version_refused: bool = False
    final: bool = False
    unreached: bool = False


@dataclass(frozen=True)
class Wanted:
    """A filter to hold at the broker. ``retained``: whether retained messages are wanted now.

    ``retain_as_published``: whether live messages keep the publisher's retain flag.
    ``identifier``, if not 0, comes back with each message of the filter (MQTT 5 only).
    """

    filter: str
    qos: Literal[0, 1, 2]
    retained: bool = True
    identifier: int = 0
    retain_as_published: bool = True


class Listener(Protocol):
    """The owner of a link. Called from the link's thread; every method must return at once."""

    def on_open(self, session: Session) -> None:
        """Note that the broker accepted the connection."""

    def on_messages(self, messages: list[Incoming]) -> None:
        """Take all messages of one read; must not block and must not raise."""

    def on_granted(self, topic_filter: str, qos: int | None, error: str | None) -> None:
        """Note the broker's answer to one subscription: the QoS granted, or the error."""

    def on_malformed(self, reason: str) -> None:
        """Count a message that could not be read and was left out."""

    def on_too_large(self, size: int) -> None:
        """Count a message of ``size`` bytes that was left out because of the limit."""

    def on_closed(self, loss: Loss) -> None:
        """Note that the connection ended or never came to be."""


class Link(Protocol):
    """One connection to the broker. All methods but `run` may be called from any thread."""

    def run(self) -> Loss:
        """Connect, serve until the connection ends, and return why. Calls the listener."""

    def close(self, *, will: bool = False) -> None:
        """Say goodbye (flushing what was accepted) and make `run` return."""

    def subscribe(self, wanted: list[Wanted]) -> None:
        """Ask for filters; the answers arrive at `Listener.on_granted`."""

    def unsubscribe(self, filters: list[str]) -> None:
        """Give filters up."""

    def publish(self, message: Outgoing) -> None:
        """Queue a message; raise `QueueFullError` or `LinkError` when it was not accepted.

        ``message.done`` is called exactly once for every accepted message.
        """

    def release(self, packet_ids: list[int]) -> None:
        """Send PUBREL for messages whose ``on_received`` was called."""

    def acknowledge(self, tokens: list[int]) -> None:
        """Acknowledge QoS 1 messages, in receive order, now that they are durable."""

    def pause(self, *, paused: bool) -> None:
        """Stop or resume reading from the socket: back pressure towards the broker."""
