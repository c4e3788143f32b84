"""Events about clients that EMQX, RMQTT and NanoMQ publish as JSON.

EMQX encodes what a client calls itself; NanoMQ pastes it into the text, so an id with quotes can
add fields of its own choice. A NanoMQ event therefore counts only when it has exactly the fields
NanoMQ writes, once each and in its order. Whoever may publish below ``$SYS`` can make up any event;
that is for the broker's access control to forbid.

Sources: EMQX "System Topic"; NanoMQ's ``CONNECT_MSG`` and ``DISCONNECT_MSG``.
"""

import json
from typing import Any, Final

import msgspec
from msgspec import Struct

from mqtt_dashboard.contract import topics
from mqtt_dashboard.errors import TopicError
from mqtt_dashboard.mqtt.client_events import (
    SAID_GOODBYE,
    TAKEN_OVER,
    ClientConnected,
    ClientGone,
    ClientRefused,
    Connection,
    Event,
    Subscribed,
    Unsubscribed,
    Unusable,
    within,
)

NOT_JSON: Final = "event that is not the broker's JSON"
FOREIGN: Final = "event whose topic names another client"
_LARGEST: Final = 256 * 1024
_EARLIEST_MS: Final = 1e11

_VERSIONS: Final = {3: "3.1", 4: "3.1.1", 5: "5.0"}
_EMQX_REASONS: Final = {
    "normal": SAID_GOODBYE,
    "takenover": TAKEN_OVER,
    "takeovered": TAKEN_OVER,
    "discarded": TAKEN_OVER,
    "keepalive_timeout": "exceeded timeout",
    "tcp_closed": "connection closed by client",
    "ssl_closed": "connection closed by client",
    "sock_closed": "connection closed by client",
    "closed": "connection closed by client",
    "kicked": "administrative action",
    "not_authorized": "not authorised",
    "idle_timeout": "no CONNECT in time",
}
_NANOMQ_REASONS: Final = {
    "0": SAID_GOODBYE,
    "4": "disconnected by the client, which asked for its will to be sent",
    "81": "malformed packet",
    "82": "protocol error",
    "87": "not authorised",
    "8b": "the broker shut down",
    "8d": "exceeded timeout",
    "8e": TAKEN_OVER,
    "95": "oversize packet",
    "98": "administrative action",
}
_NANOMQ_CONNECTED: Final = [
    "username",
    "ts",
    "proto_name",
    "keepalive",
    "return_code",
    "proto_ver",
    "client_id",
    "clean_start",
    "IPv4",
]
_NANOMQ_GONE: Final = ["username", "ts", "reason_code", "client_id", "IPv4"]


class _SubscribeOptions(Struct):
    qos: int = 0


class _EmqxEvent(Struct):
    """The fields of EMQX's events that are of use; RMQTT's are a part of them."""

    clientid: str
    username: str | None = None
    ipaddress: str | None = None
    proto_ver: int | str | None = None
    keepalive: int | None = None
    clean_start: bool | None = None
    clean_session: bool | None = None
    connected_at: int | float | None = None
    reason: str | None = None
    topic: str | None = None
    subopts: _SubscribeOptions | None = None


_emqx = msgspec.json.Decoder(_EmqxEvent)


def read_emqx(client_id: str, what: str, payload: bytes) -> Event | None:
    """Read ``$SYS/brokers/<node>/clients/<client_id>/<what>``."""
    if len(payload) > _LARGEST:
        raise Unusable(NOT_JSON)
    try:
        event = _emqx.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(NOT_JSON) from error
    if event.clientid != client_id:
        raise Unusable(FOREIGN)
    if what == "connected":
        return _emqx_connected(event)
    if what == "disconnected":
        said = event.reason or ""
        plain = _EMQX_REASONS.get(said, said.replace("_", " ")[:200])
        return ClientGone(client_id, plain or None, _emqx_connection(event))
    if event.topic is None or not _is_filter(event.topic):
        raise Unusable(NOT_JSON)
    if what == "subscribed":
        qos = event.subopts.qos if event.subopts else 0
        return Subscribed(((client_id, max(0, min(qos, 2)), event.topic),))
    return Unsubscribed(((client_id, event.topic),))


def _emqx_connected(event: _EmqxEvent) -> ClientConnected:
    version = event.proto_ver if isinstance(event.proto_ver, int) else None
    clean = event.clean_session if event.clean_start is None else event.clean_start
    return ClientConnected(
        client_id=event.clientid,
        connection=_emqx_connection(event),
        protocol=_VERSIONS.get(version) if version is not None else None,
        clean_start=clean,
        keepalive=within(event.keepalive, 65535),
        username=None if event.username in {None, "", "undefined"} else event.username,
    )


def _emqx_connection(event: _EmqxEvent) -> Connection:
    """Return the peer; ``sockport`` is the listener's port and tells nothing about the client."""
    opened = event.connected_at
    opened_at = opened / 1000 if opened is not None and _EARLIEST_MS < opened < 1e14 else None
    address, port = event.ipaddress, None
    if address and "." in address and address.count(":") == 1:
        address, _, digits = address.partition(":")
        port = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else None
    return Connection(address or None, port, opened_at)


def read_nanomq(what: str, payload: bytes) -> Event:
    """Read ``$SYS/brokers/connected`` or ``…/disconnected`` of NanoMQ."""
    expected = _NANOMQ_CONNECTED if what == "connected" else _NANOMQ_GONE
    fields = _nanomq_fields(payload, expected)
    client_id, address = fields.get("client_id"), fields.get("IPv4")
    username = fields.get("username")
    if not isinstance(client_id, str) or not _is_text(username) or not _is_text(address):
        raise Unusable(NOT_JSON)
    connection = Connection(address or None)
    if what == "disconnected":
        code = str(fields.get("reason_code", "")).lower()
        reason = _NANOMQ_REASONS.get(code, f"reason code 0x{code[:8]}" if code else None)
        return ClientGone(client_id, reason, connection)
    code = str(fields.get("return_code", "0"))
    if code not in {"0", "00"}:
        return ClientRefused(client_id, f"refused with reason code 0x{code[:8]}")
    version, keepalive, clean = (
        fields.get(name) for name in ("proto_ver", "keepalive", "clean_start")
    )
    return ClientConnected(
        client_id=client_id,
        connection=connection,
        protocol=_VERSIONS.get(version) if isinstance(version, int) else None,
        clean_start=clean == 1 if isinstance(clean, int) else None,
        keepalive=within(_number(keepalive), 65535),
        username=None if username in {None, "", "(null)"} else username,
    )


def _nanomq_fields(payload: bytes, expected: list[str]) -> dict[str, Any]:
    if len(payload) > _LARGEST:
        raise Unusable(NOT_JSON)
    try:
        pairs = json.loads(payload.decode(), object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise Unusable(NOT_JSON) from error
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise Unusable(NOT_JSON)
    names = [pair[0] for pair in pairs]
    # Old versions do not write the address.
    if names not in (expected, expected[:-1]):
        raise Unusable(NOT_JSON)
    try:
        "".join(value for _, value in pairs if isinstance(value, str)).encode()
    except UnicodeEncodeError as error:
        raise Unusable(NOT_JSON) from error
    return dict(pairs)


def _number(value: object) -> int | None:
    """Return a whole number; true and false are none, though Python takes them for 1 and 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_filter(text: str) -> bool:
    try:
        topics.check_filter(text)
    except TopicError:
        return False
    return True
