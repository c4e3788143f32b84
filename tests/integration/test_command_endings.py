"""Every accepted command ends, whoever is there and whatever its record has become."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from mqtt_dashboard.bus.bridge_orders import BridgeOrders, Step
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.config import RedisSettings, load
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.orders import CommandResult
from tests.support.dashboard_server import BeatingBridge, DashboardServer, viewers
from tests.support.orders import NAMES, left_in_stream, post
from tests.support.servers import RedisServer, running, wait_for
from tests.support.services import Ear


@dataclass
class Alone:
    """A Redis and a dashboard, and no bridge unless a test starts one."""

    redis: RedisServer
    dashboard: DashboardServer
    client: Any

    def state(self, record: dict[str, Any]) -> str:
        """Return a command's state as it lies in Redis: asking the dashboard would end it."""
        return str((self.client.hget(NAMES.order_record(record["id"]), "s") or b"").decode())

    def bytes_waiting(self) -> int:
        return int(self.client.get(NAMES.order_bytes) or 0)

    def post(self, **fields: Any) -> dict[str, Any]:
        status, record = post(self.dashboard, **fields)
        assert status == 202, record
        return record


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    """Run a dashboard without a bridge, with room for three commands."""
    folder = tmp_path_factory.mktemp("endings")
    redis = RedisServer(folder, aof=True)
    with running(redis):
        dashboard = DashboardServer(folder, redis.port, COMMAND_LIMIT="3")
        with running(dashboard):
            wait_for(lambda: dashboard.get("/health")[1]["redis"]["durable"], "Redis is seen")
            yield Alone(redis, dashboard, redis.client())


@pytest.fixture(autouse=True)
def _room(alone: Alone) -> None:
    """Wait until what a test before has left is gone."""
    wait_for(lambda: left_in_stream(alone.redis) == 0, "there is room", 30)


def test_without_a_bridge_commands_end_although_nobody_looks(alone: Alone) -> None:
    """P53, P54: each expires on time, is told to sockets and programs, and makes room again."""
    ear = Ear(alone.redis, NAMES.COMMAND_RESULTS)
    with viewers(alone.dashboard) as (viewer,):
        kept = [alone.post(topic="valve", payload="x" * 1000, deadline_s=1.5) for _ in range(3)]
        assert viewer.call("watch_command", {"id": kept[0]["id"]})["ok"]
        assert post(alone.dashboard, topic="valve")[0] == 503
        wait_for(lambda: {alone.state(one) for one in kept} == {"expired"}, "all have ended")
        wait_for(lambda: viewer.named("command_result"), "the socket is told")
        (told,) = viewer.named("command_result")
    assert (told["id"], told["state"], told["topic"]) == (kept[0]["id"], "expired", "valve")
    for record in kept:
        assert ear.wait("the channel is told", id=record["id"])["state"] == "expired"
    assert (left_in_stream(alone.redis), alone.bytes_waiting()) == (0, 0)
    assert alone.post(topic="valve", deadline_s=0.1)["state"] == "accepted"
    environ = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(alone.redis.port)}
    store = DashboardStore(load(RedisSettings, environ), "test")
    audit = store.audit(None, 1000)

    def outcomes() -> dict[str | None, str]:
        entries = [one.entry for one in audit.back_from(None, 50)]
        return {one.command: one.outcome for one in entries if one.action == "result"}

    wait_for(lambda: {outcomes().get(one["id"]) for one in kept} == {"expired"}, "all written down")
    store.close()


def test_a_command_of_a_bridge_that_never_came_back_ends(alone: Alone) -> None:
    """P53: taken, and nobody tells: long after its deadline it is indeterminate, its id rests."""
    record = alone.post(topic="valve", qos=2)
    past = int((time.time() - 90) * 1000)
    key = NAMES.order_record(record["id"])
    alone.client.hset(key, mapping={"p": "sent", "i": "17", "t": past})
    alone.client.zadd("mqtt:order:open", {record["id"]: past})
    wait_for(lambda: alone.state(record) == "indeterminate", "it has ended")
    assert alone.client.sismember(NAMES.order_burnt, "17")
    assert left_in_stream(alone.redis) == 0


def test_a_result_in_a_flood_of_others_is_told_all_the_same(alone: Alone) -> None:
    """P10: results that went by while a worker stood still are looked up, not forgotten."""
    with viewers(alone.dashboard) as (viewer,):
        record = alone.post(topic="valve", deadline_s=60)
        assert viewer.call("watch_command", {"id": record["id"]})["ok"]
        # Once it has read something it knows a position, which the flood then carries away.
        ended = alone.post(topic="valve", deadline_s=0.1)
        assert viewer.call("watch_command", {"id": ended["id"]})["ok"]
        wait_for(lambda: viewer.named("command_result"), "the first is told")
        alone.dashboard.freeze()
        try:
            alone.client.set(NAMES.bridge_epoch, 1)
            store = BridgeOrders(alone.client, NAMES, "the test's Redis")
            result = CommandResult(
                id=record["id"],
                state="acked",
                reason="confirmed",
                topic="valve",
                mode="at-most-once",
                qos=0,
                timestamp=1.0,
            )
            entry = alone.client.hget(NAMES.order_record(record["id"]), "e").decode()
            other = codec.encode(msgspec.structs.replace(result, id="other"))
            # What it waits for when it is frozen is handed to it all the same.
            alone.client.xadd(NAMES.order_results, {"d": other})
            store.settle(1, [Step("finish", record["id"], entry, result)])
            for _ in range(1300):
                alone.client.xadd(NAMES.order_results, {"d": other}, maxlen=1000)
        finally:
            alone.dashboard.thaw()
        told = [one["id"] for one in viewer.named("command_result")]
        wait_for(lambda: len(viewer.named("command_result")) == 2, f"it is told, too: {told}")
        assert viewer.named("command_result")[1]["id"] == record["id"]


@pytest.mark.parametrize("bridge", [False, True], ids=["no bridge", "bridge"])
def test_an_entry_without_a_record_gives_its_bytes_back(alone: Alone, bridge: bool) -> None:
    """P53: what the stream lost the record of leaves it, and takes no room any more."""
    lost = [alone.post(topic="valve", payload="x" * 1000, deadline_s=1) for _ in range(3)]
    alone.client.delete(*(NAMES.order_record(one["id"]) for one in lost))
    beating = BeatingBridge(alone.redis).start() if bridge else None
    try:
        wait_for(lambda: left_in_stream(alone.redis) == 0, "they left the stream")
        assert alone.bytes_waiting() == 0
    finally:
        if beating is not None:
            beating.stop()


def test_a_broken_record_holds_up_nobody(alone: Alone) -> None:
    """P53: of a batch with records of a wrong kind or without a deadline the others are sent."""
    wrong, timeless, good = (alone.post(topic=f"v/{n}", qos=1, deadline_s=60) for n in range(3))
    alone.client.delete(NAMES.order_record(wrong["id"]))
    alone.client.set(NAMES.order_record(wrong["id"]), "no hash")
    alone.client.hdel(NAMES.order_record(timeless["id"]), "t")
    beating = BeatingBridge(alone.redis).start()
    try:
        wait_for(lambda: alone.state(good) == "acked", "the good one is done")
        wait_for(lambda: left_in_stream(alone.redis) == 0, "all have left the stream")
        assert alone.state(timeless) == "failed"
        assert alone.bytes_waiting() == 0
    finally:
        beating.stop()
        alone.client.delete(NAMES.order_record(wrong["id"]))
