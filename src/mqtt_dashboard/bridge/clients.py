"""The clients of the broker, as far as the broker lets them be known.

Open-source mosquitto names clients only in its log topics, so whoever connected before the bridge
stays unknown: the document says "known N of M". Bounded; the longest-gone are forgotten first.
"""

import threading
from collections import OrderedDict
from typing import Final

import msgspec

from mqtt_dashboard.contract.messages import ClientInfo, ClientsUpdate
from mqtt_dashboard.mqtt.broker_log import ClientConnected, ClientDisconnected, parse

MAX_CLIENTS: Final = 5000
MAX_SHOWN: Final = 1000
HINT: Final = (
    "mosquitto names its clients only in its log: set `log_dest topic`, `log_type notice`, "
    "`log_type error` and `connection_messages true` in mosquitto.conf; clients that connected "
    "before the bridge stay unknown until they connect again"
)


class Clients:
    """Client ids learned from the broker's log topics."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, ClientInfo] = OrderedDict()
        self._source: str | None = None

    def forget(self) -> None:
        """Start over: a new session with the broker knows nothing of who came and went."""
        with self._lock:
            self._known.clear()
            self._source = None

    def feed(self, topic: str, payload: bytes, version: str | None, now: float) -> None:
        """Learn from one message below ``$SYS/broker/log/``."""
        event = parse(topic, payload, version)
        if event is None:
            return
        with self._lock:
            self._source = "mosquitto log topics"
            if isinstance(event, ClientConnected):
                self._remember(_connected(event, now))
            elif isinstance(event, ClientDisconnected):
                before = self._known.get(event.client_id)
                gone = before or ClientInfo(client_id=event.client_id)
                self._remember(
                    msgspec.structs.replace(
                        gone, connected=False, since=now, last_reason=event.reason
                    )
                )

    def update(self, connected: int | None, timestamp: float, epoch: int) -> ClientsUpdate:
        """Return the document for `RedisChannels.CLIENT_LIST`."""
        with self._lock:
            clients = list(reversed(self._known.values()))
            source = self._source
        known = sum(1 for client in clients if client.connected)
        complete = connected is not None and known >= connected
        return ClientsUpdate(
            timestamp=timestamp,
            clients=clients[:MAX_SHOWN],
            connected=connected,
            known=known,
            source=source,
            hint=None if complete else HINT,
            truncated=max(len(clients) - MAX_SHOWN, 0),
            epoch=epoch,
        )

    def _remember(self, client: ClientInfo) -> None:
        self._known[client.client_id] = client
        self._known.move_to_end(client.client_id)
        if len(self._known) > MAX_CLIENTS:
            gone = next((key for key, one in self._known.items() if not one.connected), None)
            self._known.pop(gone if gone is not None else next(iter(self._known)))


def _connected(event: ClientConnected, now: float) -> ClientInfo:
    return ClientInfo(
        client_id=event.client_id,
        connected=True,
        address=event.address,
        port=event.port,
        protocol=event.protocol,
        clean_start=event.clean_start,
        keepalive_s=event.keepalive,
        username=event.username,
        since=now,
    )
