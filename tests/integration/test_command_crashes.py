"""Bridge, dashboard and Redis killed while commands are on their way, in three modes at once."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.crash_table import GOING_ON, MODES, WORKING, CrashLab, Point, crash_lab
from tests.support.crashing_dashboard import POINTS
from tests.support.orders import CrashingBridge, finished, post_again
from tests.support.servers import running, wait_for
from tests.support.services import Device

FIRST: tuple[Point, ...] = (("published", 15), ("pubrec", 1), ("after-received", 1))
TABLE: list[list[Point]] = [[point] for point in WORKING]
TABLE += [[first, second] for first in FIRST for second in GOING_ON]
NOTING = ("before-lost", "after-lost", "before-opened", "after-opened")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashLab]:
    """Run everything but the bridge once for the module."""
    with crash_lab(tmp_path_factory.mktemp("crashes")) as built:
        yield built


@pytest.mark.parametrize("points", TABLE, ids=lambda points: "-then-".join(map(str, points)))
def test_g3_a_crash_at_every_point(lab: CrashLab, points: list[Point]) -> None:
    """G3, P57: one result each; exactly-once arrives once, at-most-once never twice."""
    lab.run(*points)


@pytest.mark.parametrize("second", NOTING)
def test_g3_a_crash_while_a_lost_session_is_noted(lab: CrashLab, second: str) -> None:
    """G3, P57: what the broker forgot is indeterminate and not sent again, though it would work."""
    states = lab.run(("released", 1), (second, 1), lose_session=True)
    assert "indeterminate" in states["once"]


def test_g3_the_table_is_long_enough() -> None:
    """G3: at least 40 different rows, each with all three modes."""
    assert len({str(row) for row in TABLE}) + len(NOTING) >= 40


def test_g4_kills_of_the_bridge_at_any_time(lab: CrashLab) -> None:
    """G4: 501 commands, 10 kills: each is reported, in the states its mode has."""
    rng = random.Random(4)

    def disturb(bridge: CrashingBridge) -> None:
        for _ in range(10):
            time.sleep(rng.uniform(0.05, 0.4))
            bridge.kill()
            lab.end_lease()
            bridge.start()
            bridge.wait_ready()

    states = lab.endure(disturb, each=167)
    assert set(states["most"]) <= {"acked", "indeterminate"}
    assert set(states["once"]) == set(states["least"]) == {"acked"}


def test_g2_redis_killed_with_commands_on_their_way(lab: CrashLab) -> None:
    """G2: Redis dies twice and comes back with its file: nothing accepted is lost or sent twice."""

    def disturb(_bridge: CrashingBridge) -> None:
        # Only then no answer goes out before its write, whatever the disk is doing.
        for _ in range(2):
            lab.redis.client().config_set("appendfsync", "always")
            time.sleep(0.3)
            lab.redis.kill()
            lab.redis.start()

    states = lab.endure(disturb, each=20, gap_s=0.03)
    assert set(states["once"]) == set(states["least"]) == {"acked"}


def test_g2_a_worker_killed_at_every_point_of_accepting(lab: CrashLab) -> None:
    """G2: asked, accepted or answered: whoever asks again with the same key has one effect."""
    bridge = CrashingBridge(lab.nursery, lab.folder, lab.broker.port, lab.redis)
    bridge.crash_at(None)
    lab.end_lease()
    with running(bridge), Device(lab.broker.port, "worker", topics=("worker/#",)) as device:
        bridge.wait_ready()
        for point, (qos, mode) in zip(POINTS, MODES.values(), strict=True):
            topic = f"worker/{point}"
            fields: dict[str, Any] = {"topic": topic, "qos": qos, "mode": mode, "deadline_s": 60}
            status, first = lab.dashboard.crash(point, topic, **fields)
            assert (status == 202) is (point == "answered"), (point, status, first)
            record = post_again(lab.dashboard, topic, **fields)
            assert record["repeated"] is (point != "asked")
            assert first.get("id", record["id"]) == record["id"]
            assert finished(lab.dashboard, record["id"])["state"] == "acked"
        device.publish("worker/end")
        wait_for(lambda: device.heard("worker/end"), "the end")
        heard = [message.topic for message in device.received]
    assert sorted(heard) == sorted(f"worker/{name}" for name in (*POINTS, "end"))
