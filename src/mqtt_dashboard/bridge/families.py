"""An adapter per broker family: how it tells its statistics and its clients, and what it cannot.

All of a family's differences are in its table entry; the readers themselves go by topic. An entry
says what a family never offers; everything else counts as unknown until the broker has shown it.
"""

from dataclasses import dataclass, field
from typing import Final

from mqtt_dashboard.mqtt.client import Session

DYNSEC_RESPONSE: Final = "$CONTROL/dynamic-security/v1/response"

_NEVER_KICK: Final = "the bridge has no command that ends a connection"
_NO_LOADS: Final = "this broker publishes no moving averages; the rates come from its counters"
_NO_DYNSEC: Final = "only mosquitto has the dynamic security plugin"
_READ_SYS: Final = "allow the bridge's account to subscribe to $SYS/#"


@dataclass(frozen=True)
class Family:
    """One kind of broker.

    ``dialect`` is the form of its ``$SYS`` topics; all its client events lie below ``$SYS`` too, so
    no further filter is needed. ``never`` names the capabilities it cannot have, ``hints`` what to
    switch on for the others.
    """

    key: str
    label: str
    dialect: str | None
    clients_from: str | None
    never: frozenset[str] = frozenset()
    hints: dict[str, str] = field(default_factory=dict)


_MOSQUITTO_HINTS: Final = {
    "statistics": f"in mosquitto.conf sys_interval must not be 0; {_READ_SYS}",
    "client_names": (
        "mosquitto names its clients only in its log: set `log_dest topic`, `log_type notice`, "
        "`log_type error` and `connection_messages true` in mosquitto.conf; clients that connected "
        "before the bridge stay unknown until they connect again"
    ),
    "client_subscriptions": (
        "set `log_dest topic`, `log_type subscribe` and `log_type unsubscribe` in mosquitto.conf"
    ),
    "kick": f"mosquitto has no command for it, and {_NEVER_KICK}",
    "dynamic_security": (
        "if the broker uses the dynamic security plugin, set MQTT_DYNSEC=on and give the bridge's "
        "account a role that may send to and receive from $CONTROL/dynamic-security/#"
    ),
}
_MOSQUITTO_HINTS_ALL: Final = _MOSQUITTO_HINTS | {
    "client_addresses": _MOSQUITTO_HINTS["client_names"],
    "disconnect_reasons": _MOSQUITTO_HINTS["client_names"],
}

MOSQUITTO_2_0: Final = Family(
    key="mosquitto-2.0",
    label="mosquitto 2.0",
    dialect="mosquitto",
    clients_from="the log topics",
    never=frozenset({"kick"}),
    hints=_MOSQUITTO_HINTS_ALL,
)
MOSQUITTO_2_1: Final = Family(
    key="mosquitto-2.1",
    label="mosquitto 2.1",
    dialect="mosquitto",
    clients_from="the log topics, and the connection-state plugin where it is loaded",
    never=frozenset({"kick"}),
    hints=_MOSQUITTO_HINTS_ALL
    | {
        "client_names": _MOSQUITTO_HINTS["client_names"]
        + ", unless the connection-state plugin is loaded"
    },
)
MOSQUITTO_OTHER: Final = Family(
    key="mosquitto",
    label="mosquitto",
    dialect="mosquitto",
    clients_from="the log topics",
    never=frozenset({"kick"}),
    hints=_MOSQUITTO_HINTS_ALL,
)
_EMQX_ACL: Final = (
    "EMQX denies $SYS/# to clients that are not on its own host: allow it to the bridge's account "
    "in acl.conf"
)
_EMQX_API: Final = "or set EMQX_API_URL, EMQX_API_KEY and EMQX_API_SECRET for its REST API"
EMQX: Final = Family(
    key="emqx",
    label="EMQX",
    dialect="emqx",
    clients_from="client events below $SYS, and the REST API where it is set up",
    never=frozenset({"load_averages", "dynamic_security", "kick"}),
    hints={
        "statistics": _EMQX_ACL,
        "load_averages": _NO_LOADS,
        "client_names": (
            f"{_EMQX_ACL} and leave sys_topics.sys_event_messages.client_connected and "
            f".client_disconnected on, {_EMQX_API}; events alone do not name clients that "
            "connected before the bridge"
        ),
        "client_addresses": f"{_EMQX_ACL}, {_EMQX_API}",
        "client_subscriptions": (
            "switch on sys_topics.sys_event_messages.client_subscribed and .client_unsubscribed, "
            f"{_EMQX_API}"
        ),
        "disconnect_reasons": _EMQX_ACL,
        "kick": f"EMQX can do it in its dashboard and REST API; {_NEVER_KICK}",
        "dynamic_security": _NO_DYNSEC,
    },
)
_RMQTT_PLUGIN: Final = f"load the plugin rmqtt-sys-topic and {_READ_SYS} in rmqtt-acl"
RMQTT: Final = Family(
    key="rmqtt",
    label="RMQTT",
    dialect="emqx",
    clients_from="client events below $SYS, from the plugin rmqtt-sys-topic",
    never=EMQX.never,
    hints={
        "statistics": _RMQTT_PLUGIN,
        "load_averages": _NO_LOADS,
        "client_names": f"{_RMQTT_PLUGIN}; clients that connected before the bridge stay unknown",
        "client_subscriptions": "RMQTT tells it only by its HTTP API, unread by the bridge",
        "kick": _NEVER_KICK,
        "dynamic_security": _NO_DYNSEC,
    },
)
_NANOMQ_REST: Final = "NanoMQ tells it only by its HTTP API, which the bridge does not read"
NANOMQ: Final = Family(
    key="nanomq",
    label="NanoMQ",
    dialect=None,
    clients_from="client events on $SYS/brokers/connected and …/disconnected",
    never=frozenset(
        {
            "statistics",
            "load_averages",
            "retained_count",
            "client_subscriptions",
            "dynamic_security",
            "kick",
        }
    ),
    hints={
        "statistics": _NANOMQ_REST,
        "load_averages": _NANOMQ_REST,
        "retained_count": _NANOMQ_REST,
        "client_names": f"{_READ_SYS}; clients that connected before the bridge stay unknown",
        "client_subscriptions": _NANOMQ_REST,
        "kick": f"NanoMQ can do it by its HTTP API; {_NEVER_KICK}",
        "dynamic_security": _NO_DYNSEC,
    },
)
_CLIENT_PARTS: Final = frozenset(
    {"client_names", "client_addresses", "client_subscriptions", "disconnect_reasons"}
)


def _nameless(key: str, label: str, dialect: str | None, where: str, **hints: str) -> Family:
    """Return a family that gives no client ids by MQTT."""
    reason = f"{label} names its clients only {where}, not by MQTT"
    never = _CLIENT_PARTS | {"dynamic_security", "kick"}
    if "load_averages" in hints:
        never |= {"load_averages"}
    texts = dict.fromkeys(_CLIENT_PARTS, reason)
    texts |= {"kick": _NEVER_KICK, "dynamic_security": _NO_DYNSEC} | hints
    return Family(key, label, dialect, None, frozenset(never), texts)


VERNEMQ: Final = _nameless(
    "vernemq",
    "VerneMQ",
    "vernemq",
    "by `vmq-admin session show`",
    load_averages=_NO_LOADS,
    statistics=f"leave systree_enabled on and {_READ_SYS}; it publishes every 20 s",
)
HIVEMQ: Final = _nameless(
    "hivemq",
    "HiveMQ",
    "mosquitto",
    "in its Control Center and REST API",
    statistics=f"install HiveMQ's sys topic extension and {_READ_SYS}; it publishes every 60 s",
)
_RABBIT: Final = "RabbitMQ has no $SYS topics; its management API and Prometheus endpoint tell it"
RABBITMQ: Final = Family(
    key="rabbitmq",
    label="RabbitMQ (by its limits)",
    dialect=None,
    clients_from=None,
    never=_CLIENT_PARTS
    | {"statistics", "load_averages", "retained_count", "kick", "dynamic_security"},
    hints=dict.fromkeys(
        (*sorted(_CLIENT_PARTS), "statistics", "load_averages", "retained_count"), _RABBIT
    )
    | {"kick": _NEVER_KICK, "dynamic_security": _NO_DYNSEC},
)
UNKNOWN: Final = Family(
    key="unknown",
    label="unknown",
    dialect=None,
    clients_from=None,
    never=frozenset({"kick"}),
    hints={
        "statistics": f"no $SYS topics were seen: switch them on in the broker and {_READ_SYS}",
        "client_names": (
            "this broker has not named a client so far; with mosquitto set `log_dest topic`, "
            "`log_type notice` and `connection_messages true`, with EMQX allow $SYS/#"
        ),
        "kick": _NEVER_KICK,
    },
)
ALL: Final = (
    MOSQUITTO_2_0,
    MOSQUITTO_2_1,
    MOSQUITTO_OTHER,
    EMQX,
    RMQTT,
    NANOMQ,
    VERNEMQ,
    HIVEMQ,
    RABBITMQ,
    UNKNOWN,
)
_BY_KEY: Final = {family.key: family for family in ALL}


def choose(
    *, name: str | None, shape: str | None, version: str | None, session: Session | None
) -> Family:
    """Return the family: by the name in its version, the form of its topics, its limits at last.

    ``name`` is what `SysTopics.family` says or the source of client events implies.
    """
    if name == "mosquitto":
        return _mosquitto(version or "")
    if name in _BY_KEY:
        return _BY_KEY[name]
    if shape == "mosquitto" and version is not None and version[:1].isdigit():
        # HiveMQ's extension gives the bare number where mosquitto gives its name.
        return HIVEMQ
    if name is None and shape is None and _looks_like_rabbit(session):
        return RABBITMQ
    return UNKNOWN


def _mosquitto(version: str) -> Family:
    if " 2.0" in version:
        return MOSQUITTO_2_0
    return MOSQUITTO_2_1 if " 2." in version else MOSQUITTO_OTHER


def _looks_like_rabbit(session: Session | None) -> bool:
    """Tell whether the limits of CONNACK are RabbitMQ's: no QoS 2, no shared subscriptions."""
    return (
        session is not None
        and session.protocol == "5.0"
        and session.maximum_qos == 1
        and not session.shared_available
    )
