"""The bridge when something is missing, dies, freezes, or fights for its place."""

import json
import time
from pathlib import Path

import pytest

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from tests.support.servers import Broker, RedisServer, free_port, running, wait_for
from tests.support.services import BridgeProcess, Device, Ear

NAMES = RedisChannels()
AGREED = [
    {"filter": "#", "qos": 1, "granted": 1, "error": None},
    {"filter": "$SYS/#", "qos": 0, "granted": 0, "error": None},
]


def status(redis_server: RedisServer) -> dict[str, object]:
    document = redis_server.client().get(NAMES.bridge_status)
    return dict(json.loads(document)) if document else {}


def test_sigterm_stops_it_cleanly(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P42: SIGTERM ends it within 5 s with status 0, and everybody is told."""
    ear = Ear(redis_server, NAMES.BROKER_STATUS)
    topic = "mqtt-dashboard/mqtt-bridge-service/status"
    with Device(broker.port, topics=(topic,)) as device:
        started = time.monotonic()
        assert bridge.terminate() == 0
        assert time.monotonic() - started < 5
        document = ear.wait("the goodbye", state="stopped")
        assert document["connected"] is False
        wait_for(lambda: device.heard(topic)[-1:] == [b"offline"], "offline")
    assert redis_server.client().exists(NAMES.bridge_status, NAMES.bridge_lease) == 0


def test_it_waits_for_broker_and_redis(tmp_path: Path) -> None:
    """P30: started first, it connects once both are there, in either order."""
    broker, redis_server = Broker(tmp_path), RedisServer(tmp_path)
    process = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(process):
        wait_for(lambda: process.probe("/healthz")[0] == 200, "it runs")
        assert process.probe("/readyz")[0] == 503
        with running(redis_server):
            wait_for(lambda: status(redis_server).get("state"), "it reports without a broker")
            assert status(redis_server)["connected"] is False
            with running(broker):
                process.wait_ready()
                assert status(redis_server)["reason"]


def test_it_comes_back_after_the_broker(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P33, P34, P35: a restarted broker forgot the session; all is held again, at its QoS."""
    ear = Ear(redis_server, NAMES.BROKER_STATUS, NAMES.MQTT_MESSAGES)
    broker.kill()
    ear.wait("the loss is announced", 5, type="status_change", connected=False)
    broker.start()
    ear.wait("the return is announced", 15, type="status_change", connected=True)
    with Device(broker.port) as device:
        bridge.wait_ready()
        wait_for(lambda: status(redis_server)["subscriptions"] == AGREED, "both are held again")
        device.publish("back", "1", qos=1)
    assert ear.wait("messages flow again", topic="back")["qos"] == 1


def test_a_frozen_broker_is_noticed(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P27, P28: a broker that only stops answering is reported within 5 s."""
    broker.freeze()
    started = time.monotonic()
    wait_for(lambda: status(redis_server).get("connected") is False, "reported", 8)
    assert time.monotonic() - started < 6.5
    broker.thaw()
    bridge.wait_ready()


def test_it_survives_redis(
    tmp_path: Path, bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P01, P02: killed and back, Redis gets new messages, and QoS 1 ones from meanwhile too."""
    redis_server.kill()
    with Device(broker.port) as device:
        for number in range(20):
            device.publish("meanwhile", str(number))
        wait_for(lambda: bridge.probe("/readyz")[0] == 503, "not ready", 6)
        redis_server.start()
        bridge.wait_ready()
        ear = Ear(redis_server, NAMES.MQTT_MESSAGES)
        device.publish("afterwards", "1")
        ear.wait("new messages", topic="afterwards")
    assert bridge.probe("/healthz")[0] == 200
    kept = [
        message.payload
        for _id, fields in redis_server.client().xrange(NAMES.message_log)
        for message in codec.unpack_batch(fields[b"b"]).messages
        if message.topic == "meanwhile"
    ]
    assert kept == [str(number).encode() for number in range(20)]


def test_it_survives_a_frozen_redis(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P02, P09: with Redis frozen its own probes answer at once, and the session is kept."""
    redis_server.freeze()
    try:
        wait_for(lambda: bridge.probe("/readyz")[0] == 503, "not ready", 6)
        started = time.monotonic()
        assert bridge.probe("/healthz")[0] == 200
        assert time.monotonic() - started < 0.5
        assert "mqtt_bridge_mqtt_connected 1.0" in bridge.probe("/metrics")[1]
    finally:
        redis_server.thaw()
    bridge.wait_ready()


def test_killed_bridges_lose_no_qos_1_message(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P37: three kills in the middle of a stream, and every message is in the log."""
    # What fits into the queue of a broker as it comes, should the bridges get to read nothing.
    count = 900
    with Device(broker.port) as device:
        for kill in range(4):
            process = BridgeProcess(tmp_path, broker.port, redis_server)
            with running(process):
                process.wait_ready()
                for number in range(kill * count // 4, (kill + 1) * count // 4):
                    device.client.publish("number", str(number), qos=1)
        device.publish("number", "last")
    process = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(process):
        process.wait_ready()
        expected = {str(number).encode() for number in range(count)} | {b"last"}
        wait_for(lambda: expected <= _logged(redis_server, "number"), "every message", 15)


def _logged(redis_server: RedisServer, topic: str) -> set[bytes]:
    return {
        message.payload
        for _id, fields in redis_server.client().xrange(NAMES.message_log)
        for message in codec.unpack_batch(fields[b"b"]).messages
        if message.topic == topic
    }


def test_a_second_bridge_waits_and_takes_over(
    tmp_path: Path, bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P41, P55: the standby does not connect; it takes over within 6 s of a kill."""
    standby = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(standby):
        wait_for(lambda: "another bridge is active" in standby.probe("/readyz")[1], "it waits")
        time.sleep(2)
        assert standby.logged("mqtt.connected") == []
        assert bridge.ready()
        epoch = status(redis_server)["epoch"]
        bridge.kill()
        started = time.monotonic()
        wait_for(standby.ready, "the standby takes over", 10)
        assert time.monotonic() - started < 7
        new = status(redis_server)["epoch"]
        assert isinstance(new, int)
        assert isinstance(epoch, int)
        assert new > epoch


def test_a_stopped_bridge_hands_over_at_once(
    tmp_path: Path, bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """A clean stop gives the lease up; nobody waits for it to run out."""
    standby = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(standby):
        wait_for(lambda: "another bridge is active" in standby.probe("/readyz")[1], "it waits")
        assert bridge.terminate() == 0
        started = time.monotonic()
        wait_for(standby.ready, "the standby takes over", 10)
        assert time.monotonic() - started < 3


def test_it_does_not_fight_for_its_client_id(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P41: overtaken by a stranger, it says so in plain words and backs off."""
    with Device(broker.port, "mqtt-bridge-service") as stranger:
        wait_for(lambda: "client id" in str(status(redis_server)["reason"]), "said in plain words")
        assert bridge.logged("mqtt.taken_over")
        before = (stranger.connects, len(bridge.logged("mqtt.connected")))
        time.sleep(6)
        assert (stranger.connects, len(bridge.logged("mqtt.connected"))) == before
        assert before[0] <= 3


def test_a_wrong_password_is_told_in_plain_words(tmp_path: Path, redis_server: RedisServer) -> None:
    """P36: the broker's refusal reaches status and log, the password does not."""
    broker = Broker(tmp_path, anonymous=False)
    secret = "hunter2-canary"
    process = BridgeProcess(
        tmp_path, broker.port, redis_server, MQTT_USERNAME="bob", MQTT_PASSWORD=secret
    )
    with running(broker, process):
        reason = wait_for(
            lambda: (now := status(redis_server)).get("state") == "disconnected" and now["reason"],
            "the refusal is reported",
        )
        assert "password" in str(reason) or "authori" in str(reason)
        assert process.alive()
    assert secret not in process.output()
    everything = redis_server.client()
    assert not any(
        secret.encode() in (everything.dump(key) or b"") for key in everything.scan_iter()
    )


def test_an_unreachable_broker_is_told_in_plain_words(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """P36: host and cause are named."""
    port = free_port()
    process = BridgeProcess(tmp_path, port, redis_server)
    with running(process):
        reason = wait_for(
            lambda: (now := status(redis_server)).get("state") == "disconnected" and now["reason"],
            "the failure is reported",
        )
        assert "refuses the connection" in str(reason)
        assert str(port) in str(reason)


def test_a_wrong_redis_password_is_told_in_plain_words(tmp_path: Path, broker: Broker) -> None:
    """P75: without the right password the bridge does not work, and says why."""
    redis_server = RedisServer(tmp_path, password="right")
    process = BridgeProcess(tmp_path, broker.port, redis_server, REDIS_PASSWORD="wrong-canary")
    with running(redis_server, process):
        wait_for(lambda: process.probe("/readyz")[0] == 503, "it runs")
        wait_for(lambda: "password" in process.probe("/readyz")[1], "the reason is told")
    assert "wrong-canary" not in process.output()


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("MQTT_BROKER_PORT", "99999", "MQTT_BROKER_PORT"),
        ("MQTT_URL", "http://broker", "mqtt://"),
        ("MQTT_TOPICS", "a/#/b", "last level"),
        ("REDIS_URL", "mysql://x", "redis://"),
        ("MQTT_PASSWORD_FILE", "/nonexistent/secret", "cannot read"),
    ],
)
def test_unusable_settings_end_it_with_status_2(
    tmp_path: Path, redis_server: RedisServer, variable: str, value: str, word: str
) -> None:
    """P11: a wrong setting is refused at the start, in words, with exit status 2."""
    process = BridgeProcess(tmp_path, 1883, redis_server, **{variable: value})
    with running(process):
        assert process.process is not None
        assert process.process.wait(10) == 2
        assert word in process.output()
        assert "Traceback" not in process.output()


def test_p13_a_flood_of_one_event_is_a_few_lines(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P13: 200 messages that are too large make a few lines, and none of them is uncounted."""
    bridge = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_MAX_PACKET_SIZE="1024")
    with running(bridge), Device(broker.port) as device:
        bridge.wait_ready()
        for _ in range(200):
            device.client.publish("big", b"x" * 2000, qos=0)
        device.publish("end", "1")
        wait_for(
            lambda: 'dropped_messages_total{reason="too_large"} 200' in bridge.probe("/metrics")[1],
            "all of them came",
        )
        bridge.terminate()
    told = bridge.logged("mqtt.too_large")
    assert len(told) <= 15
    assert sum("bytes" in one for one in told) + sum(one.get("repeated", 0) for one in told) == 200
