"""The clients of the broker, as far as the broker lets them be known.

Brokers tell of comings and goings only, so whoever connected before the bridge stays unknown: the
document says "known N of M". What a broker tells of itself (EMQX's REST API) completes the list.
"""

import dataclasses
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Final

from mqtt_dashboard.bridge.client_record import ClientRecord
from mqtt_dashboard.bridge.client_table import ClientTable
from mqtt_dashboard.bridge.shown import weight
from mqtt_dashboard.contract.messages import ClientInfo, ClientsUpdate
from mqtt_dashboard.mqtt.client_events import (
    ClientConnected,
    ClientGone,
    ClientState,
    ConnectionOpened,
    Event,
    Subscribed,
    Unsubscribed,
    Unusable,
)
from mqtt_dashboard.mqtt.client_topics import EMQX, NANOMQ, RMQTT, ClientTopics, Told

MAX_SHOWN: Final = 1000
# Bytes of a document, which every browser gets every 10 s: for clients, and for their filters.
CLIENT_BYTES: Final = 384 * 1024
FILTER_BYTES: Final = 256 * 1024
FILTER_BYTES_EACH: Final = 16 * 1024
# So long a broker may take to count a connection that its log has told already, or will tell.
SETTLING_S: Final = 30.0


@dataclass(frozen=True)
class ListedClient:
    """A client as the broker's own list has it.

    ``filters`` is None when these were not listed, and may be a part when not ``complete``.
    """

    event: ClientConnected
    connected: bool
    connected_at: float | None = None
    filters: dict[str, int] | None = None
    complete: bool = False


class Clients:
    """Client ids learned from the broker; ``own`` is how the bridge itself connects."""

    def __init__(self, own: ClientConnected | None = None) -> None:
        self._own = own
        self._own_id = own.client_id if own is not None else None
        self._lock = threading.Lock()
        self._table = ClientTable()
        self._topics = ClientTopics()
        self._sources: set[str] = set()
        self._shown: set[str] = set()
        self._unusable: Counter[str] = Counter()
        self._began = 0.0
        self._named_at: float | None = None
        self._counted: int | None = None
        self._silent = False

    def begin(self, protocol: str | None, now: float) -> None:
        """Start over with a new connection: what is remembered of the last one may be over."""
        with self._lock:
            self._topics = ClientTopics()
            self._sources.clear()
            self._shown.clear()
            self._began, self._named_at, self._counted, self._silent = now, None, None, False
            self._table.doubt_all()
            if self._own is not None:
                self._table.apply(dataclasses.replace(self._own, protocol=protocol), now)

    def feed(self, topic: str, payload: bytes, version: str | None, now: float) -> bool:
        """Learn from one message below ``$SYS``; return whether it was about clients."""
        with self._lock:
            try:
                told = self._topics.read(topic, payload, version)
                if told is not None:
                    self._take(told, now)
            except Unusable as error:
                self._unusable[str(error)] += 1
                return True
        return told is not None

    def take_list(
        self, source: str, listed: list[ListedClient], *, whole: bool, now: float
    ) -> None:
        """Take the broker's own list, as it was from ``now`` on; ``whole``: nobody is missing."""
        with self._lock:
            self._sources.add(source)
            self._shown |= {"client_names", "client_addresses"}
            names = set()
            for one in listed:
                try:
                    self._take_listed(one, now)
                    names.add(one.event.client_id)
                except Unusable as error:
                    self._unusable[str(error)] += 1
            if whole:
                self._miss(names, now)

    @property
    def shown(self) -> frozenset[str]:
        """The client capabilities the broker has proven in this session."""
        with self._lock:
            return frozenset(self._shown)

    @property
    def family(self) -> str | None:
        """The broker's family when its client events give it away."""
        for source, family in ((NANOMQ, "nanomq"), (EMQX, "emqx"), (RMQTT, "rmqtt")):
            if source in self._sources:
                return family
        return None

    def silent(self, connected: int | None, now: float) -> bool:
        """Tell whether clients connect and nothing names them; call it again and again."""
        with self._lock:
            if connected is None or now - self._began < SETTLING_S:
                return False
            before, self._counted = self._counted, connected
            named = self._named_at is not None and now - self._named_at < SETTLING_S
            if before is not None and connected > before and not named:
                self._silent = not self._shown
            elif named:
                self._silent = False
            return self._silent

    @property
    def unnamed(self) -> bool:
        """What `silent` found when it was called last."""
        with self._lock:
            return self._silent

    def update(
        self, connected: int | None, timestamp: float, epoch: int, hint: str | None = None
    ) -> ClientsUpdate:
        """Return the document for `RedisChannels.CLIENT_LIST`; ``hint`` when it is not complete."""
        with self._lock:
            shown = self._first()
            known, count = self._table.connected, len(self._table)
            source = " and ".join(sorted(self._sources)) or None
            left_out = self._unusable + self._table.left_out
        complete = connected is not None and known >= connected
        return ClientsUpdate(
            timestamp=timestamp,
            clients=shown,
            connected=connected,
            known=known,
            source=source,
            hint=None if complete else hint,
            truncated=count - len(shown),
            epoch=epoch,
            left_out=dict(left_out),
        )

    def _first(self) -> list[ClientInfo]:
        """Return the records of most interest, as many as a document holds."""
        told = "client_subscriptions" in self._shown
        room, filters_room = CLIENT_BYTES, FILTER_BYTES
        shown: list[ClientInfo] = []
        for record in self._table.newest_first():
            info = record.info(subscriptions_told=told, room=min(filters_room, FILTER_BYTES_EACH))
            filters = weight(info.subscriptions)
            filters_room -= filters
            room -= weight(info) - filters
            if len(shown) >= MAX_SHOWN or room < 0:
                break
            shown.append(info)
        return shown

    def _take(self, told: Told, now: float) -> None:
        event = told.event
        own = self._own_id is not None and getattr(event, "client_id", None) == self._own_id
        if not own:
            self._table.apply(event, now)
        elif isinstance(event, ClientConnected) and (record := self._table.get(event.client_id)):
            # The bridge knows better whether it is connected, but not from where.
            record.connection = event.connection
        if isinstance(event, ConnectionOpened):
            return
        self._sources.add(told.source)
        self._named_at = now
        self._shown |= _proves(event)

    def _take_listed(self, one: ListedClient, now: float) -> None:
        event = one.event
        before = self._table.get(event.client_id)
        if before is not None and before.connected is not one.connected and before.last_seen > now:
            return  # an event has told something newer meanwhile
        with self._table.change(event.client_id, now) as record:
            since = one.connected_at
            if one.connected and record.connected is not True:
                record.connect(event, now)
                record.complete = False
            elif not one.connected:
                record.confirm(connected=False, now=now)
            _fill(record, event)
            record.since = since if since is not None else record.since
            record.last_seen = now
            if one.filters is not None:
                self._shown.add("client_subscriptions")
                record.forget_filters(complete=one.complete)
                record.told = True
                for name, qos in one.filters.items():
                    record.subscribe(name, qos, room=self._table.room)

    def _miss(self, names: set[str], now: float) -> None:
        """Take note of those who are not in the broker's list and were not seen since it began."""
        for record in list(self._table.newest_first()):
            known = record.connected is not False and record.client_id not in names
            if known and record.last_seen < now and record.client_id != self._own_id:
                with self._table.change(record.client_id, now) as changed:
                    changed.lose("no longer in the broker's list", now)


def _fill(record: ClientRecord, event: ClientConnected) -> None:
    record.connection = event.connection
    record.protocol = event.protocol or record.protocol
    record.clean_start = record.clean_start if event.clean_start is None else event.clean_start
    record.keepalive = record.keepalive if event.keepalive is None else event.keepalive
    record.username = event.username or record.username


def _proves(event: Event) -> set[str]:
    """Return the capabilities an event is the proof of."""
    match event:
        case ClientConnected():
            found = {"client_names"}
            if event.connection.address is not None:
                found.add("client_addresses")
            return found
        case ClientGone():
            return {"client_names"} | ({"disconnect_reasons"} if event.reason else set())
        case ClientState():
            return {"client_names"}
        case Subscribed() | Unsubscribed():
            return {"client_names", "client_subscriptions"}
    return set()
