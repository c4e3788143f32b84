"""Results of durable commands, from Redis to whoever waits for them in this worker.

A result that is missed (Redis was away, the stream was trimmed) is found by looking at the record:
the follower does so when it sees that it missed some, and waiting requests do now and then.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mqtt_dashboard import logs
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.bus.durability import NOT_ASKED
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import codec, events
from mqtt_dashboard.contract.orders import CommandRecord, CommandResult
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.fanout import Fanout
from mqtt_dashboard.dashboard.state import ReadModel
from mqtt_dashboard.errors import BusError, QueueFullError

BLOCK_S: Final = 1.0
SWEEP_EVERY_S: Final = 1.0
ASK_EVERY_S: Final = 30.0
MAX_WAITING: Final = 256
MAX_WAITING_EACH: Final = 64
MAX_FOLLOWED: Final = 10_000
MAX_FOLLOWED_EACH: Final = 100

_log = logs.get(__name__)


class ResultBoard:
    """Who waits for which command; any thread may call it."""

    def __init__(self, fanout: Fanout, counters: Counters) -> None:
        self._fanout = fanout
        self._counters = counters
        self._lock = threading.Lock()
        self._waiting: dict[str, list[threading.Event]] = {}
        self._places: Counter[str] = Counter()
        # Who wants to hear of a command, and what a socket wants to hear, the oldest first.
        self._sockets: dict[str, set[str]] = {}
        self._wishes: dict[str, dict[str, None]] = {}

    @contextmanager
    def place(self, command_id: str, waiter: str) -> Iterator[threading.Event]:
        """Wait for a command: the event is set when there is news; `QueueFullError` if too many.

        ``waiter`` stands for one user, so that nobody takes all places.
        """
        event = threading.Event()
        with self._lock:
            self._take_place(waiter)
            self._waiting.setdefault(command_id, []).append(event)
        try:
            yield event
        finally:
            with self._lock:
                self._places[waiter] -= 1
                if not self._places[waiter]:
                    del self._places[waiter]
                waiting = self._waiting[command_id]
                waiting.remove(event)
                if not waiting:
                    del self._waiting[command_id]

    def _take_place(self, waiter: str) -> None:
        if self._places.total() >= MAX_WAITING:
            raise QueueFullError("too many requests are waiting for a result; try again")
        if self._places[waiter] >= MAX_WAITING_EACH:
            raise QueueFullError(
                f"{MAX_WAITING_EACH} of your requests are waiting for a result already; try again"
            )
        self._places[waiter] += 1

    def follow(self, command_id: str, sid: str) -> None:
        """Tell a socket the result of a command.

        Its oldest wish is given up when it has too many; when all have, one of whoever has most.
        """
        with self._lock:
            wishes = self._wishes.setdefault(sid, {})
            wishes[command_id] = None
            self._sockets.setdefault(command_id, set()).add(sid)
            greedy = sid if len(wishes) > MAX_FOLLOWED_EACH else None
            if greedy is None and sum(map(len, self._wishes.values())) > MAX_FOLLOWED:
                greedy = max(self._wishes, key=lambda one: len(self._wishes[one]))
            if greedy is not None:
                self._drop(next(iter(self._wishes[greedy])), greedy)
                self._counters.add("command_results_not_told")

    def unfollow(self, command_id: str, sid: str) -> None:
        """Forget that a socket wants to hear of a command."""
        with self._lock:
            self._drop(command_id, sid)

    def leave(self, sid: str) -> None:
        """Forget a socket."""
        with self._lock:
            for command_id in list(self._wishes.get(sid, ())):
                self._drop(command_id, sid)

    def followed(self) -> list[str]:
        """Return the ids somebody wants to hear of."""
        with self._lock:
            return [*self._sockets, *self._waiting]

    def told(self, result: CommandResult) -> None:
        """Wake those who wait for a result, tell the sockets that want it."""
        with self._lock:
            for event in self._waiting.get(result.id, []):
                event.set()
            sids = list(self._sockets.get(result.id, ()))
            for sid in sids:
                self._drop(result.id, sid)
        document = codec.encode(result)
        for sid in sids:
            self._fanout.tell_one(sid, events.COMMAND_RESULT, document)

    def _drop(self, command_id: str, sid: str) -> None:
        sockets, wishes = self._sockets.get(command_id, set()), self._wishes.get(sid, {})
        sockets.discard(sid)
        wishes.pop(command_id, None)
        if not sockets:
            self._sockets.pop(command_id, None)
        if not wishes:
            self._wishes.pop(sid, None)


class ResultFollower:
    """Reads the stream of results, ends what nobody else ends, asks Redis what it keeps."""

    def __init__(
        self,
        store: DashboardStore,
        state: ReadModel,
        board: ResultBoard,
        clock: Clock,
        counters: Counters,
        auditor: Auditor,
    ) -> None:
        self._store = store
        self._state = state
        self._board = board
        self._clock = clock
        self._counters = counters
        self._auditor = auditor
        self._position: str | None = None
        self._asked_at = float("-inf")
        self._swept_at = float("-inf")

    def turn(self) -> None:
        """Wait for results behind the last position, at most `BLOCK_S`."""
        if self._clock.monotonic() - self._asked_at >= ASK_EVERY_S:
            self._ask()
        if self._position is None:
            self._position = self._store.last_position(self._store.channels.order_results)
            self._catch_up()
        if self._clock.monotonic() - self._swept_at >= SWEEP_EVERY_S:
            self._sweep()
        found = self._store.orders.read_results(self._position, BLOCK_S)
        for position, result in found.entries:
            self._position = position
            if result is None:
                self._counters.add("unreadable", "command_results")
            else:
                self._board.told(result)
                self._auditor.result(result)
        if found.has_gap:
            self._counters.add("command_results_missed")
            self._catch_up()
        self._auditor.sweep()

    def failed(self, _error: BusError) -> None:
        """Start anew once Redis answers again; it may be another one then."""
        self._position = None
        self._asked_at = float("-inf")
        self._state.durability = NOT_ASKED

    def _sweep(self) -> None:
        """End what is overdue: without a bridge nobody else does. Every worker, so any will do."""
        swept = self._store.orders.sweep()
        self._counters.add("commands", "ended_here", swept.ended)
        if not swept.more:
            self._swept_at = self._clock.monotonic()

    def _ask(self) -> None:
        known, found = self._state.durability, self._store.orders.durability()
        self._asked_at = self._clock.monotonic()
        self._state.durability = found
        if found != known and found.durable is not True:
            _log.warning("redis.not_durable", reason=found.reason)

    def _catch_up(self) -> None:
        for record in self._store.orders.records.many(self._board.followed()):
            if record is not None and record.finished_at is not None:
                self._board.told(result_of(record))


def result_of(record: CommandRecord) -> CommandResult:
    """Return the result a finished record holds."""
    assert record.state != "accepted"
    return CommandResult(
        id=record.id,
        state=record.state,
        reason=record.reason,
        topic=record.topic,
        mode=record.mode,
        qos=record.qos,
        timestamp=record.finished_at or 0.0,
        code=record.code,
        topic_sha256=record.topic_sha256,
    )
