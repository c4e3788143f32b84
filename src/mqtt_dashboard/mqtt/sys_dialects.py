"""Which ``$SYS`` topic of which broker means which field of `BrokerStats`.

Sources: mosquitto(8) "BROKER STATUS"; EMQX "System Topic" and "Metrics and Stats"; VerneMQ's
metric names, split at the underscore. A name that is not here is not guessed: unknown stays null.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Value = int | float | str
Reader = Callable[[bytes], Value]

_INTEGER: Final = re.compile(rb"[0-9]{1,19}")
_FLOAT: Final = re.compile(rb"[0-9]{1,18}(?:\.[0-9]{1,9})?")
_UPTIME: Final = re.compile(rb"([0-9]{1,18})(?: seconds?)?")
# What fits everywhere a number goes: MessagePack, and the columns of whoever stores it.
LARGEST: Final = 2**63 - 1
_LONGEST_TEXT: Final = 256


@dataclass(frozen=True)
class Source:
    """Where a value goes. A ``weak`` source counts only while no other told the field.

    ``shared``: each node of a cluster tells the same value, so the nodes are not added up.
    """

    field: str
    read: Reader
    weak: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Found:
    """A statistics topic that is known: who speaks, and what it means."""

    family: str
    node: str
    source: Source


def integer(payload: bytes) -> int:
    """Read a counter or gauge; raise `ValueError` on anything else, negative numbers included."""
    if not _INTEGER.fullmatch(payload) or (value := int(payload)) > LARGEST:
        raise ValueError("not a non-negative integer")
    return value


def decimal(payload: bytes) -> float:
    """Read a moving average."""
    if not _FLOAT.fullmatch(payload):
        raise ValueError("not a non-negative decimal number")
    return float(payload)


def uptime_seconds(payload: bytes) -> int:
    """Read mosquitto's ``9 seconds``, and the bare number of its imitators."""
    found = _UPTIME.fullmatch(payload)
    if not found:
        raise ValueError("not a number of seconds")
    return int(found[1])


def uptime_milliseconds(payload: bytes) -> int:
    """Read EMQX's uptime."""
    return integer(payload) // 1000


def text(payload: bytes) -> str:
    """Read a short printable text."""
    value = payload.decode()
    if not value or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise ValueError("not a short printable text")
    return value


def find(topic: str) -> Found | None:
    """Return what a ``$SYS`` topic means, None when it is not a statistic that is known."""
    levels = topic.split("/", 3)
    if len(levels) < 3 or levels[0] != "$SYS":
        return None
    rest = "/".join(levels[2:])
    if levels[1] == "broker":
        return _found("mosquitto", "", _MOSQUITTO.get(rest))
    if levels[1] == "brokers":
        return _found("emqx", levels[2], _EMQX.get(levels[3])) if len(levels) == 4 else None
    return _found("vernemq", levels[1], _VERNEMQ.get(rest))


def _found(family: str, node: str, source: Source | None) -> Found | None:
    return None if source is None else Found(family, node, source)


def family_of(version: str) -> str | None:
    """Name the broker by its own version text; many imitate mosquitto's tree."""
    lowered = version.lower()
    for name in ("mosquitto", "amqtt", "hivemq", "vernemq", "emqx", "rmqtt", "nanomq", "moquette"):
        if name in lowered:
            return name
    return None


def _mosquitto() -> dict[str, Source]:
    plain = {
        "clients/connected": "clients_connected",
        "clients/disconnected": "clients_disconnected",
        "clients/total": "clients_total",
        "clients/maximum": "clients_maximum",
        "clients/expired": "clients_expired",
        "messages/received": "messages_received",
        "messages/sent": "messages_sent",
        "messages/stored": "messages_stored",
        "messages/inflight": "messages_inflight",
        "messages/dropped": "messages_dropped",
        "store/messages/bytes": "store_messages_bytes",
        "publish/messages/received": "publish_received",
        "publish/messages/sent": "publish_sent",
        "publish/messages/dropped": "publish_dropped",
        "publish/bytes/received": "publish_bytes_received",
        "publish/bytes/sent": "publish_bytes_sent",
        "bytes/received": "bytes_received",
        "bytes/sent": "bytes_sent",
        "subscriptions/count": "subscriptions",
        "shared_subscriptions/count": "shared_subscriptions",
        "retained messages/count": "retained",
        "heap/current": "heap_current",
        "heap/maximum": "heap_maximum",
    }
    # The same number under a second name: taken when it is alone, never added.
    aliases = {
        "clients/active": "clients_connected",
        "clients/inactive": "clients_disconnected",
        "store/messages/count": "messages_stored",
    }
    table = {name: Source(field, integer) for name, field in plain.items()}
    table |= {name: Source(field, integer, weak=True) for name, field in aliases.items()}
    table["version"] = Source("version", text)
    table["uptime"] = Source("uptime", uptime_seconds)
    for what in ("messages", "publish", "bytes"):
        for direction in ("received", "sent", "dropped"):
            if direction != "dropped" or what == "publish":
                table |= _load(f"{what}/{direction}", f"load_{what}_{direction}")
    return table | _load("sockets", "load_sockets") | _load("connections", "load_connections")


def _load(name: str, field: str) -> dict[str, Source]:
    spans = ("1min", "5min", "15min")
    return {f"load/{name}/{span}": Source(f"{field}_{span}", decimal) for span in spans}


_MOSQUITTO: Final = _mosquitto()

_EMQX: Final = {
    "version": Source("version", text, shared=True),
    "uptime": Source("uptime", uptime_milliseconds, shared=True),
    "stats/live_connections/count": Source("clients_connected", integer),
    "stats/connections/count": Source("clients_connected", integer, weak=True),
    "stats/sessions/count": Source("clients_total", integer),
    "stats/sessions/max": Source("clients_maximum", integer),
    "stats/subscriptions/count": Source("subscriptions", integer),
    "stats/subscriptions/shared/count": Source("shared_subscriptions", integer),
    "stats/retained/count": Source("retained", integer, shared=True),
    "metrics/bytes/received": Source("bytes_received", integer),
    "metrics/bytes/sent": Source("bytes_sent", integer),
    "metrics/packets/received": Source("messages_received", integer),
    "metrics/packets/sent": Source("messages_sent", integer),
    "metrics/messages/received": Source("publish_received", integer),
    "metrics/messages/sent": Source("publish_sent", integer),
    "metrics/messages/dropped": Source("publish_dropped", integer),
}

_VERNEMQ: Final = {
    "bytes/received": Source("bytes_received", integer),
    "bytes/sent": Source("bytes_sent", integer),
    "mqtt/publish/received": Source("publish_received", integer),
    "mqtt/publish/sent": Source("publish_sent", integer),
    "queue/message/drop": Source("publish_dropped", integer),
    "queue/processes": Source("clients_total", integer),
    "router/subscriptions": Source("subscriptions", integer),
    "retain/messages": Source("retained", integer, shared=True),
}
