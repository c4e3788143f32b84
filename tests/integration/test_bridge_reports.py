"""What the bridge says about the broker, the clients, the topics and itself."""

import time

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import BridgeStatus
from tests.support.servers import Broker, RedisServer, wait_for
from tests.support.services import BridgeProcess, Device, Ear

NAMES = RedisChannels()


def status(redis_server: RedisServer) -> BridgeStatus | None:
    document = redis_server.client().get(NAMES.bridge_status)
    return codec.decode(document, BridgeStatus) if document else None


def test_statistics_have_the_right_units(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P21, P22, P23, P24: uptime is read from text, loads are floats, unknown is null, never 0."""
    ear = Ear(redis_server, NAMES.BROKER_STATS)
    wait_for(  # the broker's first values are from before the bridge was there
        lambda: ear.listen() and ear.documents[-1]["data"]["clients_connected"] == 1,
        "the broker counts the bridge",
        20,
    )
    document = ear.documents[-1]
    data = document["data"]
    assert data["version"].startswith("mosquitto version 2")
    assert 0 < data["uptime"] < 60
    assert data["messages_inflight"] is None
    assert data["messages_dropped"] is None
    assert isinstance(data["load_messages_received_1min"], float)
    assert data["last_updated"] > time.time() - 10
    assert document["ages"]["version"] >= 0
    assert redis_server.client().get(NAMES.latest(NAMES.BROKER_STATS)) is not None


def test_statistics_come_every_five_seconds(
    bridge: BridgeProcess, redis_server: RedisServer
) -> None:
    """P24, P25: the interval is the bridge's own, not that of the messages."""
    ear = Ear(redis_server, NAMES.BROKER_STATS)
    wait_for(lambda: len(ear.listen()) >= 3, "three documents", 18)
    first, second = ear.documents[-2]["timestamp"], ear.documents[-1]["timestamp"]
    assert 4.5 < second - first < 6
    # What the bridge reads of the broker itself is part of what the broker delivers.
    rates = ear.documents[-1]["rates"]
    assert rates["bridge_system"] > rates["bridge_messages"] == 0


def test_clients_are_published(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P14: clients are learned from the broker's log, with N of M known and what is missing."""
    ear = Ear(redis_server, NAMES.CLIENT_LIST)
    with Device(broker.port, "sensor 1 (hall)"):
        wait_for(
            lambda: any(
                client["client_id"] == "sensor 1 (hall)" and client["connected"]
                for document in ear.listen()
                if document["connected"] == 2
                for client in document["clients"]
            ),
            "the device is listed",
            35,
        )
    document = ear.documents[-1]
    assert document["type"] == "clients_update"
    assert document["known"] == document["connected"] == 2  # the bridge knows itself
    assert document["hint"] is None


def test_topics_are_published_and_indexed(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P14: the index in Redis has each topic with its last value, the channel what changed."""
    ear = Ear(redis_server, NAMES.TOPIC_LIST)
    with Device(broker.port) as device:
        device.publish("hall/temperature", "20")
        device.publish("hall/temperature", "21", retain=True)

    def indexed() -> bytes | None:
        value: bytes | None = redis_server.client().hget(NAMES.topic_values, "hall/temperature")
        return value if value and codec.unpack_entry(value).message_count == 2 else None

    entry = codec.unpack_entry(wait_for(indexed, "the topic is indexed") or b"")
    assert (entry.payload, entry.qos, entry.retained) == (b"21", 1, True)
    wait_for(
        lambda: any(
            change["topic"] == "hall/temperature"
            for document in ear.listen()
            for change in document["changed"]
        ),
        "the change is announced",
        12,
    )


def test_the_status_is_alive(bridge: BridgeProcess, redis_server: RedisServer) -> None:
    """P28: the status key is renewed each second and vanishes soon after the bridge does."""
    first = wait_for(lambda: status(redis_server), "a status")
    assert first is not None
    later = wait_for(
        lambda: (now := status(redis_server)) and now.beat >= first.beat + 2 and now,
        "the status is renewed",
        4,
    )
    assert later
    assert later.connected
    assert later.client_id == "mqtt-bridge-service"
    assert later.protocol == "5.0"
    assert [granted.filter for granted in later.subscriptions] == ["#", "$SYS/#"]
    assert 0 < redis_server.client().pttl(NAMES.bridge_status) <= 3000
    bridge.kill()
    wait_for(lambda: status(redis_server) is None, "silence reads as unknown", 4)


def test_probes_and_metrics(bridge: BridgeProcess, broker: Broker) -> None:
    """P29, P74: its own port tells whether loops turn, whether messages flow, and how many."""
    with Device(broker.port) as device:
        device.publish("counted", "1")
    assert bridge.probe("/healthz")[0] == 200
    assert bridge.probe("/readyz")[0] == 200
    assert bridge.probe("/nothing")[0] == 404
    metrics = bridge.probe("/metrics")[1]
    assert "mqtt_bridge_mqtt_connected 1.0" in metrics
    assert "mqtt_bridge_received_messages_total" in metrics
    broker.kill()
    wait_for(lambda: bridge.probe("/readyz")[0] == 503, "not ready without a broker", 5)
    assert bridge.probe("/healthz")[0] == 200
    assert "no MQTT session" in bridge.probe("/readyz")[1]


def test_it_says_online_and_offline(bridge: BridgeProcess, broker: Broker) -> None:
    """P28: a retained topic tells the broker's side whether the bridge is there, killed or not."""
    topic = "mqtt-dashboard/mqtt-bridge-service/status"
    with Device(broker.port, topics=(topic,)) as device:
        wait_for(lambda: device.heard(topic)[-1:] == [b"online"], "online")
        bridge.kill()
        wait_for(lambda: device.heard(topic)[-1:] == [b"offline"], "offline, from the will")
