"""One client as the bridge remembers it."""

from typing import Final

import msgspec

from mqtt_dashboard.contract.messages import ClientInfo
from mqtt_dashboard.contract.offers import HeldFilter
from mqtt_dashboard.mqtt.client_events import NO_CONNECTION, ClientConnected, Connection

MAX_FILTERS: Final = 100
LONGEST_TEXT: Final = 1024
_REASON_TEXT: Final = 200
_USER_TEXT: Final = 256


class ClientRecord:
    """What is known of one client id; changed under the table's lock only."""

    __slots__ = (
        "clean_start",
        "client_id",
        "complete",
        "connected",
        "connection",
        "connects",
        "filters",
        "first_seen",
        "keepalive",
        "last_reason",
        "last_seen",
        "left_out",
        "protocol",
        "refused",
        "since",
        "told",
        "username",
    )

    def __init__(self, client_id: str, now: float) -> None:
        self.client_id = client_id
        self.connected: bool | None = None
        self.connection: Connection = NO_CONNECTION
        self.protocol: str | None = None
        self.clean_start: bool | None = None
        self.keepalive: int | None = None
        self.username: str | None = None
        self.since: float | None = None
        self.first_seen = now
        self.last_seen = now
        self.connects = 0
        self.refused = 0
        self.last_reason: str | None = None
        self.filters: dict[str, int] = {}
        self.left_out = 0
        # Whether the broker ever told a filter of this client, and whether it told all of them.
        self.told = False
        self.complete = False

    @property
    def rank(self) -> int:
        """How much the record is worth when there is no room: the lowest go first."""
        if self.connected:
            return 3
        if not self.connects and self.refused:
            return 0
        return 2 if self.connected is None else 1

    @property
    def size(self) -> int:
        """Characters of text that strangers chose."""
        texts = len(self.client_id) + len(self.username or "") + len(self.connection.address or "")
        return texts + sum(map(len, self.filters))

    def connect(self, event: ClientConnected, now: float) -> None:
        """Note that the client was let in."""
        if event.clean_start:
            self.forget_filters(complete=True)
        elif not self.connects:
            self.complete = False
        self._enter(connected=True, now=now)
        self.connects += 1
        self.connection = event.connection
        self.protocol = event.protocol
        self.clean_start = event.clean_start
        self.keepalive = event.keepalive
        self.username = shortened(event.username, _USER_TEXT)

    def lose(self, reason: str | None, now: float, *, connected: bool | None = False) -> None:
        """Note that the client went, or (None) that it may have gone."""
        self._enter(connected=connected, now=now)
        self.last_reason = shortened(reason, _REASON_TEXT)

    def confirm(self, *, connected: bool, now: float) -> None:
        """Note what the broker holds as a fact, without knowing since when."""
        if self.connected is not connected:
            self._enter(connected=connected, now=now)
            if not connected:
                self.last_reason = None
        self.last_seen = now

    def doubt(self) -> None:
        """Note that the broker was out of sight: what is remembered may be over."""
        if self.connected:
            self.connected, self.since = None, None
        self.complete = False

    def subscribe(self, topic_filter: str, qos: int, *, room: int) -> None:
        """Note a filter, or that it was left out."""
        self.told = True
        fits = len(self.filters) < MAX_FILTERS and len(topic_filter) <= min(LONGEST_TEXT, room)
        if fits or topic_filter in self.filters:
            self.filters[topic_filter] = qos
        else:
            self.left_out += 1

    def unsubscribe(self, topic_filter: str) -> None:
        """Note that a filter was given up."""
        self.told = True
        if self.filters.pop(topic_filter, None) is None and self.left_out:
            self.left_out -= 1

    def forget_filters(self, *, complete: bool) -> None:
        """Begin the list anew; ``complete`` when the session begins anew, too."""
        self.filters = {}
        self.left_out = 0
        self.complete = complete

    def info(self, *, subscriptions_told: bool, room: int) -> ClientInfo:
        """Return the public form, with filters up to ``room`` bytes of JSON.

        ``subscriptions_told``: whether this broker tells of subscriptions at all.
        """
        held: list[HeldFilter] = []
        left_out = self.left_out
        for name, qos in self.filters.items():
            room -= len(msgspec.json.encode(name)) + 22
            if room < 0:
                left_out += 1
            else:
                held.append(HeldFilter(filter=name, qos=qos))
        known = self.told or (subscriptions_told and self.complete)
        return ClientInfo(
            client_id=self.client_id,
            connected=self.connected,
            address=shortened(self.connection.address, _USER_TEXT),
            port=self.connection.port,
            protocol=self.protocol,
            clean_start=self.clean_start,
            keepalive_s=self.keepalive,
            username=self.username,
            since=self.since,
            last_reason=self.last_reason,
            first_seen=self.first_seen,
            last_seen=self.last_seen,
            connects=self.connects,
            refused=self.refused,
            subscriptions=held if known else None,
            subscriptions_left_out=left_out,
            subscriptions_complete=known and self.complete and not left_out,
        )

    def _enter(self, *, connected: bool | None, now: float) -> None:
        self.connected = connected
        self.since = now
        self.last_seen = now


def shortened(text: str | None, limit: int) -> str | None:
    """Cut a text that a stranger chose, and show that it was cut."""
    return text if text is None or len(text) <= limit else text[:limit] + "…"
