"""Results of durable commands, from Redis to whoever waits for them in this worker.

A result that is missed (Redis was away, the stream was trimmed) is found by looking at the record:
waiting requests look each second, sockets are told when the follower starts anew.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mqtt_dashboard import logs
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import codec, events
from mqtt_dashboard.contract.orders import CommandRecord, CommandResult
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.fanout import Fanout
from mqtt_dashboard.dashboard.state import ReadModel
from mqtt_dashboard.errors import BusError, QueueFullError

BLOCK_S: Final = 1.0
ASK_EVERY_S: Final = 30.0
MAX_WAITING: Final = 256
MAX_FOLLOWED: Final = 10_000

_log = logs.get(__name__)


class ResultBoard:
    """Who waits for which command; any thread may call it."""

    def __init__(self, fanout: Fanout, counters: Counters) -> None:
        self._fanout = fanout
        self._counters = counters
        self._lock = threading.Lock()
        self._waiting: dict[str, list[threading.Event]] = {}
        self._places = threading.BoundedSemaphore(MAX_WAITING)
        self._followed: OrderedDict[tuple[str, str], None] = OrderedDict()

    @contextmanager
    def place(self, command_id: str) -> Iterator[threading.Event]:
        """Wait for a command: the event is set when there is news; `QueueFullError` if too many."""
        if not self._places.acquire(blocking=False):
            raise QueueFullError("too many requests are waiting for a result; try again")
        event = threading.Event()
        with self._lock:
            self._waiting.setdefault(command_id, []).append(event)
        try:
            yield event
        finally:
            self._places.release()
            with self._lock:
                waiting = self._waiting[command_id]
                waiting.remove(event)
                if not waiting:
                    del self._waiting[command_id]

    def follow(self, command_id: str, sid: str) -> None:
        """Tell a socket the result of a command; the oldest wish is given up for a new one."""
        with self._lock:
            self._followed[command_id, sid] = None
            if len(self._followed) > MAX_FOLLOWED:
                self._followed.popitem(last=False)
                self._counters.add("command_results_not_told")

    def followed(self) -> set[str]:
        """Return the ids some socket wants to hear of."""
        with self._lock:
            return {command_id for command_id, _ in self._followed}

    def told(self, result: CommandResult) -> None:
        """Wake those who wait for a result, tell the sockets that want it."""
        with self._lock:
            for event in self._waiting.get(result.id, []):
                event.set()
            pairs = [pair for pair in self._followed if pair[0] == result.id]
            for pair in pairs:
                del self._followed[pair]
        document = codec.encode(result)
        for _, sid in pairs:
            self._fanout.tell_one(sid, events.COMMAND_RESULT, document)


class ResultFollower:
    """Reads the stream of results, and asks Redis now and then what it keeps."""

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

    def turn(self) -> None:
        """Wait for results behind the last position, at most `BLOCK_S`."""
        if self._clock.monotonic() - self._asked_at >= ASK_EVERY_S:
            self._ask()
        if self._position is None:
            self._position = self._store.last_position(self._store.channels.order_results)
            self._catch_up()
        for position, result in self._store.orders.read_results(self._position, BLOCK_S):
            self._position = position
            if result is None:
                self._counters.add("unreadable", "command_results")
            else:
                self._board.told(result)
                self._auditor.result(result)
        self._auditor.sweep()

    def failed(self, _error: BusError) -> None:
        """Start anew once Redis answers again; it may be another one then."""
        self._position = None
        self._asked_at = float("-inf")

    def _ask(self) -> None:
        known, found = self._state.durability, self._store.orders.durability()
        self._asked_at = self._clock.monotonic()
        self._state.durability = found
        if found != known and found.durable is not True:
            _log.warning("redis.not_durable", reason=found.reason)

    def _catch_up(self) -> None:
        for command_id in self._board.followed():
            record = self._store.orders.record(command_id)
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
    )
