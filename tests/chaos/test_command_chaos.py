"""Durable commands under kills, in sizes that take minutes: the whole table, and many commands."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.crash_table import GOING_ON, WORKING, CrashLab, Point, crash_lab
from tests.support.dashboard_server import DashboardServer
from tests.support.orders import NAMES, ROOMY, finished, post
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

FIRST: tuple[Point, ...] = (("published", 15), ("pubrec", 1), ("after-received", 1))
TABLE: list[list[Point]] = [[point] for point in WORKING]
TABLE += [[first, second] for first in FIRST for second in GOING_ON]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashLab]:
    """Run everything but the bridge once for the module."""
    with crash_lab(tmp_path_factory.mktemp("crashes")) as built:
        yield built


@pytest.mark.parametrize("points", TABLE, ids=lambda points: "-then-".join(map(str, points)))
def test_g3_a_crash_at_every_point(lab: CrashLab, points: list[Point]) -> None:
    """G3: 50 rows of crash points, three modes each: every promise holds."""
    lab.run(*points)


@pytest.mark.parametrize("second", ["before-lost", "after-lost", "before-opened", "after-opened"])
def test_g3_a_crash_while_a_lost_session_is_noted(lab: CrashLab, second: str) -> None:
    """G3: the broker lost the session and the bridge dies while it notes that."""
    states = lab.run(("released", 1), (second, 1), lose_session=True)
    assert "indeterminate" in states["once"]


def test_g4_exactly_once_over_many_kills(tmp_path: Path) -> None:
    """G4: 500 QoS 2 commands and 20 kills of the bridge: each arrives once, each is reported."""
    result = run_with_kills(tmp_path, count=500, kills=20, qos=2, mode="exactly-once")
    assert result.lost == 0
    assert result.copies == 0
    assert result.states == {"acked"}


def test_g4_at_most_once_over_many_kills(tmp_path: Path) -> None:
    """G4: 500 QoS 1 commands and 20 kills: none arrives twice, each is reported."""
    result = run_with_kills(tmp_path, count=500, kills=20, qos=1, mode="at-most-once")
    assert result.copies == 0
    assert result.unreported == 0


class Outcome:
    """What became of many commands."""

    def __init__(self, records: list[dict[str, Any]], heard: list[bytes]) -> None:
        counts = {one: heard.count(one) for one in set(heard)}
        self.states = {record["state"] for record in records}
        self.copies = sum(count - 1 for count in counts.values())
        self.lost = sum(str(n).encode() not in counts for n in range(len(records)))
        acked = [n for n, record in enumerate(records) if record["state"] == "acked"]
        self.unreported = sum(str(n).encode() not in counts for n in acked)


def run_with_kills(folder: Path, *, count: int, kills: int, qos: int, mode: str) -> Outcome:
    """Post commands all the while a bridge is killed again and again."""
    broker, redis = Broker(folder, extra=ROOMY), RedisServer(folder, aof=True)
    rng = random.Random(4)
    with running(broker, redis):
        dashboard = DashboardServer(folder, redis.port)
        bridge = BridgeProcess(folder, broker.port, redis)
        with running(dashboard, bridge), Device(broker.port, topics=("many",)) as device:
            bridge.wait_ready()
            records: list[dict[str, Any]] = []

            def send() -> None:
                for number in range(count):
                    fields = {"topic": "many", "payload": str(number), "qos": qos, "mode": mode}
                    status, record = post(dashboard, f"n{number}", **fields, deadline_s=120)
                    assert status == 202, record
                    records.append(record)
                    time.sleep(0.03)

            sender = threading.Thread(target=send)
            sender.start()
            for _ in range(kills):
                time.sleep(rng.uniform(0.02, 0.3))
                bridge.kill()
                redis.client().delete(NAMES.bridge_lease)
                bridge.start()
                bridge.wait_ready()
            sender.join()
            assert len(records) == count
            ended = [finished(dashboard, record["id"], 60) for record in records]
            device.publish("many", "end")
            wait_for(lambda: b"end" in device.heard("many"), "the end")
            return Outcome(ended, [one for one in device.heard("many") if one != b"end"])


def test_g5_a_thousand_keys_posted_twenty_times(tmp_path: Path) -> None:
    """G5: 1,000 keys, 20 concurrent posts each, on 2 workers: 1,000 effects."""
    broker, redis = Broker(tmp_path, extra=ROOMY), RedisServer(tmp_path, aof=True)
    with running(broker, redis):
        dashboard = DashboardServer(
            tmp_path, redis.port, WEB_CONCURRENCY="2", REQUESTS_PER_MINUTE="1000000"
        )
        bridge = BridgeProcess(tmp_path, broker.port, redis)
        with running(dashboard, bridge), Device(broker.port, topics=("key",)) as device:
            bridge.wait_ready()
            wanted = [number for number in range(1000) for _ in range(20)]
            random.Random(5).shuffle(wanted)
            with ThreadPoolExecutor(20) as pool:
                answers = list(
                    pool.map(
                        lambda n: post(dashboard, f"k{n}", topic="key", payload=str(n), qos=1),
                        wanted,
                    )
                )
            assert {status for status, _ in answers} <= {200, 202}
            ids = {
                (number, record["id"]) for number, (_, record) in zip(wanted, answers, strict=True)
            }
            assert len(ids) == 1000
            for _, command_id in ids:
                assert finished(dashboard, command_id)["state"] == "acked"
            wait_for(lambda: len(device.heard("key")) >= 1000, "all effects", 30)
            assert sorted(map(int, device.heard("key"))) == list(range(1000))
