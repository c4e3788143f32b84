"""Says at fixed intervals what the bridge knows: statistics, clients, topics, status changes.

Driven by the monotonic clock, so a wall clock that jumps delays nothing (P25), and by time rather
than by arriving messages, so a burst of values is reported once it is complete (P24).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.faults import Faults
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bridge.session_log import SessionLog
from mqtt_dashboard.bus.bridge_store import BridgeStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.errors import BusError

TURN_S: Final = 0.2

log = logs.get(__name__)


@dataclass
class Task:
    """Something to do every ``every`` seconds of monotonic time; ``due`` is when next."""

    name: str
    every: float
    action: Callable[[], None]
    due: float = 0.0


class Reporter:
    """The loop behind all periodic documents; `turn` is run by one thread."""

    def __init__(
        self,
        store: BridgeStore,
        channels: RedisChannels,
        lease: Lease,
        session: SessionLog,
        clock: Clock,
        faults: Faults,
    ) -> None:
        self._store = store
        self._channels = channels
        self._lease = lease
        self._session = session
        self._clock = clock
        self._faults = faults
        self._tasks: list[Task] = []

    def every(self, seconds: float, name: str, action: Callable[[], None]) -> None:
        """Add a task; the first run is one interval after the start."""
        self._tasks.append(Task(name, seconds, action, self._clock.monotonic() + seconds))

    def hasten(self, name: str, within: float) -> None:
        """Run a task no later than ``within`` seconds from now."""
        for task in self._tasks:
            if task.name == name:
                task.due = min(task.due, self._clock.monotonic() + within)

    def turn(self, wait: Callable[[float], bool]) -> None:
        """Announce status changes at once, then run what is due."""
        self._session.changed.wait(TURN_S)
        if not self._lease.held:
            return
        try:
            with self._faults.survived("report:status"):
                self.announce_changes()
            self._run_due()
        except BusError as error:
            log.warning("reporter.postponed", reason=error.reason)
            wait(0.5)

    def announce_changes(self) -> None:
        """Publish every status change that was not published yet, in order."""
        while (change := self._session.take_news()) is not None:
            epoch = self._lease.epoch
            change = msgspec.structs.replace(change, epoch=epoch)
            try:
                self._store.announce(epoch, self._channels.BROKER_STATUS, change)
                self._store.history.keep_change(epoch, change)
            except BusError:
                self._session.return_news(change)
                raise

    def _run_due(self) -> None:
        now = self._clock.monotonic()
        for task in self._tasks:
            if now >= task.due:
                # A late task is not repeated to catch up: the newest document is what counts.
                task.due = now + task.every
                # One that fails over what it was given keeps no other from its turn.
                with self._faults.survived(f"report:{task.name}"):
                    task.action()
