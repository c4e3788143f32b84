"""Many viewers on one worker of the dashboard: rate, delay, CPU and memory, without a browser.

python -m bench.viewers [--viewers 500] [--seconds 10] [--sets 50] [--plain]    # this part alone

Viewers with the same filters share a frame's matching and encoding. With several sets of filters,
each of which matches all messages, every set costs its own.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from bench.process import cpu_of, rss_of
from bench.watching import Span, Watched
from bench.worker import Worker
from tests.support.dashboard_server import BeatingBridge, DashboardServer
from tests.support.servers import RedisServer, running

VIEWERS: Final = 500
# Different sets of filters in the second run.
SETS: Final = 50
RATE: Final = 10
# With its envelope, a hundred of these are a frame of 20 KB.
MESSAGES: Final = 100
FILL: Final = "x" * 30
SECONDS: Final = 10.0
WARM_UP_S: Final = 2.0
REST_S: Final = 0.7


class Watching(msgspec.Struct, frozen=True):
    """One run; CPU in percent of one core."""

    viewers: int
    rate: int
    credit: bool
    seconds: float
    batches: int
    watched: Watched
    worker_cpu: float
    client_cpu: float
    redis_cpu: float
    rss_mb: float
    sets: int = 1

    @property
    def delivered(self) -> float:
        """Return the part of all frames that arrived."""
        return self.watched.frames / (self.batches * self.viewers)

    @property
    def frame_kb(self) -> float:
        """Return the size of a frame."""
        return self.watched.bytes / max(1, self.watched.frames) / 1000


class Asked(msgspec.Struct, frozen=True):
    """Who is to watch what for how long."""

    viewers: int
    seconds: float
    sets: int
    credit: bool

    def filters(self) -> list[str]:
        """Return the sets of filters, all of which match every message."""
        if self.sets == 1:
            return ["watch/#"]
        return [f"watch/#,apart/{number}" for number in range(self.sets)]


def run(
    viewers: int = VIEWERS, seconds: float = SECONDS, *, sets: int = 1, credit: bool = True
) -> Watching:
    """Start a Redis, a dashboard with one worker and the viewers, and write to all of them."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        redis = RedisServer(folder)
        with running(redis):
            bridge = BeatingBridge(redis).start()
            try:
                dashboard = DashboardServer(folder, redis.port)
                with running(dashboard):
                    dashboard.wait_ready()
                    asked = Asked(viewers, seconds, sets, credit)
                    return _measure(redis, bridge, dashboard, asked)
            finally:
                bridge.stop()
    finally:
        shutil.rmtree(folder)


def _measure(
    redis: RedisServer, bridge: BeatingBridge, dashboard: DashboardServer, asked: Asked
) -> Watching:
    arguments = (str(dashboard.port), str(asked.viewers), "1" if asked.credit else "0")
    with Worker("bench.watching", *arguments, *asked.filters()) as client:
        (worker,) = dashboard.children()
        pids = {"worker": worker, "client": client.pid, "redis": redis.pid}
        _write(bridge, WARM_UP_S)
        time.sleep(REST_S)
        client.ask(Span(ended=False), Watched)
        before = {name: cpu_of(pid) for name, pid in pids.items()}
        began = time.monotonic()
        batches = _write(bridge, asked.seconds)
        took = time.monotonic() - began
        cpu = {name: (cpu_of(pid) - before[name]) / took * 100 for name, pid in pids.items()}
        time.sleep(REST_S)
        return Watching(
            viewers=asked.viewers,
            sets=asked.sets,
            rate=RATE,
            credit=asked.credit,
            seconds=took,
            batches=batches,
            watched=client.ask(Span(ended=True), Watched),
            worker_cpu=cpu["worker"],
            client_cpu=cpu["client"],
            redis_cpu=cpu["redis"],
            rss_mb=rss_of(worker) / 1e6,
        )


def _write(bridge: BeatingBridge, seconds: float) -> int:
    """Write a batch per frame at a steady rate; return how many."""
    count = int(seconds * RATE)
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        text = f"at:{time.monotonic():.6f} {FILL}"
        bridge.feed.messages(*((f"watch/{one}", text) for one in range(MESSAGES)))
    time.sleep(max(0.0, began + count / RATE - time.monotonic()))
    return count


def line(one: Watching) -> str:
    """Return a run in one line."""
    got = one.watched
    how = "on credit" if one.credit else "plain"
    return (
        f"{one.viewers} viewers {how} with {one.sets} sets of filters, "
        f"{one.frame_kb:.1f} KB at {one.rate}/s: "
        f"{got.frames:,} frames ({one.delivered:.1%}), fewest {got.fewest} of {one.batches}, "
        f"left out {got.left_out:,}, p50 {got.p50_ms:.1f} ms, p99 {got.p99_ms:.1f} ms, "
        f"worst {got.max_ms:.0f} ms; worker {one.worker_cpu:.1f} % CPU, {one.rss_mb:.0f} MB; "
        f"clients {one.client_cpu:.1f} %, Redis {one.redis_cpu:.1f} %"
    )


def main() -> None:
    """Measure once and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--sets", type=int, default=1, help="different sets of filters")
    parser.add_argument("--plain", action="store_true", help="viewers that know of no credit")
    asked = parser.parse_args()
    print(line(run(asked.viewers, asked.seconds, sets=asked.sets, credit=not asked.plain)))


if __name__ == "__main__":
    main()
