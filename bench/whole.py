"""Every process of a running system, for the parts of the benchmark that need all of it."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.load import Load, Sent
from bench.process import cpu_of, rss_of
from bench.worker import Worker
from tests.support.dashboard_server import DashboardServer
from tests.support.servers import Broker, RedisServer, running
from tests.support.services import BridgeProcess


@dataclass
class Whole:
    """Every process of a running system."""

    broker: Broker
    redis: RedisServer
    bridge: BridgeProcess
    dashboard: DashboardServer


@contextlib.contextmanager
def whole() -> Iterator[Whole]:
    """Run a fresh system with default settings."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        broker, redis = Broker(folder, nodelay=False), RedisServer(folder)
        with running(broker, redis):
            bridge = BridgeProcess(folder, broker.port, redis)
            dashboard = DashboardServer(folder, redis.port)
            with running(bridge, dashboard):
                bridge.wait_ready()
                dashboard.wait_ready()
                yield Whole(broker, redis, bridge, dashboard)
    finally:
        shutil.rmtree(folder)


def publish(system: Whole, load: Load) -> None:
    """Publish a load and wait until it is handed over."""
    with Worker(
        "bench.load", str(system.broker.port), msgspec.json.encode(load).decode()
    ) as sender:
        sender.ask("go", Sent)


def serving(system: Whole) -> list[int]:
    """Return the processes of the dashboard."""
    return [system.dashboard.pid, *system.dashboard.children()]


def cpu(pids: Iterable[int]) -> float:
    """Return the seconds of CPU that processes have used."""
    return sum(map(cpu_of, pids))


def megabytes(pids: Iterable[int]) -> float:
    """Return what processes have in memory."""
    return sum(map(rss_of, pids)) / 1e6


def p99(ordered: Sequence[float]) -> float:
    """Return the 99th percentile of values in order."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
