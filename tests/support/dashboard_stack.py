"""Redis, a beating bridge and a dashboard, started once for a whole test module."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.dashboard_server import BeatingBridge, DashboardServer, acked
from tests.support.servers import RedisServer, running, wait_for


@dataclass
class Stack:
    """The three of them; `reset` makes them fresh for the next test."""

    redis: RedisServer
    bridge: BeatingBridge
    dashboard: DashboardServer

    def reset(self) -> None:
        """Undo what a test may have changed and wait until the dashboard has seen it."""
        self.bridge.connected = True
        self.bridge.filters = ("#",)
        self.bridge.answer = acked
        wait_for(self._as_new, f"the stack is as new: {self.dashboard.broker()}")
        self.bridge.commands.clear()

    def _as_new(self) -> bool:
        status = self.dashboard.broker()
        filters = [one["filter"] for one in status["bridge"]["subscriptions"]]
        return status["connected"] is True and filters == ["#"]


@contextmanager
def running_stack(folder: Path, **environ: str) -> Iterator[Stack]:
    """Start all three and end them whatever happens."""
    redis = RedisServer(folder, aof=True)
    with running(redis):
        bridge = BeatingBridge(redis).start()
        try:
            dashboard = DashboardServer(folder, redis.port, **environ)
            with running(dashboard):
                dashboard.wait_ready()
                yield Stack(redis, bridge, dashboard)
        finally:
            bridge.stop()
