"""Filters at brokers that refuse some, and in sessions that outlive the bridge that made them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.session import SessionFilter
from tests.support.granting_broker import GrantingBroker, refusing
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device, Ear

NAMES = RedisChannels()
CLIENT_ID = "mqtt-bridge-service"


def status(redis_server: RedisServer) -> dict[str, Any]:
    document = redis_server.client().get(NAMES.bridge_status)
    return dict(json.loads(document)) if document else {}


def granted(redis_server: RedisServer) -> dict[str, int | None]:
    return {one["filter"]: one["granted"] for one in status(redis_server).get("subscriptions", [])}


def all_heard(ear: Ear, topic: str, numbers: range) -> None:
    """Wait until messages with these payloads came, each once."""

    def payloads() -> list[str]:
        return [d["payload"] for d in ear.listen() if d["topic"] == topic]

    expected = [str(number) for number in numbers]
    wait_for(lambda: set(expected) <= set(payloads()), f"every message on {topic}", 20)
    assert sorted(payloads(), key=int) == expected


def test_a_broker_that_refuses_hash_is_heard(tmp_path: Path, redis_server: RedisServer) -> None:
    """P29, P47: EMQX as delivered refuses # and $SYS/# to all; by +/# every message comes."""
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    with GrantingBroker(refusing("#", "$SYS/#")) as broker:
        bridge = BridgeProcess(tmp_path, broker.port, redis_server)
        with running(bridge):
            wait_for(lambda: "+/#" in broker.held, "the other name of #")
            for number in range(5):
                broker.publish("a/b", str(number))
            bridge.wait_ready()
            for number in range(5, 20):
                broker.publish("a/b", str(number), qos=1)
            all_heard(ear, "a/b", range(20))
            wait_for(lambda: status(redis_server)["traffic"]["forwarded"] == 20, "the account")
            assert status(redis_server)["traffic"]["dropped"] == {}
            wait_for(lambda: granted(redis_server).get("+/#") == 1, "QoS 1")
            assert granted(redis_server)["#"] is None


def test_with_everything_refused_it_is_not_ready(tmp_path: Path, redis_server: RedisServer) -> None:
    """P29: a bridge that hears nothing says so by name, and asks again until it is let in."""
    with GrantingBroker(refusing("a/#", "b/#", "$SYS/#")) as broker:
        bridge = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_TOPICS="a/#,b/#")
        with running(bridge):
            wait_for(lambda: "refuses the filter a/#" in bridge.probe("/readyz")[1], "it says so")
            code, text = bridge.probe("/readyz")
            assert code == 503
            assert "the broker refuses the filter b/#: not authorised" in text
            broker.rule = refusing("$SYS/#")
            bridge.wait_ready()
            assert broker.connects == 1
            # Refused, and granted in two steps.
            assert [one.qos for one in broker.asked_for("a/#")] == [0, 0, 1]


def test_no_identifier_ends_the_connection(tmp_path: Path, redis_server: RedisServer) -> None:
    """P27, P47: a broker that rewrites topics sends identifiers of filters that do not match."""
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    with GrantingBroker() as broker:
        bridge = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_TOPICS="a/+,+/b")
        with running(bridge):
            bridge.wait_ready()
            for topic in ("c/b", "elsewhere", "$foo/x"):
                broker.send(topic, "a/+")
            broker.publish("a/b", "0")
            ear.wait("what is wanted, by whatever filter it came", topic="c/b")
            all_heard(ear, "a/b", range(1))
            assert (broker.connects, bridge.logged("mqtt.link_failed")) == (1, [])
            metrics = bridge.probe("/metrics")[1]
            for reason in ("unwanted", "copy"):
                assert f'mqtt_bridge_dropped_messages_total{{reason="{reason}"}} 1.0' in metrics


def test_options_are_sent_again(tmp_path: Path, redis_server: RedisServer) -> None:
    """P33, P35: after a lost session all is asked for again, in both steps, with all options."""
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    with GrantingBroker() as broker:
        broker.retained = {"kept/1": b"7"}
        bridge = BridgeProcess(tmp_path, broker.port, redis_server)
        with running(bridge):
            bridge.wait_ready()
            before = broker.asked_for("#")
            assert [(one.qos, one.retained) for one in before] == [(0, True), (1, False)]
            broker.asked.clear()
            broker.peers[-1].close()
            wait_for(lambda: broker.asked_for("#") == before, "as before", 20)
            wait_for(lambda: granted(redis_server).get("#") == 1, "QoS 1")
    assert [d["topic"] for d in ear.listen()] == ["kept/1", "kept/1"], "once for each session"


def test_a_kept_session_is_brought_in_line(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P32, P47: with other MQTT_TOPICS nothing of before comes any more, and nothing twice."""
    first = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_TOPICS="#")
    with running(first):
        first.wait_ready()
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    second = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_TOPICS="a/#")
    with running(second), Device(broker.port) as device:
        second.wait_ready()
        wait_for(lambda: _unsubscribed(broker, "#"), "# is given up")
        for number in range(5):
            device.publish("b/1", str(number))
            device.publish("a/1", str(number))
        all_heard(ear, "a/1", range(5))
        assert {d["topic"] for d in ear.listen()} == {"a/1"}


def test_a_new_filter_of_a_kept_session_brings_what_is_retained(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P45: what MQTT_TOPICS or a viewer adds is new to the session, and comes with its values."""
    with Device(broker.port, "keeper") as device:
        for topic in ("a/x", "b/x", "c/x"):
            device.publish(topic, "kept", retain=True)
    with running(first := BridgeProcess(tmp_path, broker.port, redis_server, MQTT_TOPICS="a/#")):
        first.wait_ready()
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    second = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_TOPICS="a/#,b/#")
    with running(second):
        ear.wait("the value of a configured filter", topic="b/x")
        second.wait_ready()
        redis_server.client().publish(
            NAMES.COMMANDS, '{"type":"cmd_subscribe","topic":"c/#","qos":1}'
        )
        ear.wait("the value of a viewer's filter", topic="c/x")
        stored = redis_server.client()
        wait_for(lambda: stored.hexists(NAMES.topic_values, "c/x"), "it is in the index")
    assert Counter(d["topic"] for d in ear.listen()) == {"b/x": 1, "c/x": 1}


def test_what_a_killed_bridge_left_behind_is_given_up(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P32, P47: a filter that was asked for once more when the bridge died doubles nothing."""
    properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 600
    client = paho.Client(
        CallbackAPIVersion.VERSION2, CLIENT_ID, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.connect("127.0.0.1", broker.port, clean_start=False, properties=properties)
    client.subscribe("a/#", qos=1)
    client.loop_start()
    wait_for(lambda: f"{CLIENT_ID} 1 a/#" in broker.output(), "the session holds it")
    client.disconnect()
    client.loop_stop()
    name = f"{CLIENT_ID}@127.0.0.1:{broker.port}"
    entry = SessionFilter(filter="a/#", session=name, identifier=1)
    redis_server.client().hset(NAMES.session_filters, "a/#", codec.encode(entry))
    ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
    bridge = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(bridge), Device(broker.port) as device:
        bridge.wait_ready()
        wait_for(lambda: _unsubscribed(broker, "a/#"), "it is given up")
        for number in range(5):
            device.publish("a/1", str(number))
        all_heard(ear, "a/1", range(5))


def test_two_bridges_share_one_filter(tmp_path: Path, broker: Broker) -> None:
    """MQTT 5.0, 4.8.2: with $share/<group>/# each message comes to one of two bridges."""
    with (
        running(redis_server := RedisServer(tmp_path)),
        running(
            one := BridgeProcess(
                tmp_path,
                broker.port,
                redis_server,
                MQTT_TOPICS="$share/bridges/#",
                MQTT_CLIENT_ID="bridge-1",
                REDIS_PREFIX="one:",
            ),
            two := BridgeProcess(
                tmp_path,
                broker.port,
                redis_server,
                MQTT_TOPICS="$share/bridges/#",
                MQTT_CLIENT_ID="bridge-2",
                REDIS_PREFIX="two:",
            ),
        ),
    ):
        one.wait_ready()
        two.wait_ready()
        ears = [Ear(redis_server, f"{prefix}messages") for prefix in ("one:", "two:")]
        with Device(broker.port) as device:
            for number in range(50):
                device.publish("shared/topic", str(number))

        def heard() -> list[list[int]]:
            return [
                [int(d["payload"]) for d in ear.listen() if d["topic"] == "shared/topic"]
                for ear in ears
            ]

        wait_for(lambda: sum(map(len, heard())) >= 50, "every message")
        assert sorted(number for numbers in heard() for number in numbers) == list(range(50))
        assert all(heard())


def _unsubscribed(broker: Broker, topic_filter: str) -> bool:
    return any(
        line.endswith(f": {CLIENT_ID} {topic_filter}") for line in broker.output().splitlines()
    )
