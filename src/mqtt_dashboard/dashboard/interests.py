"""Filters somebody watches here: asks the bridge for those it does not receive yet.

Each worker is one owner. What it asked for is renewed while somebody wants it and given back when
the last viewer leaves; if the worker dies, the bridge lets it expire.
"""

import threading
from typing import Final

from mqtt_dashboard import logs
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.commands import Command, SubscribeCommand, UnsubscribeCommand
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.state import ReadModel
from mqtt_dashboard.errors import BusError

HOLD_S: Final = 60.0
RENEW_S: Final = 20.0

_log = logs.get(__name__)


class Interests:
    """Counts who wants which filter and keeps the bridge informed."""

    def __init__(
        self,
        store: DashboardStore,
        state: ReadModel,
        clock: Clock,
        counters: Counters,
        owner: str,
        nudge: threading.Event,
    ) -> None:
        self._store = store
        self._state = state
        self._clock = clock
        self._counters = counters
        self._owner = owner
        self._nudge = nudge
        self._lock = threading.Lock()
        self._wanted: dict[str, int] = {}
        self._asked_at: dict[str, float] = {}

    def want(self, topic_filter: str) -> bool | None:
        """Count one viewer more; return whether the bridge receives the filter already."""
        with self._lock:
            self._wanted[topic_filter] = self._wanted.get(topic_filter, 0) + 1
        covered = self._state.covers(topic_filter)
        if not covered:
            self._nudge.set()
        return covered

    def unwant(self, topic_filter: str) -> None:
        """Count one viewer less; the last one gives the filter back."""
        with self._lock:
            left = self._wanted.get(topic_filter, 0) - 1
            if left > 0:
                self._wanted[topic_filter] = left
            else:
                self._wanted.pop(topic_filter, None)

    def renew(self) -> None:
        """Ask, renew and give back; the only place that talks to Redis, once a second."""
        for topic_filter in list(self._wanted):
            self._ask_if_needed(topic_filter)
        for topic_filter in [one for one in self._asked_at if one not in self._wanted]:
            self._give_back(topic_filter)

    def give_back_all(self) -> None:
        """Give everything back, when the worker stops."""
        for topic_filter in list(self._asked_at):
            self._give_back(topic_filter)

    def _give_back(self, topic_filter: str) -> None:
        del self._asked_at[topic_filter]
        self._send(UnsubscribeCommand(topic=topic_filter, owner=self._owner))

    def _ask_if_needed(self, topic_filter: str) -> None:
        now = self._clock.monotonic()
        asked = self._asked_at.get(topic_filter)
        if asked is not None:
            due = now - asked >= RENEW_S
        else:
            # The bridge holds $SYS for its own use: a grant there does not mean it is forwarded.
            due = topic_filter.startswith("$") or self._state.covers(topic_filter) is False
        if due and self._state.bridge_alive():
            command = SubscribeCommand(topic=topic_filter, owner=self._owner, ttl_s=HOLD_S)
            if self._send(command):
                self._asked_at[topic_filter] = now

    def _send(self, command: Command) -> bool:
        try:
            return self._store.send(command) > 0
        except BusError as error:
            self._counters.add("redis_errors", "interests")
            _log.warning("interest.not_sent", reason=error.reason)
            return False
