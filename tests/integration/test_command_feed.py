"""The subscriber of the command channel: one owner, confirmed by Redis, given back by its owner."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from mqtt_dashboard import config
from mqtt_dashboard.about import process
from mqtt_dashboard.bridge.service import MQTTBridge
from mqtt_dashboard.bus.bridge_store import BridgeStore
from mqtt_dashboard.bus.connection import open_client
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config_bridge import BridgeSettings
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.system import BridgeAbout
from mqtt_dashboard.errors import BusError
from tests.support.relay import Relay
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device

NAMES = RedisChannels()
CALLS = ("subscribe", "get_message", "ping", "close")


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    settings = config.load(
        config.RedisSettings, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_server.port)}
    )
    one = open_client(settings, "test")
    yield one
    one.close()


def test_one_thread_uses_the_subscriber(
    broker: Broker,
    redis_server: RedisServer,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P06: from its subscription to its end, the stop of the bridge included."""
    users: list[tuple[str, str]] = []
    clock = SystemClock()
    made: Any = client.pubsub

    def pubsub() -> Any:
        one = made()
        for name in CALLS:
            original = getattr(one, name)

            def noted(*args: Any, _name: str = name, _call: Any = original, **kwargs: Any) -> Any:
                users.append((_name, threading.current_thread().name))
                return _call(*args, **kwargs)

            setattr(one, name, noted)
        return one

    monkeypatch.setattr(client, "pubsub", pubsub)
    bridge = MQTTBridge(
        config.load(
            config.MqttSettings,
            {"MQTT_BROKER_HOST": "127.0.0.1", "MQTT_BROKER_PORT": str(broker.port)},
        ),
        config.load(BridgeSettings, {}),
        BridgeStore(client, NAMES, "here"),
        NAMES,
        clock,
        BridgeAbout(process=process(clock.now(), ()), settings=[]),
    )
    bridge.start()
    try:
        wait_for(lambda: not bridge.not_ready(), "it carries messages", 20)
        with Device(broker.port, topics=("t",)) as device:
            command = {"type": "cmd_publish", "topic": "t", "payload": "1"}
            redis_server.client().publish(NAMES.COMMANDS, json.dumps(command))
            wait_for(lambda: device.heard("t"), "the command is executed")
    finally:
        bridge.stop()
    assert {thread for _, thread in users} == {"commands"}
    assert [name for name, _ in users if name != "get_message"][-1] == "close"


def test_a_subscription_redis_does_not_confirm_is_an_error(
    redis_server: RedisServer,
) -> None:
    """P07: silence after SUBSCRIBE is told to the caller, who may not take it for success."""
    with Relay(redis_server.port) as relay:
        relay.mute = b"SUBSCRIBE"
        settings = config.load(
            config.RedisSettings, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(relay.port)}
        )
        client = open_client(settings, "test")
        feed = BridgeStore(client, NAMES, "here").listen()
        with pytest.raises(BusError, match="did not confirm"):
            feed.open(timeout=0.3)
        feed.close()
        client.close()


def test_the_command_channel_is_tried_again(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P07: the bridge subscribes again until Redis confirms, and then executes commands."""
    with Relay(redis_server.port) as relay, Device(broker.port, topics=("t",)) as device:
        relay.mute = b"SUBSCRIBE"
        bridge = BridgeProcess(tmp_path, broker.port, relay)
        with running(bridge):
            wait_for(lambda: bridge.logged("command.feed_lost"), "it was not confirmed", 20)
            assert "did not confirm" in bridge.logged("command.feed_lost")[0]["reason"]
            relay.mute = None
            command = {"type": "cmd_publish", "topic": "t", "payload": "1", "qos": 1}

            def executed() -> bool:
                redis_server.client().publish(NAMES.COMMANDS, json.dumps(command))
                return bool(device.heard("t"))

            wait_for(executed, "a command is executed", 20)
