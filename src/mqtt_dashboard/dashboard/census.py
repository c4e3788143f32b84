"""This worker's account in Redis, so that any worker can show all of them."""

import threading
from typing import Final

from mqtt_dashboard import about
from mqtt_dashboard.bus.dashboard_history import DashboardHistory
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.system import WorkerReport
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.fanout import Fanout
from mqtt_dashboard.errors import BusError

EVERY_S: Final = 2.0
LIBRARIES: Final = ("flask", "flask-socketio", "gunicorn", "gevent", "redis", "msgspec")


class Census:
    """Renews the account every two seconds; `turn` is the body of a loop."""

    def __init__(
        self,
        history: DashboardHistory,
        fanout: Fanout,
        counters: Counters,
        clock: Clock,
        name: str,
    ) -> None:
        self.name = name
        self._history = history
        self._fanout = fanout
        self._counters = counters
        self._clock = clock
        self._started_at = clock.now()
        self._stopping = threading.Event()

    def turn(self) -> None:
        """Report, then wait."""
        self._history.report_worker(self.report())
        self._stopping.wait(EVERY_S)

    def report(self) -> WorkerReport:
        """Return the account as of now."""
        counts = {
            f"{name}:{reason}" if reason else name: value
            for (name, reason), value in sorted(self._counters.snapshot().items())
        }
        return WorkerReport(
            name=self.name,
            timestamp=self._clock.now(),
            process=about.process(self._started_at, LIBRARIES),
            viewers=self._fanout.viewer_count(),
            buffered=self._fanout.buffered(),
            log_seq=self._fanout.position(),
            counts=counts,
        )

    def leave(self) -> None:
        """Take the account back; when Redis is gone it expires by itself."""
        self._stopping.set()
        try:
            self._history.forget_worker(self.name)
        except BusError:
            self._counters.add("redis_errors", "census")
