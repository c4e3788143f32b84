"""What became of durable commands, on its way to Redis: in order, many steps per round trip.

A step stays until Redis has it or says that another bridge rules. There are at most a few steps
per command in hand, so the bound on those bounds this.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.counts import Counts
from mqtt_dashboard.bus.bridge_orders import BridgeOrders, Step
from mqtt_dashboard.errors import BusError, FencedError

STEPS_PER_WRITE: Final = 256
RETRY_S: Final = 0.2

log = logs.get(__name__)


class _Waiting(NamedTuple):
    epoch: int
    step: Step
    written: Callable[[], None]


def no_checkpoint(_name: str) -> None:
    """Pass a named point of a command's way; a test may end the process there."""


def nothing() -> None:
    """Do nothing once a step is written."""


class Journal:
    """Steps may be added from any thread; `turn` is a loop of its own."""

    def __init__(self, store: BridgeOrders, checkpoint: Callable[[str], None]) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._ready = threading.Condition()
        self._writing = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self.counts = Counts()

    def add(self, epoch: int, step: Step, written: Callable[[], None] = nothing) -> None:
        """Queue a step of a reign; ``written`` is called when Redis has it."""
        with self._ready:
            self._waiting.append(_Waiting(epoch, step, written))
            self._ready.notify()

    def turn(self, wait: Callable[[float], bool]) -> None:
        """Write what waits, or wait for it."""
        with self._ready:
            if not self._waiting:
                self._ready.wait(0.5)
        try:
            self.flush()
        except BusError as error:
            log.warning("journal.waits", reason=error.reason, steps=len(self._waiting))
            wait(RETRY_S)

    def flush(self) -> None:
        """Write all that waits; raise `BusError`, and keep it, when Redis does not take it."""
        with self._writing:
            self._write_all()

    def _write_all(self) -> None:
        while batch := self._next():
            try:
                self._pass("before", batch)
                self._store.settle(batch[0].epoch, [one.step for one in batch])
            except FencedError as error:
                log.warning("journal.fenced", reason=error.reason, steps=len(batch))
                self._drop(len(batch))
                continue
            self._drop(len(batch))
            self._pass("after", batch)
            for one in batch:
                self._count(one.step)
                one.written()

    def _count(self, step: Step) -> None:
        if step.result is not None:
            state = step.result.state
            self.counts.add("executed" if state in {"acked", "sent"} else state)

    def _pass(self, when: str, batch: list[_Waiting]) -> None:
        for kind in dict.fromkeys(one.step.kind for one in batch):
            self._checkpoint(f"{when}-{kind}")

    def _next(self) -> list[_Waiting]:
        with self._ready:
            if not self._waiting:
                return []
            epoch = self._waiting[0].epoch
            batch: list[_Waiting] = []
            for one in self._waiting:
                if one.epoch != epoch or len(batch) == STEPS_PER_WRITE:
                    break
                batch.append(one)
            return batch

    def _drop(self, count: int) -> None:
        with self._ready:
            for _ in range(count):
                self._waiting.popleft()
