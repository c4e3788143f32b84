"""From Redis to the read model and the fan-out: what four supervised loops do per turn.

The heartbeat reads the bridge's status each second. The event follower resumes from the newest
documents after every trouble. The log follower reads only while somebody watches; it resumes from
its last position, passes over numbers it has had, and marks a gap whenever numbers are missing.
"""

import threading
from typing import Final

from msgspec.structs import replace

from mqtt_dashboard import logs
from mqtt_dashboard.bus.dashboard_store import BEGIN, DashboardStore, LogEntry, position_key
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import CONTRACT_VERSION, codec, events
from mqtt_dashboard.contract.messages import (
    Batch,
    BridgeStatus,
    ClientsUpdate,
    StateDocument,
    StatsUpdate,
    StatusChange,
    TopicsUpdate,
)
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.fanout import Fanout
from mqtt_dashboard.dashboard.interests import Interests
from mqtt_dashboard.dashboard.ring import RING_MESSAGES
from mqtt_dashboard.dashboard.state import ReadModel, outline
from mqtt_dashboard.errors import BusError, BusRefusedError, ContractError

BEAT_S: Final = 1.0
TELL_EVERY_S: Final = 1.9  # a little below the two seconds that are promised
BLOCK_S: Final = 1.0
CHECK_EVERY_IDLE_TURNS: Final = 5
REST_S: Final = 5.0
RECENT_STEP: Final = 25
RECENT_STEPS: Final = 8

_log = logs.get(__name__)


class Heartbeat:
    """Reads the bridge's status once a second, at once when nudged."""

    def __init__(
        self,
        store: DashboardStore,
        state: ReadModel,
        interests: Interests,
        counters: Counters,
        nudge: threading.Event,
    ) -> None:
        self._store = store
        self._state = state
        self._interests = interests
        self._counters = counters
        self._nudge = nudge
        self.beaten = threading.Event()

    def turn(self) -> None:
        """Read the status key, tell the read model, keep the bridge informed."""
        raw = self._store.bridge_status()
        self._state.redis_answered()
        self._state.bridge_reported(self._decode(raw))
        self.beaten.set()
        self._interests.renew()
        self._nudge.wait(BEAT_S)
        self._nudge.clear()

    def failed(self, error: BusError) -> None:
        """Note that Redis is down, or that it refuses to show the key."""
        if isinstance(error, BusRefusedError):
            self._state.redis_answered()
            self._state.bridge_reported(None)
        else:
            self._state.redis_failed(error.reason)
        self.beaten.set()

    def _decode(self, raw: bytes | None) -> BridgeStatus | None:
        if raw is None:
            return None
        try:
            return codec.decode(raw, BridgeStatus)
        except ContractError as error:
            self._counters.add("unreadable", "bridge_status")
            _log.warning("bridge_status.unreadable", reason=str(error))
            return None


class Pulse:
    """Tells the viewers the status when it changes, and every two seconds."""

    def __init__(
        self, state: ReadModel, fanout: Fanout, clock: Clock, beaten: threading.Event
    ) -> None:
        self._state = state
        self._fanout = fanout
        self._clock = clock
        self._beaten = beaten
        self._told: object = None
        self._told_at = 0.0

    def turn(self) -> None:
        """Wait for a heartbeat, at most `BEAT_S`, and tell what is due."""
        self._beaten.wait(BEAT_S)
        self._beaten.clear()
        status = self._state.broker_status()
        now, told = self._clock.monotonic(), outline(status)
        if told != self._told or now - self._told_at >= TELL_EVERY_S:
            self._told, self._told_at = told, now
            self._fanout.tell(events.BROKER_STATUS, codec.encode(status))


class EventFollower:
    """Takes state documents into the read model and tells the viewers."""

    def __init__(
        self,
        store: DashboardStore,
        state: ReadModel,
        fanout: Fanout,
        counters: Counters,
        nudge: threading.Event,
    ) -> None:
        self._store = store
        self._state = state
        self._fanout = fanout
        self._counters = counters
        self._nudge = nudge
        self._position: str | None = None
        self._idle_turns = 0
        names = store.channels
        self._kinds: dict[str, type[StateDocument]] = {
            names.BROKER_STATS: StatsUpdate,
            names.BROKER_STATUS: StatusChange,
            names.CLIENT_LIST: ClientsUpdate,
            names.TOPIC_LIST: TopicsUpdate,
        }

    def turn(self) -> None:
        """Wait for documents behind the last position, at most `BLOCK_S`."""
        if self._position is None:
            self._position = self._resync()
        entries = self._store.read_events(self._position, BLOCK_S)
        for entry in entries:
            self._position = entry.position
            self._take(entry.channel, entry.document)
        self._idle_turns = 0 if entries else self._idle_turns + 1
        if self._idle_turns >= CHECK_EVERY_IDLE_TURNS:
            self._idle_turns = 0
            self._check_position(self._position)

    def failed(self, _error: BusError) -> None:
        """Start from the newest documents once Redis answers again."""
        self._position = None

    def _resync(self) -> str:
        # The position first: what comes between the two reads is then seen twice, never missed.
        position = self._store.last_position(self._store.channels.events)
        for channel in self._kinds:
            document = self._store.latest(channel)
            if document is not None:
                self._take(channel, document)
        return position

    def _check_position(self, position: str) -> None:
        last = self._store.last_position(self._store.channels.events)
        if position_key(last) < position_key(position):
            self._counters.add("stream_restarts", "events")
            self._position = None

    def _take(self, channel: str | None, raw: bytes | None) -> None:
        kind = self._kinds.get(channel or "")
        if kind is None or raw is None:
            self._counters.add("unreadable", "events")
            return
        try:
            document = codec.decode(raw, kind)
        except ContractError as error:
            self._counters.add("unreadable", "events")
            _log.warning("event.unreadable", channel=channel, reason=str(error))
            return
        self._state.take(document)
        self._tell(document)

    def _tell(self, document: StateDocument) -> None:
        match document:
            case StatsUpdate():
                reply = codec.encode(self._state.broker_stats())
                self._fanout.tell(events.BROKER_STATS, reply)
            case ClientsUpdate():
                self._fanout.tell(events.CLIENTS_UPDATE, codec.encode(document))
            case TopicsUpdate():
                self._fanout.tell(events.TOPICS_UPDATE, codec.encode(document))
            case StatusChange():
                self._nudge.set()


class LogFollower:
    """Hands batches of the message log to the fan-out while somebody watches."""

    def __init__(self, store: DashboardStore, fanout: Fanout, counters: Counters) -> None:
        self._store = store
        self._fanout = fanout
        self._counters = counters
        self._position: str | None = None
        # The number expected next, and whether something unknown may have been lost before it.
        self._next: tuple[int, int] | None = None
        self._unsure = False
        self._idle_turns = 0
        self._suspicious = False

    def turn(self) -> None:
        """Wait for batches behind the last position, or for somebody to watch."""
        if not self._fanout.watched.is_set() and self._fanout.rest():
            self._position = None
            self._fanout.watched.wait(REST_S)
            return
        if self._position is None:
            self._position = self._start()
        if self._suspicious:
            self._check_position(self._position)
            self._suspicious = False
        entries = self._store.read_log(self._position, BLOCK_S)
        for entry in entries:
            self._position = entry.position
            self._take(entry)
        self._idle_turns = 0 if entries else self._idle_turns + 1
        self._suspicious = self._idle_turns >= CHECK_EVERY_IDLE_TURNS
        if self._suspicious:
            self._idle_turns = 0

    def failed(self, _error: BusError) -> None:
        """Look at the stream's end before going on: Redis may have come back without it."""
        self._suspicious = True

    def _start(self) -> str:
        """Fill the ring with recent batches; return the position they end at."""
        position = self._store.last_position(self._store.channels.message_log)
        newest_first: list[Batch] = []
        before: str | None = None
        messages = 0
        for _ in range(RECENT_STEPS):
            entries = self._store.recent_log(before, RECENT_STEP)
            if before is None and entries:
                position = entries[0].position
            newest_first += [batch for entry in entries if (batch := self._readable(entry))]
            messages += sum(len(entry.batch.messages) for entry in entries if entry.batch)
            if len(entries) < RECENT_STEP or messages >= RING_MESSAGES:
                break
            before = entries[-1].position
        self._next, self._unsure = None, False
        recent = []
        for batch in reversed(newest_first):
            if (new := self._without_known(batch)) is not None:
                recent.append(new)
                self._next = _next(new)
        self._fanout.prime(recent)
        return position

    def _check_position(self, position: str) -> None:
        last = self._store.last_position(self._store.channels.message_log)
        if position_key(last) < position_key(position):
            self._counters.add("stream_restarts", "log")
            self._position = BEGIN
            self._next = None
            self._fanout.mark_gap()

    def _take(self, entry: LogEntry) -> None:
        batch = self._readable(entry)
        if batch is None:
            self._unsure = True
            self._fanout.mark_gap()
            return
        new = self._without_known(batch)
        if new is None:
            return
        place = new.epoch, new.first_seq
        if self._next is not None and self._next != place and not self._unsure:
            self._fanout.mark_gap(new.gap or "")
        self._next, self._unsure = _next(new), False
        self._fanout.deliver(new)

    def _without_known(self, batch: Batch) -> Batch | None:
        """Leave out what came before: a number that stands in the log twice is one message."""
        if self._next is None or self._next[0] != batch.epoch:
            return batch
        known = self._next[1] - batch.first_seq
        if known <= 0:
            return batch
        self._counters.add("log_repeated", amount=min(known, len(batch.messages)))
        if known >= len(batch.messages):
            return None
        return replace(batch, first_seq=self._next[1], messages=batch.messages[known:], gap=None)

    def _readable(self, entry: LogEntry) -> Batch | None:
        batch = entry.batch
        if batch is None or batch.version != CONTRACT_VERSION or not batch.messages:
            self._counters.add("unreadable", "log")
            return None
        return batch


def _next(batch: Batch) -> tuple[int, int]:
    return batch.epoch, batch.first_seq + len(batch.messages)
