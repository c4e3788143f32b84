"""Which topics tell about clients, and who reads them.

The topics of the brokers do not overlap, so a message is read by its topic alone, also while the
broker's family is not known yet.
"""

from dataclasses import dataclass
from typing import Final

from mqtt_dashboard.mqtt import client_json
from mqtt_dashboard.mqtt.broker_log import TOPIC_PREFIX, BrokerLog
from mqtt_dashboard.mqtt.client_events import ClientState, Event, Unusable

_STATE_PREFIX: Final = "$SYS/broker/connection/client/"
_STATE_END: Final = "/state"
_NODES: Final = "$SYS/brokers/"
_EMQX_EVENTS: Final = ("connected", "disconnected", "subscribed", "unsubscribed")

LOG: Final = "mosquitto's log topics"
STATES: Final = "mosquitto's connection-state plugin"
EMQX: Final = "EMQX's client events"
RMQTT: Final = "RMQTT's client events"
NANOMQ: Final = "NanoMQ's client events"


@dataclass(frozen=True)
class Told:
    """One event, and which of the broker's sources told it."""

    source: str
    event: Event


class ClientTopics:
    """Reads everything one connection to one broker brings about clients."""

    def __init__(self) -> None:
        self._log = BrokerLog()

    def read(self, topic: str, payload: bytes, version: str | None) -> Told | None:
        """Return what a message tells; `Unusable` when it is about clients but tells nothing."""
        if topic.startswith(TOPIC_PREFIX):
            return _told(LOG, self._log.read(topic, payload, version))
        if topic.startswith(_STATE_PREFIX):
            return _told(STATES, _state(topic, payload))
        if not topic.startswith(_NODES):
            return None
        what = topic.removeprefix(_NODES)
        if what in {"connected", "disconnected"}:
            return _told(NANOMQ, client_json.read_nanomq(what, payload))
        # EMQX names its nodes like mail addresses, RMQTT numbers them.
        source = EMQX if "@" in what.partition("/")[0] else RMQTT
        return _told(source, _emqx(what, payload))


def _told(source: str, event: Event | None) -> Told | None:
    return None if event is None else Told(source, event)


def _state(topic: str, payload: bytes) -> Event | None:
    name = topic.removeprefix(_STATE_PREFIX)
    if not name.endswith(_STATE_END) or not payload:
        return None  # an empty retained message only removes the entry
    if payload not in {b"0", b"1"}:
        raise Unusable("connection state that is neither 0 nor 1")
    return ClientState(name.removesuffix(_STATE_END), payload == b"1")


def _emqx(rest: str, payload: bytes) -> Event | None:
    """Read ``<node>/clients/<client id>/<event>``; the id may hold any number of slashes."""
    _node, _, below = rest.partition("/")
    name, _, what = below.removeprefix("clients/").rpartition("/")
    if not below.startswith("clients/") or what not in _EMQX_EVENTS:
        return None
    return client_json.read_emqx(name, what, payload)
