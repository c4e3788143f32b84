"""The clients known by id: bounded in number and bytes, changed by events, never by their names.

Called on the link's thread, so every step is constant in time. What cannot be attributed for
certain changes nobody's state for the worse: it is counted, or the state becomes unknown.
"""

import itertools
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Final, NoReturn

from mqtt_dashboard.bridge.client_record import LONGEST_TEXT, ClientRecord
from mqtt_dashboard.mqtt.broker_log import AMBIGUOUS
from mqtt_dashboard.mqtt.client_events import (
    TAKEN_OVER,
    ClientConnected,
    ClientGone,
    ClientRefused,
    ClientState,
    Connection,
    ConnectionOpened,
    Event,
    SessionEnded,
    Subscribed,
    Unsubscribed,
    Unusable,
)

MAX_CLIENTS: Final = 10_000
MAX_TEXT: Final = 16 * 1024 * 1024
MAX_OPENED: Final = 10_000

NO_ROOM: Final = "client forgotten for want of room"
TOO_LONG: Final = "client id longer than 1,024 characters"
NOT_TEXT: Final = "client id that is no valid text"
SEVERAL: Final = "subscription line with several meanings"


class ClientTable:
    """Records by client id; the owner locks."""

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self._ranks: tuple[OrderedDict[str, ClientRecord], ...] = tuple(
            OrderedDict() for _ in range(4)
        )
        self._opened: OrderedDict[Connection, None] = OrderedDict()
        self._text = 0

    def __len__(self) -> int:
        return sum(map(len, self._ranks))

    @property
    def connected(self) -> int:
        """How many clients are known to be connected."""
        return len(self._ranks[3])

    @property
    def text(self) -> int:
        """Characters of names and filters held."""
        return self._text

    @property
    def room(self) -> int:
        """Characters of filters there is room for."""
        return max(MAX_TEXT - self._text, 0)

    def newest_first(self) -> Iterator[ClientRecord]:
        """Go through all records: connected, unknown, gone, never let in; newest first."""
        by_worth = (self._ranks[3], self._ranks[2], self._ranks[1], self._ranks[0])
        return itertools.chain.from_iterable(reversed(rank.values()) for rank in by_worth)

    def get(self, client_id: str) -> ClientRecord | None:
        """Return the record of an id."""
        for rank in self._ranks:
            if (record := rank.get(client_id)) is not None:
                return record
        return None

    def doubt_all(self) -> None:
        """Note that the connection to the broker was lost: whoever was connected may have gone."""
        self._opened.clear()
        for rank, records in enumerate(self._ranks):
            for record in list(records.values()):
                record.doubt()
                if record.rank != rank:
                    self._move(record, rank)

    def apply(self, event: Event, now: float) -> None:
        """Take one event; raise `Unusable` when it cannot be attributed."""
        match event:
            case ConnectionOpened(connection):
                self._note_opened(connection)
            case ClientConnected():
                self._connect(event, now)
            case ClientGone():
                self._lose(event, now)
            case ClientRefused(client_id, reason):
                self._refuse(client_id, reason, now)
            case ClientState(client_id, connected):
                with self._changing(client_id, now) as record:
                    record.confirm(connected=connected, now=now)
            case SessionEnded(client_id):
                if self.get(client_id) is not None:
                    with self._changing(client_id, now) as record:
                        record.forget_filters(complete=False)
            case Subscribed(readings):
                self._subscribe(readings, now)
            case Unsubscribed(readings):
                self._unsubscribe(readings, now)

    def change(self, client_id: str, now: float) -> "_Change":
        """Return a context that changes one record, made when there is none."""
        return self._changing(client_id, now)

    def _connect(self, event: ClientConnected, now: float) -> None:
        self._opened.pop(event.connection, None)
        with self._changing(event.client_id, now) as record:
            record.connect(event, now)

    def _lose(self, event: ClientGone, now: float) -> None:
        before = self.get(event.client_id)
        known = before is not None and before.connected
        if event.connection in self._opened:
            # This connection was never let in: it says nothing about the client it claimed to be.
            del self._opened[event.connection]
            self._refuse(event.client_id, event.reason or "refused", now)
        elif known and before is not None and before.connection.differs(event.connection):
            before.last_reason = event.reason  # an older connection of the same client
        elif event.reason == TAKEN_OVER:
            # Somebody is taking the id over this very moment.
            with self._changing(event.client_id, now) as record:
                record.lose(event.reason, now, connected=True if known else None)
        elif event.certain or (known and before and before.connection.is_same(event.connection)):
            with self._changing(event.client_id, now) as record:
                record.lose(event.reason, now)
        else:
            self._doubtful(event, before, now)

    def _doubtful(self, event: ClientGone, before: ClientRecord | None, now: float) -> None:
        """Take an end that may be that of a connection which was never let in."""
        if event.connection.port is not None:
            raise Unusable(AMBIGUOUS)
        if before is not None and before.connected is False:
            before.refused += 1
            before.last_reason = event.reason
            return
        with self._changing(event.client_id, now) as record:
            record.refused += 1
            record.lose(event.reason, now, connected=None)

    def _refuse(self, client_id: str, reason: str, now: float) -> None:
        with self._changing(client_id, now) as record:
            record.refused += 1
            if not record.connected:
                record.last_reason = reason
            record.last_seen = now

    def _subscribe(self, readings: tuple[tuple[str, int, str], ...], now: float) -> None:
        if len(readings) > 1:
            self._distrust({name for name, _, _ in readings})
        name, qos, topic_filter = readings[0]
        with self._changing(name, now) as record:
            if record.connected is not True:
                record.confirm(connected=True, now=now)
            record.subscribe(topic_filter, qos, room=self.room)
            record.last_seen = now

    def _unsubscribe(self, readings: tuple[tuple[str, str], ...], now: float) -> None:
        if len(readings) > 1:
            holders = [
                (name, given_up)
                for name, given_up in readings
                if (record := self.get(name)) is not None and given_up in record.filters
            ]
            known = [name for name, _ in readings if self.get(name) is not None]
            if len(known) != 1 or len(holders) != 1:
                self._distrust(set(known))
            readings = (holders[0],)
            self._changing(holders[0][0], now).record.complete = False
        name, topic_filter = readings[0]
        with self._changing(name, now) as record:
            if record.connected is not True:
                record.confirm(connected=True, now=now)
            record.unsubscribe(topic_filter)
            record.last_seen = now

    def _distrust(self, names: set[str]) -> NoReturn:
        """Mark the lists of everybody a line may be about, and give the line up."""
        for name in names:
            record = self.get(name)
            if record is not None:
                record.told, record.complete = True, False
        raise Unusable(SEVERAL)

    def _note_opened(self, connection: Connection) -> None:
        self._opened[connection] = None
        if len(self._opened) > MAX_OPENED:
            self._opened.popitem(last=False)

    def _changing(self, client_id: str, now: float) -> "_Change":
        record = self.get(client_id)
        if record is None:
            _check(client_id)
            record = ClientRecord(client_id, now)
        return _Change(self, record)

    def _move(self, record: ClientRecord, rank: int) -> None:
        self._ranks[rank].pop(record.client_id, None)
        self._ranks[record.rank][record.client_id] = record

    def _store(self, record: ClientRecord, rank: int, size: int) -> None:
        """Put a changed record at the end of its rank, and make room."""
        self._move(record, rank)
        self._text += record.size - size
        while len(self) > MAX_CLIENTS or self._text > MAX_TEXT + LONGEST_TEXT:
            oldest = next(rank for rank in self._ranks if rank)
            _, gone = oldest.popitem(last=False)
            self._text -= gone.size
            self.left_out[NO_ROOM] += 1


class _Change:
    """Keeps the table's order and its account right while a record changes."""

    def __init__(self, table: ClientTable, record: ClientRecord) -> None:
        self.record = record
        self._table = table
        self._is_new = table.get(record.client_id) is None
        self._rank = record.rank
        self._size = 0 if self._is_new else record.size

    def __enter__(self) -> ClientRecord:
        return self.record

    def __exit__(self, *_details: object) -> None:
        self._table._store(self.record, self._rank, self._size)  # noqa: SLF001 - its other half


def _check(client_id: str) -> None:
    if not client_id or len(client_id) > LONGEST_TEXT:
        raise Unusable(TOO_LONG)
    try:
        client_id.encode()
    except UnicodeEncodeError as error:
        raise Unusable(NOT_TEXT) from error
