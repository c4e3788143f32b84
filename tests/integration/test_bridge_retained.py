"""Retained messages: all of them, and where some are missing, how many and why."""

import json
from pathlib import Path
from typing import Any

import pytest

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device

NAMES = RedisChannels()


def census(redis_server: RedisServer) -> dict[str, Any]:
    document = redis_server.client().get(NAMES.bridge_status)
    return (json.loads(document)["retained"] or {}) if document else {}


def retain(broker: Broker, count: int, root: str = "kept") -> None:
    with Device(broker.port, "keeper") as device:
        for number in range(count):
            device.client.publish(f"{root}/{number % 50}/{number}", str(number), qos=0, retain=True)
        device.publish(f"{root}/last", "1", retain=True)


def stored(redis_server: RedisServer) -> int:
    values = redis_server.client().hvals(NAMES.topic_values)
    return sum(codec.unpack_entry(value).retained for value in values)


def test_a_large_snapshot_is_complete_and_said_to_be(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P45: 20,000 retained topics on stock mosquitto arrive whole and agree with its count."""
    retain(broker, 20_000)
    bridge = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(bridge):
        wait_for(lambda: census(redis_server).get("state") == "complete", "complete", 40)
        found = census(redis_server)
        assert found["seen"] >= 20_001
        assert found["missing"] == 0
        assert found["seen"] + found["system"] == found["broker"]
        wait_for(lambda: stored(redis_server) >= 20_001, "all are in the index", 20)


def test_missing_ones_are_asked_for_again(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P45: with a kept session and an emptied index nothing comes by itself; a crawl finds it."""
    retain(broker, 500)
    bridge = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(bridge):
        wait_for(lambda: census(redis_server).get("state") == "complete", "complete", 40)
        bridge.kill()
        redis_server.client().delete(NAMES.topic_names, NAMES.topic_values)
        bridge.start()
        with Device(broker.port) as device:
            device.publish("kept/0/new", "live")
            wait_for(lambda: census(redis_server).get("state") == "crawling", "it crawls", 40)
            device.publish("kept/0/new", "during")
        wait_for(lambda: census(redis_server).get("state") == "complete", "complete", 60)
        assert census(redis_server)["crawled"] > 0
        wait_for(lambda: stored(redis_server) >= 501, "all are in the index", 20)
        value = redis_server.client().hget(NAMES.topic_values, "kept/0/new")
        assert isinstance(value, bytes)
        entry = codec.unpack_entry(value)
        assert (entry.message_count, entry.payload) == (2, b"during")


@pytest.mark.parametrize("hidden", [7])
def test_hidden_ones_are_counted_as_missing(
    tmp_path: Path, redis_server: RedisServer, hidden: int
) -> None:
    """P29: what access rules hide from the bridge is told as missing, with the likely reason."""
    rules = tmp_path / "acl"
    rules.write_text("topic read $SYS/#\ntopic readwrite open/#\ntopic write secret/#\n")
    broker = Broker(tmp_path, extra=f"acl_file {rules}\nsys_interval 1")
    bridge = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(broker):
        retain(broker, 5, "open")
        retain(broker, hidden - 1, "secret")
        with running(bridge):
            wait_for(lambda: census(redis_server).get("state") == "short", "short", 60)
            found = census(redis_server)
            assert found["missing"] == hidden
            assert "access rules" in found["reason"]
