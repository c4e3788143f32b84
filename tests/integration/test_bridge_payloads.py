"""Payloads of every size through a real broker: kept, or left out and survived."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device, Ear

LIMIT = 1_114_112  # the default
# What the packet has besides its payload: header, topic, packet id, properties.
AROUND = 64
MIB = 1024 * 1024
FITTING = [0, 1, 2, 127, 128, 16_383, 16_384, MIB, LIMIT - AROUND]
TOO_LARGE = [LIMIT, LIMIT + 1, 2 * MIB, 8 * MIB, 64 * MIB]


@dataclass
class Line:
    """Broker, Redis and bridge."""

    broker: Broker
    redis: RedisServer
    bridge: BridgeProcess


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Run the three of them."""
    folder: Path = tmp_path_factory.mktemp("payloads")
    broker, redis = Broker(folder), RedisServer(folder)
    with running(broker, redis):
        bridge = BridgeProcess(folder, broker.port, redis, MQTT_MAX_PACKET_SIZE=str(LIMIT))
        with running(bridge):
            bridge.wait_ready()
            yield Line(broker, redis, bridge)


def send(device: Device, topic: str, size: int) -> None:
    """Publish a payload and wait until the broker has all of it."""
    device.client.publish(topic, b"\x5a" * size, qos=1).wait_for_publish(60)


def arrived(ear: Ear, prefix: str) -> list[dict[str, Any]]:
    """Return the documents of some topics."""
    return [one for one in ear.listen() if one["topic"].startswith(prefix)]


def test_g15_what_fits_arrives_whole(path: Line) -> None:
    """Every size up to the limit arrives with exactly its bytes."""
    ear = Ear(path.redis, "mqtt:messages")
    with Device(path.broker.port) as device:
        for size in FITTING:
            send(device, f"size/{size}", size)
        wait_for(lambda: len(arrived(ear, "size/")) == len(FITTING), "all of them", 20)
    documents = arrived(ear, "size/")
    assert [one["size"] for one in documents] == FITTING
    assert [one["payload"] for one in documents] == ["Z" * size for size in FITTING]


@pytest.mark.parametrize("size", TOO_LARGE)
def test_g15_what_is_too_large_is_survived(path: Line, size: int) -> None:
    """The bridge leaves it out and counts it, keeps its session and its memory, and goes on.

    mosquitto 2.0, told a Maximum Packet Size, would end with a segmentation fault here: it logs
    what it leaves out into a topic that the bridge watches, and so without end.
    """
    process = psutil.Process(path.bridge.pid)
    before = process.memory_info().rss
    counted = len(path.bridge.logged("mqtt.too_large"))
    ear = Ear(path.redis, "mqtt:messages")
    with Device(path.broker.port) as device:
        send(device, "large", size)
        send(device, f"after/{size}", 3)
        wait_for(lambda: arrived(ear, f"after/{size}"), "the message after it", 10)
    assert arrived(ear, "large") == []
    assert len(path.bridge.logged("mqtt.too_large")) == counted + 1
    assert len(path.bridge.logged("mqtt.connected")) == 1
    assert process.memory_info().rss - before < 64 * MIB
