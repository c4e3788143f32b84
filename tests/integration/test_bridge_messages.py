"""From a device to Redis: every message once, exactly, numbered."""

import base64
from pathlib import Path

import pytest

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device, Ear

NAMES = RedisChannels()

PAYLOADS = {
    "text": b"hello",
    "empty": b"",
    "not utf-8": b"\xff\xfe\x00binary\x80",
    "nul": b"a\x00b",
    "unicode": "Grüße, 温度 🌡".encode(),
    "json": b'{"t": 21.5, "nested": {"quote": "\\""}}',
    "1 MiB": bytes(range(256)) * 4096,
}

TOPICS = [
    "plain",
    "with space/and more",
    "quotes\"/and'such",
    "unicode/温度/🌡",
    "/leading/slash",
    "trailing/slash/",
    "double//slash",
    "control/\x01\x1b[31m/char",
    "inner/$dollar",
    "<script>alert(1)</script>",
]


def payload_of(document: dict[str, str]) -> bytes:
    return (
        base64.b64decode(document["payload"])
        if document["encoding"] == "base64"
        else document["payload"].encode()
    )


def test_a_message_reaches_every_redis_subscriber(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P31, P83: what a device publishes appears on mqtt:messages, with all it carries."""
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    with Device(broker.port) as device:
        device.publish("test/integration", "hello", qos=1, retain=True)
    document = ear.wait("the message", topic="test/integration")
    assert document["type"] == "message_received"
    assert (document["payload"], document["encoding"], document["size"]) == ("hello", "utf8", 5)
    assert (document["qos"], document["retain"]) == (1, True)
    assert document["epoch"] > 0
    assert document["seq"] > 0


def test_without_a_bridge_nothing_arrives(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P84: the tests here show the bridge's work, not something else's."""
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    with Device(broker.port) as device:
        device.publish("alive", "1")
        ear.wait("a message while the bridge runs", topic="alive")
        bridge.kill()
        device.publish("test/integration", "hello")
        with pytest.raises(AssertionError, match="not within"):
            ear.wait("nothing", timeout=2, topic="test/integration")


@pytest.mark.parametrize("name", PAYLOADS)
def test_payloads_arrive_byte_for_byte(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer, name: str
) -> None:
    """P18, P27: any bytes survive the way, and the bridge survives any bytes."""
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    with Device(broker.port) as device:
        device.publish("bytes", PAYLOADS[name])
        device.publish("after", "1")
    document = ear.wait("the payload", topic="bytes")
    assert payload_of(document) == PAYLOADS[name]
    assert document["size"] == len(PAYLOADS[name])
    ear.wait("the next message", topic="after")


def test_topics_arrive_unchanged(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P13, P27: odd topics are data; they neither end the bridge nor inject a log line."""
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    allowed = [topic for topic in TOPICS if "\x01" not in topic]  # mosquitto refuses these
    with Device(broker.port) as device:
        for topic in allowed:
            device.publish(topic, "1")
    for topic in allowed:
        ear.wait(f"topic {topic!r}", topic=topic)
    assert bridge.alive()


def test_sequence_numbers_have_no_holes(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P17: within an epoch the numbers grow by one, in the channel and in the log alike."""
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    with Device(broker.port) as device:
        for number in range(300):
            device.client.publish("count", str(number), qos=1)
        wait_for(lambda: len(ear.listen()) >= 300, "all messages")
    counted = [d for d in ear.documents if d["topic"] == "count"]
    assert [int(d["payload"]) for d in counted] == list(range(300))
    numbers = [d["seq"] for d in ear.documents]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    logged = [
        batch.first_seq + offset
        for _id, fields in redis_server.client().xrange(NAMES.message_log)
        for batch in [codec.unpack_batch(fields[b"b"])]
        for offset in range(len(batch.messages))
    ]
    assert logged == list(range(1, len(logged) + 1))


def test_system_topics_are_no_messages(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P19: $SYS feeds the statistics and is not mixed into the messages of #."""
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES, NAMES.BROKER_STATS)
    ear.wait("statistics", type="stats_update")
    assert [d["topic"] for d in ear.documents if d.get("topic", "").startswith("$")] == []


def test_a_watched_system_topic_is_forwarded(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """Somebody who asks for a $SYS topic gets it, and the statistics go on."""
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    redis_server.client().publish(
        NAMES.COMMANDS, '{"type":"cmd_subscribe","topic":"$SYS/broker/uptime"}'
    )
    document = ear.wait("an uptime message", topic="$SYS/broker/uptime")
    assert document["payload"].endswith("seconds")


def test_retained_messages_are_known_after_the_start(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P45: a retained snapshot larger than the broker's queue limit arrives whole, and once."""
    with Device(broker.port) as device:
        for number in range(3000):
            device.client.publish(f"kept/{number}", str(number), qos=1, retain=True)
        device.publish("kept/last", "1", retain=True)
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    process = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(process):
        process.wait_ready()
        wait_for(lambda: len(_kept(ear)) >= 3001, "the whole snapshot", 20)
        with Device(broker.port) as device:
            device.publish("live", "1")
        ear.wait("a live message", topic="live")
        assert len(_kept(ear)) == len(set(_kept(ear))) == 3001


def _kept(ear: Ear) -> list[str]:
    return [d["topic"] for d in ear.listen() if d["topic"].startswith("kept/")]


def test_overlapping_filters_bring_a_message_once(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P47: filters that overlap, inside one another or crosswise, do not double a message."""
    process = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_TOPICS="a/+,+/b,a/b,a/b/#")
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    with running(process):
        process.wait_ready()
        with Device(broker.port) as device:
            wait_for(lambda: len(_held(process)) >= 3, "the filters are granted")
            device.publish("a/b", "both")
            device.publish("a/z", "one")
        ear.wait("the second message", topic="a/z")
        assert [d["topic"] for d in ear.listen()].count("a/b") == 1


def _held(process: BridgeProcess) -> list[str]:
    return [line for line in process.output().splitlines() if "mqtt.granted" in line]
