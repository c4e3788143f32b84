"""Measure the bridge beside the naive plan: the same broker, Redis and load, in turn.

Throughput is lossless: the broker queues without limit, and a run counts only when every message
has reached Redis. Figures are medians over the rounds; absolute numbers depend on the machine, the
ratio is what counts.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import redis

from bench.load import Load, publish
from tests.support.servers import Broker, Child, RedisServer, free_port, running, wait_for

TICKS = os.sysconf("SC_CLK_TCK")
LIMIT_S = 120


@dataclass(frozen=True)
class Result:
    """One round of one contestant."""

    name: str
    messages: int
    lost: int
    rate: float
    bridge_cpu_s_per_100k: float
    broker_cpu_s_per_100k: float
    redis_cpu_s_per_100k: float


def naive(folder: Path, broker: Broker, store: RedisServer) -> Child:
    """Return the naive bridge, not started."""
    env = {**os.environ, "MQTT_BROKER_PORT": str(broker.port), "REDIS_PORT": str(store.port)}
    return Child([sys.executable, "-m", "bench.naive_bridge"], folder / "naive.log", env)


def ours(folder: Path, broker: Broker, store: RedisServer) -> Child:
    """Return mqtt-bridge with everything on, not started."""
    env = {
        **os.environ,
        "MQTT_BROKER_HOST": "127.0.0.1",
        "MQTT_BROKER_PORT": str(broker.port),
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(store.port),
        "BRIDGE_HTTP_PORT": str(free_port()),
        "BRIDGE_QUEUE_BYTES": str(1024 * 1024 * 1024),
    }
    binary = Path(sys.executable).parent / "mqtt-bridge"
    return Child([str(binary)], folder / "bridge.log", env)


CONTESTANTS: dict[str, tuple[Callable[[Path, Broker, RedisServer], Child], int]] = {
    "naive plan": (naive, 40_000),
    "mqtt-bridge": (ours, 300_000),
}


def measure(name: str, folder: Path, scale: float) -> Result:
    """Run one contestant against fresh servers."""
    build, count = CONTESTANTS[name]
    count = int(count * scale)
    extra = "max_queued_messages 0\nmax_queued_bytes 0\nmemory_limit 0"
    broker, store = Broker(folder, extra=extra), RedisServer(folder)
    bridge = build(folder, broker, store)
    with running(broker, store, bridge):
        bus = store.client()
        wait_for(lambda: _subscribed(broker), f"{name} subscribes", 20)
        time.sleep(2.0)  # let the start's own work end: it is not what is measured
        before = _published(bus)
        children = (bridge, broker, store)
        cpu = [_cpu(child.pid) for child in children]
        started = time.monotonic()
        publish(broker.port, Load(count))
        took = _until_all(bus, before + count, started)
        spent = [_cpu(child.pid) - old for child, old in zip(children, cpu, strict=True)]
        lost = count - (_published(bus) - before)
    per = 100_000 / count
    return Result(name, count, max(lost, 0), count / took, *(round(s * per, 3) for s in spent))


def _until_all(bus: redis.Redis, target: int, started: float) -> float:
    seen, changed = -1, time.monotonic()
    while time.monotonic() - started < LIMIT_S:
        now = _published(bus)
        if now >= target:
            return time.monotonic() - started
        if now != seen:
            seen, changed = now, time.monotonic()
        if time.monotonic() - changed > 10:
            break
        time.sleep(0.01)
    return changed - started


def _published(bus: redis.Redis) -> int:
    stats = bus.info("commandstats").get("cmdstat_publish", {"calls": 0})
    return int(stats["calls"])


def _subscribed(broker: Broker) -> bool:
    return "#" in [line.split()[-1] for line in broker.output().splitlines() if line.split()]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    """Print a table of medians with the ratios to the naive plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds per contestant (default 3)")
    parser.add_argument("--scale", type=float, default=1.0, help="scale the number of messages")
    parser.add_argument("--json", type=Path, help="also write every round to this file")
    parser.add_argument("--report", type=Path, help="also write the table to this Markdown file")
    options = parser.parse_args()
    results: list[Result] = []
    for number in range(options.rounds):
        for name in CONTESTANTS:
            folder = Path(tempfile.mkdtemp(prefix="bench-"))
            result = measure(name, folder, options.scale)
            shutil.rmtree(folder)
            results.append(result)
            print(f"round {number + 1}: {name:12} {result.rate:10,.0f} msg/s", flush=True)
    print(_table(results))
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    if options.report:
        options.report.write_text(_report(results, options.rounds))
    if any(result.lost for result in results):
        sys.exit("messages were lost: the figures above do not count")


def _report(results: list[Result], rounds: int) -> str:
    return (
        "# Benchmarks\n\n"
        "Written by `make bench ARGS='--report docs/reference/benchmarks.md'`. "
        "Absolute figures are of the machine it ran on; the ratios are what counts.\n\n"
        "One mosquitto, one Redis, 100-byte JSON on 1,000 topics, QoS 0, as fast as they come. "
        "The broker queues without limit and a round ends when every message is in Redis: nothing "
        f"may be lost. Medians of {rounds} rounds; {os.cpu_count()} cores shared by the sender, "
        "the broker, the bridge and Redis.\n"
        f"{_table(results)}\n\n"
        "The *naive plan* is a paho callback that encodes each message and waits for one `PUBLISH` "
        "([bench/naive_bridge.py](../../bench/naive_bridge.py)). *mqtt-bridge* runs with "
        "everything on: MQTT 5, QoS 1 subscriptions, acknowledgement after the write, recent "
        "messages, topic index and statistics.\n"
    )


def _table(results: list[Result]) -> str:
    def median(name: str, field: str) -> float:
        values = [float(getattr(one, field)) for one in results if one.name == name]
        return statistics.median(values)

    rows = [
        "",
        "| bridge | msg/s | x naive | bridge CPU s/100k | broker CPU | Redis CPU | lost |",
        "|---|---|---|---|---|---|---|",
    ]
    base = median("naive plan", "rate")
    for name in CONTESTANTS:
        lost = sum(one.lost for one in results if one.name == name)
        rows.append(
            f"| {name} | {median(name, 'rate'):,.0f} | {median(name, 'rate') / base:.1f} "
            f"| {median(name, 'bridge_cpu_s_per_100k'):.2f} "
            f"| {median(name, 'broker_cpu_s_per_100k'):.2f} "
            f"| {median(name, 'redis_cpu_s_per_100k'):.2f} | {lost} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
