"""Durable commands: what is asked for, what lies in the stream, what became of it.

An *order* is a publish that was accepted for good: its record and its place in the stream were
written in one step, and exactly one result is recorded for it.
"""

import hashlib
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from mqtt_dashboard.contract import codec, topics
from mqtt_dashboard.contract.api import PublishRequest
from mqtt_dashboard.contract.commands import CommandState, Identifier, QoS
from mqtt_dashboard.contract.messages import MessageProperties
from mqtt_dashboard.contract.policy import (
    ANSWERS,
    CommandPolicy,
    answer_refusal,
    command_refusal,
)
from mqtt_dashboard.errors import ContractError, FieldRefusedError, TopicError

MAX_PAYLOAD_BYTES: Final = 1024 * 1024
MAX_PROPERTY_BYTES: Final = 16 * 1024
MAX_KEY_LENGTH: Final = 128
MAX_DEADLINE_S: Final = 86_400.0
MAX_WAIT_S: Final = 30.0
# Of a longer topic a record, a result and the audit record keep the beginning and the SHA-256.
MAX_TOLD_TOPIC_BYTES: Final = 1024

NOT_TAKEN: Final = "its deadline passed before a bridge took it; it was not sent"
NEVER_TOLD: Final = "a bridge took it and nobody has told what became of it"
BROKEN_RECORD: Final = "its record in Redis was damaged"
RIGHTS_WITHDRAWN: Final = "the sender's rights were withdrawn"

CommandMode = Literal["at-least-once", "at-most-once", "exactly-once"]
OrderState = Literal["accepted", "acked", "sent", "failed", "expired", "indeterminate"]
OrderPhase = Literal["queued", "sent", "received", "done"]

ShortText = Annotated[str, Meta(max_length=1024)]
PropertyText = Annotated[str, Meta(max_length=4096)]


class CommandRequest(PublishRequest, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``POST /api/commands``: a publish that is not lost once it was accepted.

    ``mode`` says what happens when a crash leaves open whether it was sent: see the three modes in
    the documentation. ``deadline_s`` is the time in seconds within which it may be sent. The other
    fields are the properties of PUBLISH (MQTT 5.0, 3.3.2.3); ``payload_format`` 1 says UTF-8 text,
    ``correlation_data`` is base64.
    """

    mode: CommandMode | None = None
    deadline_s: Annotated[float, Meta(gt=0, le=MAX_DEADLINE_S)] = 30.0
    content_type: ShortText | None = None
    response_topic: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    correlation_data: Annotated[bytes, Meta(max_length=4096)] | None = None
    message_expiry_s: Annotated[int, Meta(ge=1, le=4_294_967_295)] | None = None
    payload_format: Literal[0, 1] | None = None
    user_properties: Annotated[list[tuple[ShortText, PropertyText]], Meta(max_length=32)] = field(
        default_factory=list
    )


class CommandRecord(Struct, kw_only=True, frozen=True):
    """A durable command and what became of it.

    ``state`` is ``accepted`` until the one result is recorded; then ``finished_at`` is set.
    ``phase``: ``queued``, ``sent`` (it may be on its way to the broker), ``received`` (QoS 2: the
    broker has it), ``done``. ``attempts`` counts sendings, begun ones included. ``durable`` says
    whether Redis kept it on disk when it was accepted, ``null`` when that cannot be known.
    ``repeated`` marks the answer to a request whose Idempotency-Key was known. With
    ``topic_sha256`` the topic is longer than 1,024 bytes and ``topic`` only its beginning.
    """

    id: str
    state: OrderState
    reason: str
    phase: OrderPhase
    topic: str
    qos: QoS
    retain: bool
    mode: CommandMode
    size: int
    accepted_at: float
    deadline: float
    finished_at: float | None = None
    code: int | None = None
    attempts: int = 0
    durable: bool | None = None
    durable_reason: str | None = None
    repeated: bool = False
    topic_sha256: str | None = None


class CommandsReply(Struct, kw_only=True, frozen=True):
    """``GET /api/commands``: the newest records first; ``queued`` wait for their result.

    How many wait is ``null`` for whoever sees only some topics: it would tell of the others.
    """

    commands: list[CommandRecord]
    queued: int | None
    queued_limit: int
    queued_bytes: int | None
    queued_bytes_limit: int
    durable: bool | None
    durable_reason: str | None


class CommandResult(Struct, kw_only=True, frozen=True, tag_field="type", tag="command_result"):
    """The one result of a durable command, on `RedisChannels.COMMAND_RESULTS` and to sockets.

    With ``topic_sha256`` the topic is longer than 1,024 bytes and ``topic`` only its beginning.
    """

    id: str
    state: CommandState
    reason: str
    topic: str
    mode: CommandMode
    qos: QoS
    timestamp: float
    code: int | None = None
    topic_sha256: str | None = None


class CommandWatch(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Payload of ``watch_command``: ask for the result of a command by its id."""

    id: Identifier


class CommandWatchReply(Struct, kw_only=True, frozen=True):
    """Acknowledgement of ``watch_command``; the result follows as ``command_result``."""

    ok: bool
    id: str
    message: str | None = None
    command: CommandRecord | None = None


class OrderSummary(Struct, kw_only=True, frozen=True):
    """The part of a record that never changes, as it lies in Redis."""

    topic: str
    qos: QoS
    retain: bool
    mode: CommandMode
    size: int
    durable: bool | None = None
    durable_reason: str | None = None
    topic_sha256: str | None = None


class Order(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An entry of the command stream, in MessagePack.

    ``patient``: wait for a connection to the broker until the deadline instead of failing at once.
    ``policy`` says in whose name it is sent; the bridge refuses what that one may not publish to.
    """

    topic: str
    payload: bytes
    qos: QoS = 0
    retain: bool = False
    mode: CommandMode = "at-most-once"
    patient: bool = True
    properties: MessageProperties | None = None
    policy: CommandPolicy | None = None


_orders = msgspec.msgpack.Decoder(Order)


def unpack_order(packed: bytes) -> Order:
    """Read an entry of the command stream; raise `ContractError` when it does not fit."""
    try:
        return _orders.decode(packed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ContractError(f"command stream entry: {error}") from error


def order_of(
    request: CommandRequest,
    *,
    keyed: bool,
    patient: bool = True,
    policy: CommandPolicy | None = None,
) -> Order:
    """Return the order a request stands for; raise `FieldRefusedError` when it is not valid."""
    try:
        payload = codec.text_to_payload(request.payload, request.encoding)
    except ContractError as error:
        raise FieldRefusedError("payload", str(error)) from error
    properties = MessageProperties(
        payload_format_indicator=request.payload_format,
        message_expiry_interval=request.message_expiry_s,
        content_type=request.content_type,
        response_topic=request.response_topic,
        correlation_data=request.correlation_data,
        user_properties=request.user_properties,
    )
    order = Order(
        topic=request.topic,
        payload=payload,
        qos=request.qos,
        retain=request.retain,
        mode=request.mode or default_mode(request.qos, keyed=keyed),
        patient=patient,
        properties=None if properties == MessageProperties() else properties,
        policy=policy,
    )
    check(order)
    return order


def default_mode(qos: QoS, *, keyed: bool) -> CommandMode:
    """Return the mode of a request that names none."""
    if qos == 2:
        return "exactly-once"
    return "at-least-once" if qos == 1 and keyed else "at-most-once"


def check(order: Order) -> None:
    """Judge an order, in the dashboard and again in the bridge; raise `FieldRefusedError`."""
    _check_topic("topic", order.topic)
    refusal = command_refusal(order.policy, order.topic)
    if refusal is not None:
        raise FieldRefusedError("topic", refusal)
    if len(order.payload) > MAX_PAYLOAD_BYTES:
        size = len(order.payload)
        told = f"the payload has {size} bytes, {MAX_PAYLOAD_BYTES} are allowed"
        raise FieldRefusedError("payload", told)
    if order.mode == "exactly-once" and order.qos != 2:
        raise FieldRefusedError("mode", "exactly-once needs QoS 2")
    if order.mode == "at-least-once" and order.qos == 0:
        raise FieldRefusedError("mode", "at-least-once needs QoS 1 or 2: QoS 0 is never confirmed")
    if order.properties is not None:
        _check_properties(order, order.properties)
        refusal = answer_refusal(order.policy, order.properties.response_topic or ANSWERS)
        if refusal is not None:
            raise FieldRefusedError("response_topic", refusal)


def _check_properties(order: Order, properties: MessageProperties) -> None:
    if properties.response_topic is not None:
        _check_topic("response_topic", properties.response_topic)
    texts = {"content_type": [properties.content_type or ""]}
    texts["user_properties"] = [text for pair in properties.user_properties for text in pair]
    total = len(properties.correlation_data or b"")
    for name, parts in texts.items():
        for text in parts:
            total += _size_of(name, text)
    if total > MAX_PROPERTY_BYTES:
        told = f"the properties have {total} bytes together, {MAX_PROPERTY_BYTES} are allowed"
        raise FieldRefusedError("user_properties", told)
    if properties.payload_format_indicator == 1 and not _is_text(order.payload):
        raise FieldRefusedError("payload_format", "1 says UTF-8 text, and the payload is not")


def _check_topic(name: str, topic: str) -> None:
    try:
        topics.check_topic(topic)
    except TopicError as error:
        raise FieldRefusedError(name, str(error)) from error


def _size_of(name: str, text: str) -> int:
    if (found := topics.forbidden_character(text)) is not None:
        raise FieldRefusedError(name, f"U+{ord(found):04X} is not allowed (MQTT 5.0, 1.5.4)")
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise FieldRefusedError(name, f"not valid text: {error}") from error


def _is_text(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def check_key(key: str) -> str:
    """Return an Idempotency-Key; raise `FieldRefusedError` when it cannot be one."""
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        told = f"1 to {MAX_KEY_LENGTH} printable ASCII characters are allowed"
        raise FieldRefusedError("Idempotency-Key", told)
    return key


def fingerprint(order: Order, deadline_s: float) -> str:
    """Return what two requests with the same key must have in common, the sender included."""
    who = "" if order.policy is None else order.policy.who
    plain = msgspec.structs.replace(order, policy=None)
    return hashlib.sha256(codec.pack((plain, deadline_s, who))).hexdigest()


def key_digest(sender: str, key: str) -> str:
    """Return the part of the Redis key that stands for an Idempotency-Key of a sender.

    Keys of others are other keys: nobody can take somebody's, or learn that it is taken.
    """
    return hashlib.sha256(f"{sender}\n{key}".encode()).hexdigest()


def told_topic(topic: str) -> tuple[str, str | None]:
    """Return what is told of a topic: all of it, or its beginning and the SHA-256 of it all."""
    encoded = topic.encode("utf-8", "surrogatepass")
    if len(encoded) <= MAX_TOLD_TOPIC_BYTES:
        return topic, None
    beginning = encoded[:MAX_TOLD_TOPIC_BYTES].decode("utf-8", "ignore")
    return beginning, hashlib.sha256(encoded).hexdigest()
