"""Commands from Redis: judged, executed, answered."""

import base64
import json
import time
from typing import Any

import pytest

from mqtt_dashboard.contract.channels import RedisChannels
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device, Ear

NAMES = RedisChannels()


def send(redis_server: RedisServer, command: object) -> int:
    document = command if isinstance(command, bytes) else json.dumps(command).encode()
    return int(redis_server.client().publish(NAMES.COMMANDS, document))


def ask(redis_server: RedisServer, **command: Any) -> dict[str, Any]:
    """Send a publish with an id and return its reply."""
    command = {"type": "cmd_publish", "id": f"t{time.monotonic_ns()}", **command}
    assert send(redis_server, command) == 1
    answer = redis_server.client().blpop(NAMES.reply(command["id"]), timeout=10)
    assert answer is not None, "no reply"
    reply: dict[str, Any] = json.loads(answer[1])
    return reply


@pytest.mark.parametrize(("qos", "state"), [(0, "sent"), (1, "acked"), (2, "acked")])
def test_a_publish_reaches_the_device_and_is_answered(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer, qos: int, state: str
) -> None:
    """P53: the reply says what the broker said, not that something was queued."""
    with Device(broker.port, topics=("do/#",)) as device:
        reply = ask(redis_server, topic="do/it", payload="now", qos=qos, retain=True)
        assert reply["state"] == state
        assert reply["reason"]
        wait_for(lambda: device.heard("do/it") == [b"now"], "the device hears it")


def test_binary_payloads_can_be_published(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P04: base64 carries any bytes to the device."""
    raw = b"\x00\xff\x80"
    with Device(broker.port, topics=("raw",)) as device:
        text = base64.b64encode(raw).decode()
        assert ask(redis_server, topic="raw", payload=text, encoding="base64")["state"] == "sent"
        wait_for(lambda: device.heard("raw") == [raw], "the device hears the bytes")


REFUSED = {
    "wildcard": {"topic": "a/#", "payload": "x"},
    "plus": {"topic": "a/+/b", "payload": "x"},
    "nul": {"topic": "a\x00b", "payload": "x"},
    "broker control": {"topic": "$CONTROL/dynamic-security/v1", "payload": "{}"},
    "broken base64": {"topic": "a", "payload": "!!!", "encoding": "base64"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_must_not_be_published_is_refused_in_words(
    bridge: BridgeProcess, redis_server: RedisServer, name: str
) -> None:
    """P51, P52: the bridge judges again what the dashboard should have refused."""
    reply = ask(redis_server, **REFUSED[name])
    assert reply["state"] == "failed"
    assert len(reply["reason"]) > 10


GARBAGE: list[object] = [
    b"",
    b"not json",
    b"\xff\xfe",
    b"[" * 100_000,
    [],
    "text",
    None,
    {},
    {"type": "cmd_unknown"},
    {"type": "cmd_publish"},
    {"type": "cmd_publish", "topic": "", "payload": "x"},
    {"type": "cmd_publish", "topic": "a", "payload": {"a": 1}},
    {"type": "cmd_publish", "topic": "a", "payload": "x", "qos": 7},
    {"type": "cmd_publish", "topic": "a", "payload": "x", "qos": "1"},
    {"type": "cmd_publish", "topic": "a", "payload": "x", "retain": "yes"},
    {"type": "cmd_publish", "topic": ["a"], "payload": "x"},
    {"type": "cmd_publish", "topic": "a", "id": "../../etc"},
    {"type": "cmd_subscribe", "topic": "a/#/b"},
    {"type": "cmd_subscribe", "topic": "$share/g/a"},
    {"type": "cmd_unsubscribe", "topic": ""},
]


def test_garbage_on_the_command_channel_is_counted(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P12, P27, P51: no document ends the listener, and each one is counted."""
    for document in GARBAGE:
        assert send(redis_server, document) == 1
    with Device(broker.port, topics=("after",)) as device:
        assert ask(redis_server, topic="after", payload="1", qos=1)["state"] == "acked"
        wait_for(lambda: device.heard("after"), "the listener still works")
    metrics = bridge.probe("/metrics")[1]
    counted = sum(
        float(line.split()[-1])
        for line in metrics.splitlines()
        if line.startswith("mqtt_bridge_commands_total{") and 'outcome="executed"' not in line
    )
    assert counted == len(GARBAGE)


def test_a_command_after_its_deadline_is_not_sent(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P54: late is reported as expired, and nothing happens."""
    with Device(broker.port, topics=("valve",)) as device:
        reply = ask(redis_server, topic="valve", payload="open", deadline=time.time() - 1)
        assert reply["state"] == "expired"
        ask(redis_server, topic="valve", payload="shut", qos=1)
        wait_for(lambda: device.heard("valve"), "the later command")
        assert device.heard("valve") == [b"shut"]


def test_a_publish_without_a_broker_fails_and_is_not_delivered_later(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P54: nothing is queued behind the user's back while the broker is away."""
    broker.kill()
    wait_for(lambda: not bridge.ready(), "the loss is noticed")
    reply = ask(redis_server, topic="valve", payload="open", qos=1)
    assert reply["state"] == "failed"
    broker.start()
    with Device(broker.port, topics=("valve", "probe")) as device:
        bridge.wait_ready()
        ask(redis_server, topic="probe", payload="1", qos=1)
        wait_for(lambda: device.heard("probe"), "the connection works again")
        assert device.heard("valve") == []


def test_filters_are_counted_by_reference(
    tmp_path: Any, broker: Broker, redis_server: RedisServer
) -> None:
    """P31, P48: two ask for a filter, one leaves, messages go on; the last one ends them."""
    process = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_TOPICS="always/#")
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    with running(process), Device(broker.port) as device:
        process.wait_ready()
        for kind in ("cmd_subscribe", "cmd_subscribe", "cmd_unsubscribe"):
            send(redis_server, {"type": kind, "topic": "wanted/#"})
        wait_for(lambda: '"filter": "wanted/#"' in process.output(), "the filter is granted")
        device.publish("wanted/1", "1")
        ear.wait("still watched", topic="wanted/1")
        send(redis_server, {"type": "cmd_unsubscribe", "topic": "wanted/#"})
        wait_for(lambda: redis_server.client().hlen(NAMES.subscriptions) == 0, "forgotten")
        device.publish("wanted/2", "2")
        device.publish("always/on", "1")
        ear.wait("the configured filter goes on", topic="always/on")
        assert [d["topic"] for d in ear.listen()].count("wanted/2") == 0


def test_filters_survive_a_restart(
    tmp_path: Any, broker: Broker, redis_server: RedisServer
) -> None:
    """P32: what was asked for before is asked for again by the next bridge."""
    first = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_TOPICS="always/#")
    with running(first):
        first.wait_ready()
        send(redis_server, {"type": "cmd_subscribe", "topic": "wanted/#", "qos": 1})
        wait_for(lambda: redis_server.client().hlen(NAMES.subscriptions) == 1, "stored")
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    second = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_TOPICS="always/#")
    with running(second), Device(broker.port) as device:
        second.wait_ready()
        wait_for(lambda: '"filter": "wanted/#"' in second.output(), "the filter is granted")
        device.publish("wanted/1", "1")
        ear.wait("watched by the next bridge", topic="wanted/1")


@pytest.mark.parametrize("text", ["a\x1b[2J", "a\x01", "a\ufdd0", "a\uffff"], ids=ascii)
def test_no_text_makes_the_broker_throw_the_bridge_out(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer, text: str
) -> None:
    """A broker may end connections over such characters: refused, wherever they stand."""
    client = redis_server.client()
    for document in (
        {"type": "cmd_publish", "topic": text, "payload": "x"},
        {"type": "cmd_subscribe", "topic": f"{text}/#"},
        {"type": "cmd_publish", "topic": "after", "payload": "x", "qos": 1, "id": "after"},
    ):
        client.publish("mqtt:commands", json.dumps(document))
    reply = client.blpop("mqtt:reply:after", timeout=10)
    assert reply is not None
    assert json.loads(reply[1])["state"] == "acked"
    assert [entry["event"] for entry in bridge.logged("mqtt.closed")] == []
    status = json.loads(client.get("mqtt:bridge:status"))
    assert (status["connected"], status["connects"]) == (True, 1)
