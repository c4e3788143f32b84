"""The bridge when more comes in than Redis takes: bounded, accounted, and it goes on afterwards."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import Batch
from tests.support.relay import Relay
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device

NAMES = RedisChannels()
MIB = 1024 * 1024
ROOMY = "max_queued_messages 0\nmax_queued_bytes 0\nmemory_limit 0"


def logged(redis_server: RedisServer) -> list[Batch]:
    """Return everything in the message log."""
    entries = redis_server.client().xrange(NAMES.message_log)
    return [codec.unpack_batch(fields[b"b"]) for _id, fields in entries]


def places(redis_server: RedisServer) -> Counter[tuple[int, int]]:
    """Return how often each number stands in the log."""
    return Counter(
        (batch.epoch, seq)
        for batch in logged(redis_server)
        for seq in range(batch.first_seq, batch.first_seq + len(batch.messages))
    )


def payloads(redis_server: RedisServer, topic: str) -> set[bytes]:
    """Return the payloads of a topic in the log."""
    return {
        message.payload
        for batch in logged(redis_server)
        for message in batch.messages
        if message.topic == topic
    }


def traffic(redis_server: RedisServer) -> dict[str, Any]:
    """Return the bridge's account as its status tells it."""
    document = redis_server.client().get(NAMES.bridge_status)
    return dict(json.loads(document)["traffic"]) if document else {}


def metric(bridge: BridgeProcess, name: str) -> float:
    """Return one of the bridge's metrics, 0 when it is not there."""
    for line in bridge.probe("/metrics")[1].splitlines():
        if line.startswith(f"mqtt_bridge_{name} "):
            return float(line.rpartition(" ")[2])
    return 0.0


def rss(bridge: BridgeProcess) -> int:
    """Return the memory the bridge holds."""
    return int(psutil.Process(bridge.pid).memory_info().rss)


def test_properties_count_as_what_they_hold(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """User properties fill the queue as payload does, and are written once Redis is back."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.UserProperty = [("k", "v" * 60_000)] * 8
    bridge = BridgeProcess(tmp_path, broker.port, redis_server, BRIDGE_QUEUE_BYTES=str(8 * MIB))
    with running(bridge), Device(broker.port) as device:
        bridge.wait_ready()
        before = rss(bridge)
        redis_server.freeze()
        try:
            for _ in range(200):
                sent = device.client.publish("p", b"", qos=0, properties=properties)
                sent.wait_for_publish(10)
            dropped = 'dropped_messages_total{reason="queue_full"}'
            wait_for(lambda: metric(bridge, dropped) > 100, "messages are left out", 20)
            assert rss(bridge) - before < 60 * MIB
        finally:
            redis_server.thaw()
        device.publish("after", "1")
        wait_for(lambda: payloads(redis_server, "after"), "it goes on", 30)
        wait_for(
            lambda: traffic(redis_server).get("dropped", {}).get("queue_full", 0) > 100,
            "they are counted",
            30,
        )


def test_a_message_redis_cannot_take_is_given_up(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """One message that Redis refuses, again and again, stops neither the log nor the others."""
    redis_server.client().config_set("proto-max-bulk-len", MIB)
    bridge = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(bridge), Device(broker.port) as device:
        bridge.wait_ready()
        for number in range(50):
            device.client.publish("n", str(number), qos=1)
            if number == 20:
                # Each of its bytes takes six in JSON.
                device.client.publish("poison", b"\x01" * 900_000, qos=1)
        expected = {str(number).encode() for number in range(50)}
        wait_for(lambda: expected <= payloads(redis_server, "n"), "all the others", 60)
        wait_for(lambda: traffic(redis_server).get("dropped") == {"refused_by_redis": 1}, "counted")
        assert payloads(redis_server, "poison") == set()
        numbers = places(redis_server)
        assert set(numbers.values()) == {1}
        (gap,) = (batch for batch in logged(redis_server) if batch.gap)
        assert gap.gap == "refused_by_redis"
        assert (gap.epoch, gap.first_seq - 1) not in numbers
        assert bridge.ready()


def test_a_full_redis_is_waited_for(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """Out of memory, Redis refuses everything: that is told in its words, and nothing is lost."""
    redis_server.client().config_set("maxmemory", MIB)
    with Device(broker.port) as device:
        for number in range(5):
            device.publish("n", str(number))
        wait_for(lambda: "maxmemory" in bridge.probe("/readyz")[1], "Redis' own words are told", 15)
        redis_server.client().config_set("maxmemory", 0)
        expected = {str(number).encode() for number in range(5)}
        wait_for(lambda: expected <= payloads(redis_server, "n"), "every message", 15)
        account = wait_for(lambda: traffic(redis_server), "its account", 15)
        assert account["dropped"] == {}


def test_a_slow_redis_gets_everything_once(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """G10: on a line too slow for whole batches it goes on, writes nothing twice, and says so."""
    count = 3_000
    expected = {f"{number:04}".encode() + b"x" * 500 for number in range(count)}
    roomy = Broker(tmp_path, extra=ROOMY)
    with running(roomy), Relay(redis_server.port) as relay:
        bridge = BridgeProcess(tmp_path, roomy.port, relay, MQTT_RECEIVE_MAXIMUM="2000")
        with running(bridge), Device(roomy.port) as device:
            bridge.wait_ready()
            relay.slow_to = 300_000
            for payload in sorted(expected):
                device.client.publish("n", payload, qos=1)
            wait_for(
                lambda: "the oldest message has waited" in bridge.probe("/readyz")[1],
                "it says how far it is behind",
                30,
            )
            wait_for(lambda: len(payloads(redis_server, "n")) > 100, "progress", 30)
            relay.slow_to = None
            wait_for(lambda: expected <= payloads(redis_server, "n"), "every message", 60)
            assert set(places(redis_server).values()) == {1}
            wait_for(bridge.ready, "it is ready again", 20)


def test_the_broker_is_held_off(tmp_path: Path, redis_server: RedisServer) -> None:
    """P39: past its bytes the queue lets the broker wait, keeps the session, and loses nothing."""
    count, size = 150, 256 * 1024
    broker = Broker(tmp_path, extra=ROOMY)
    with running(broker), Device(broker.port) as device:
        bridge = BridgeProcess(tmp_path, broker.port, redis_server, BRIDGE_QUEUE_BYTES=str(4 * MIB))
        with running(bridge):
            bridge.wait_ready()
            before = rss(bridge)
            redis_server.freeze()
            try:
                for number in range(count):
                    device.client.publish("big", number.to_bytes(4, "big") * (size // 4), qos=1)
                frozen = time.monotonic()
                wait_for(lambda: metric(bridge, "queued_messages") > 15, "the queue is full", 20)
                # Longer than an unanswered question of ours would wait.
                wait_for(lambda: time.monotonic() - frozen > 5, "time passes", 20)
                assert metric(bridge, "queued_messages") < 40
                assert rss(bridge) - before < 30 * MIB
                assert metric(bridge, "mqtt_connected") == 1
            finally:
                redis_server.thaw()
            wait_for(lambda: len(payloads(redis_server, "big")) == count, "every message", 30)
            wait_for(lambda: metric(bridge, "queued_messages") == 0, "the queue is empty")
            assert len(bridge.logged("mqtt.connected")) == 1
            assert traffic(redis_server)["dropped"] == {}


def test_it_stops_in_time_with_a_full_queue(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P42: with Redis frozen and messages waiting, SIGTERM still ends it within 5 s."""
    bridge = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(bridge), Device(broker.port) as device:
        bridge.wait_ready()
        redis_server.freeze()
        try:
            for _ in range(100):
                device.client.publish("big", bytes(MIB // 2), qos=1)
            wait_for(lambda: metric(bridge, "queued_messages") > 50, "messages wait", 20)
            for event in ("forwarder.retry", "redis.unreachable", "orders.waiting"):
                wait_for(lambda what=event: bridge.logged(what), f"{event} is logged", 20)  # type: ignore[misc]
            started = time.monotonic()
            assert bridge.terminate(20) == 0
            assert time.monotonic() - started < 5
        finally:
            redis_server.thaw()


def test_lost_results_are_counted(bridge: BridgeProcess, redis_server: RedisServer) -> None:
    """P53: a result that could not be handed over is counted and shown."""
    client = redis_server.client()
    client.set(NAMES.reply("one"), "not a list")
    command = {"type": "cmd_publish", "topic": "t", "payload": "1", "id": "one"}
    client.publish(NAMES.COMMANDS, json.dumps(command))

    def lost() -> bool:
        status = json.loads(client.get(NAMES.bridge_status) or b"{}")
        return bool(status.get("commands", {}).get("reply_lost") == 1)

    wait_for(lost, "the loss is shown")
    assert 'commands_total{outcome="reply_lost"} 1.0' in bridge.probe("/metrics")[1]
