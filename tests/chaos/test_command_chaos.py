"""Durable commands under kills, in sizes that take minutes; ``CHAOS_SIZE=L`` before a release."""

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.crash_table import CrashLab, crash_lab
from tests.support.dashboard_server import DashboardServer
from tests.support.orders import ROOMY, CrashingBridge, finished, post
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device

# Commands of each mode, and kills.
SIZES = {"S": (500, 20), "L": (10_000, 200)}
EACH, KILLS = SIZES[os.environ.get("CHAOS_SIZE", "S")]

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600 if SIZES["S"][0] == EACH else 14_400)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashLab]:
    """Run everything but the bridge once for the module."""
    with crash_lab(tmp_path_factory.mktemp("crashes")) as built:
        yield built


def test_g4_many_commands_over_many_kills(lab: CrashLab) -> None:
    """G4: 500 commands of each mode and 20 kills (L: 10,000 and 200): what each mode promises.

    Exactly-once: each arrives once and is acked. At-most-once: none arrives twice, all that is not
    acked is indeterminate. None is left without its result.
    """
    rng = random.Random(4)

    def disturb(bridge: CrashingBridge) -> None:
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.02, 0.3))
            bridge.kill()
            lab.end_lease()
            bridge.start()
            bridge.wait_ready()

    states = lab.endure(disturb, each=EACH, gap_s=0.01)
    assert {name: len(found) for name, found in states.items()} == dict.fromkeys(states, EACH)
    assert set(states["most"]) <= {"acked", "indeterminate"}
    assert set(states["once"]) == set(states["least"]) == {"acked"}


def test_g2_redis_killed_again_and_again(lab: CrashLab) -> None:
    """G2: a tenth of the kills at Redis, with its file at every answer: nothing is lost."""

    def disturb(_bridge: CrashingBridge) -> None:
        for _ in range(max(2, KILLS // 10)):
            lab.redis.client().config_set("appendfsync", "always")
            time.sleep(0.5)
            lab.redis.kill()
            lab.redis.start()

    states = lab.endure(disturb, each=EACH // 5, gap_s=0.01)
    assert set(states["once"]) == set(states["least"]) == {"acked"}


def test_g5_a_thousand_keys_posted_twenty_times(tmp_path: Path) -> None:
    """G5: 1,000 keys, 20 concurrent posts each, on 2 workers: 1,000 effects."""
    broker, redis = Broker(tmp_path, extra=ROOMY), RedisServer(tmp_path, aof=True)
    with running(broker, redis):
        dashboard = DashboardServer(
            tmp_path,
            redis.port,
            WEB_CONCURRENCY="2",
            REQUESTS_PER_MINUTE="1000000",
            PUBLISHES_PER_MINUTE="1000000",
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
