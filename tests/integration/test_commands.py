"""Durable commands through all parts: HTTP, Redis, the bridge, the broker, a device."""

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mqtt_dashboard.bus.dashboard_orders import Bounds, DashboardOrders
from mqtt_dashboard.bus.durability import Durability
from mqtt_dashboard.contract.orders import CommandRecord, Order
from mqtt_dashboard.contract.policy import CommandPolicy, Grant
from tests.support.dashboard_server import DashboardServer, viewers
from tests.support.orders import NAMES, ROOMY, ask, finished, left_in_stream, post
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device, Ear


class System:
    """All parts of one test."""

    def __init__(self, folder: Path, *, bridge: bool = True, **environ: str) -> None:
        self.broker = Broker(folder, extra=ROOMY)
        self.redis = RedisServer(folder, aof=True).start()
        self.bridge = BridgeProcess(folder, self.broker.port, self.redis, **environ)
        self.dashboard = DashboardServer(folder, self.redis.port, **environ)
        self.parts = [self.broker, *([self.bridge] if bridge else []), self.dashboard]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run all parts once for the module."""
    built = System(tmp_path_factory.mktemp("commands"))
    with running(*built.parts):
        built.bridge.wait_ready()
        built.dashboard.wait_ready()
        yield built
    built.redis.kill()


@pytest.mark.parametrize(
    ("qos", "key", "mode", "state"),
    [
        (0, None, "at-most-once", "sent"),
        (1, None, "at-most-once", "acked"),
        (1, "k1", "at-least-once", "acked"),
        (2, None, "exactly-once", "acked"),
        (0, "k0", "at-most-once", "sent"),
    ],
)
def test_accepted_first_then_one_result(
    system: System, qos: int, key: str | None, mode: str, state: str
) -> None:
    """P53: 202 with an id, and the broker's word under it; the mode follows QoS and key."""
    topic = f"do/{qos}/{key}"
    with Device(system.broker.port, f"d{qos}{key}", topics=(topic,)) as device:
        status, record = post(system.dashboard, key, topic=topic, payload="now", qos=qos)
        assert (status, record["mode"], record["repeated"]) == (202, mode, False)
        assert record["durable"] is True
        done = finished(system.dashboard, record["id"])
        assert (done["state"], done["phase"], done["attempts"]) == (state, "done", 1)
        assert done["reason"]
        assert done["accepted_at"] <= done["finished_at"] <= done["deadline"]
        wait_for(lambda: device.heard(topic) == [b"now"], "the device hears it once")
    wait_for(lambda: left_in_stream(system.redis) == 0, "the stream is empty")
    assert int(system.redis.client().get(NAMES.order_bytes)) == 0


def test_every_property_of_mqtt_5_arrives(system: System) -> None:
    """All properties of PUBLISH reach the device; at-least-once adds the command's id."""
    with Device(system.broker.port, "props", topics=("props",)) as device:
        _, record = post(
            system.dashboard,
            "props",
            topic="props",
            payload="{}",
            qos=1,
            content_type="application/json",
            response_topic="props/answer",
            correlation_data=base64.b64encode(b"\x00\xff").decode(),
            message_expiry_s=77,
            payload_format=1,
            user_properties=[["a", "1"], ["a", "2"]],
        )
        assert finished(system.dashboard, record["id"])["state"] == "acked"
        wait_for(lambda: device.received, "it arrives")
        (message,) = device.received
    got: Any = message.properties
    assert got.ContentType == "application/json"
    assert got.ResponseTopic == "props/answer"
    assert got.CorrelationData == b"\x00\xff"
    assert got.MessageExpiryInterval == 77
    assert got.PayloadFormatIndicator == 1
    assert got.UserProperty == [("a", "1"), ("a", "2"), ("command-id", record["id"])]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"topic": "a/#"}, "topic"),
    ({"topic": "a", "mode": "exactly-once", "qos": 1}, "mode"),
    ({"topic": "a", "mode": "at-least-once", "qos": 0}, "mode"),
    ({"topic": "a", "mode": "twice"}, "mode"),
    ({"topic": "a", "deadline_s": 0}, "deadline_s"),
    ({"topic": "a", "deadline_s": 1e9}, "deadline_s"),
    ({"topic": "a", "response_topic": "a/+"}, "response_topic"),
    ({"topic": "a", "correlation_data": "*"}, "correlation_data"),
    ({"topic": "a", "correlation_data": "A" * 8000}, "correlation_data"),
    ({"topic": "a", "message_expiry_s": -1}, "message_expiry_s"),
    ({"topic": "a", "payload_format": 2}, "payload_format"),
    (
        {"topic": "a", "payload": "/w==", "encoding": "base64", "payload_format": 1},
        "payload_format",
    ),
    ({"topic": "a", "user_properties": [["a"]]}, "user_properties"),
    ({"topic": "a", "user_properties": [["a", "b\0"]]}, "user_properties"),
    ({"topic": "a", "user_properties": [["a", "b"]] * 33}, "user_properties"),
    ({"topic": "a", "user_properties": [["a", "b" * 4000]] * 20}, "user_properties"),
    ({"topic": "a", "content_type": "x\0"}, "content_type"),
    ({"topic": "a", "colour": 1}, "colour"),
]


@pytest.mark.parametrize(("fields", "field"), REFUSED)
def test_what_is_not_valid_is_refused_by_field(
    system: System, fields: dict[str, Any], field: str
) -> None:
    """P51: nothing invalid is accepted; the answer names the field."""
    status, answer = post(system.dashboard, **fields)
    assert status == 422, answer
    assert str(answer["field"]).startswith(field)


@pytest.mark.parametrize("key", ["", "x" * 129, "a\tb"])
def test_odd_keys_are_refused(system: System, key: str) -> None:
    """An Idempotency-Key is bounded and printable."""
    status, answer = post(system.dashboard, key, topic="a")
    assert (status, answer["field"]) == (422, "Idempotency-Key")


def test_the_same_key_is_the_same_command(system: System) -> None:
    """The same key returns the record that exists; with another body it is 409."""
    with Device(system.broker.port, "same", topics=("same",)) as device:
        _, first = post(system.dashboard, "same", topic="same", payload="1", qos=1)
        finished(system.dashboard, first["id"])
        status, again = post(system.dashboard, "same", topic="same", payload="1", qos=1)
        assert (status, again["id"], again["repeated"]) == (200, first["id"], True)
        assert again["state"] == "acked"
        assert post(system.dashboard, "same", topic="same", payload="2", qos=1)[0] == 409
        _, after = post(system.dashboard, topic="same", payload="end", qos=1)
        finished(system.dashboard, after["id"])
        wait_for(lambda: b"end" in device.heard("same"), "the end")
        assert device.heard("same") == [b"1", b"end"]


def test_broker_control_is_refused_by_dashboard_and_bridge(system: System) -> None:
    """P52: what was not granted is refused; past the dashboard the bridge judges again."""
    topic = "$CONTROL/dynamic-security/v1"
    status, refused = post(system.dashboard, topic=topic, payload="{}")
    assert (status, refused["error"]) == (403, "forbidden")
    orders = DashboardOrders(system.redis.client(), NAMES, "the test's Redis")
    lamps = CommandPolicy(who="ada", publish=Grant(filters=("lamps/#",)))
    for name, order, word in (
        ("past-1", Order(topic=topic, payload=b"{}"), "ALLOW_DOLLAR_PUBLISH"),
        ("past-2", Order(topic="doors/1", payload=b"", policy=lamps), "lamps/#"),
    ):
        orders.accept(name, order, 5.0, None, Bounds(100, 10_000, 60), Durability(None, ""))

        def result(command_id: str = name) -> CommandRecord | None:
            record = orders.records.one(command_id)
            return record if record is not None and record.finished_at is not None else None

        done = wait_for(result, "the bridge's judgement")
        assert done is not None
        assert (done.state, done.attempts) == ("failed", 0)
        assert word in done.reason


def test_garbage_in_the_stream_does_no_harm(system: System) -> None:
    """P51: whoever writes into the stream past the dashboard stops nothing and sends nothing."""
    client = system.redis.client()
    for fields in ({"x": "y"}, {"i": "nobody", "b": b"\xff"}, {"i": "", "b": ""}, {"i": b"\xff"}):
        client.xadd(NAMES.orders, fields)
    _, record = post(system.dashboard, topic="after", qos=1)
    assert finished(system.dashboard, record["id"])["state"] == "acked"
    wait_for(lambda: left_in_stream(system.redis) == 0, "the garbage is gone")


def test_results_are_told_on_the_channel_and_listed(system: System) -> None:
    """Other programs hear results on Redis; the list shows the newest first."""
    ear = Ear(system.redis, NAMES.COMMAND_RESULTS)
    _, record = post(system.dashboard, "told", topic="told", qos=1)
    told = ear.wait("the result", id=record["id"])
    assert (told["type"], told["state"], told["topic"]) == ("command_result", "acked", "told")
    status, listed = system.dashboard.get("/api/commands?limit=1")
    assert status == 200
    assert [one["id"] for one in listed["commands"]] == [record["id"]]
    assert listed["durable"] is True


def test_lookups_are_judged_too(system: System) -> None:
    """An unknown id is 404; a silly wait or limit is 400."""
    get = system.dashboard.get
    assert get("/api/commands/nobody")[0] == 404
    assert get("/api/commands/..%2f..")[0] == 404
    for query in ("nobody?wait=nan", "nobody?wait=99", "nobody?wait=x"):
        assert get(f"/api/commands/{query}")[0] == 400
    assert get("/api/commands?limit=0")[0] == 400


def test_sockets_hear_the_result(system: System) -> None:
    """`publish` is followed by `command_result`; `watch_command` asks for any id."""
    with viewers(system.dashboard, 2) as (one, other):
        reply = one.call("publish", {"topic": "t", "payload": "1", "qos": 1})
        assert (reply["ok"], reply["state"]) == (True, "acked")
        wait_for(lambda: one.named("command_result"), "the sender is told")
        assert one.named("command_result")[0]["id"] == reply["id"]
        assert other.named("command_result") == []
        known = other.call("watch_command", {"id": reply["id"]})
        assert (known["ok"], known["command"]["state"]) == (True, "acked")
        assert other.call("watch_command", {"id": "nobody"})["ok"] is False
        assert other.call("watch_command", {"id": 7})["ok"] is False


def test_many_commands_are_sent_in_order_without_a_round_trip_each(system: System) -> None:
    """200 commands at once keep the order in which they were accepted."""
    with Device(system.broker.port, "many", topics=("many",)) as device:
        with ThreadPoolExecutor(8) as pool:
            posted = list(
                pool.map(
                    lambda n: post(system.dashboard, topic="many", payload=str(n), qos=1)[1],
                    range(200),
                )
            )
        for record in posted:
            assert finished(system.dashboard, record["id"])["state"] == "acked"
        wait_for(lambda: len(device.heard("many")) == 200, "all arrive")
        listed = system.dashboard.get("/api/commands?limit=200")[1]["commands"]
        mine = sorted((one for one in listed if one["topic"] == "many"), key=lambda o: o["id"])
        assert len(mine) == 200


def test_a_slow_system_says_expired_and_a_full_one_says_so(tmp_path: Path) -> None:
    """P54, P55: without a bridge commands wait, expire on time, and the stream has an end."""
    system = System(tmp_path, bridge=False, COMMAND_LIMIT="3")
    with running(*system.parts):
        wait_for(lambda: system.dashboard.get("/health")[1]["redis"]["status"] == "up", "Redis")
        began = time.monotonic()
        kept = [post(system.dashboard, topic="valve", deadline_s=1)[1] for _ in range(3)]
        status, refused = post(system.dashboard, topic="valve")
        assert status == 503
        assert "3 commands" in refused["message"]
        for record in kept:
            done = finished(system.dashboard, record["id"])
            assert done["state"] == "expired"
            assert done["attempts"] == 0
        assert time.monotonic() - began < 5
        assert left_in_stream(system.redis) == 0
        status, record = post(system.dashboard, topic="valve", qos=1, deadline_s=20)
        assert status == 202
        with (
            Device(system.broker.port, "late", topics=("valve",)) as device,
            running(system.bridge),
        ):
            done = finished(system.dashboard, record["id"])
            assert done["state"] == "acked"
            wait_for(lambda: len(device.heard("valve")) == 1, "only the one in time")
    system.redis.kill()


def test_a_dead_broker_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    """P54: what cannot be sent waits for the broker, and expires when it does not come in time."""
    system = System(tmp_path)
    with running(*system.parts):
        system.bridge.wait_ready()
        system.broker.kill()
        wait_for(lambda: not system.bridge.ready(), "the loss is noticed")
        _, late = post(system.dashboard, topic="valve", payload="late", qos=1, deadline_s=1)
        _, kept = post(system.dashboard, topic="valve", payload="kept", qos=2, deadline_s=30)
        status, refused = system.dashboard.publish(topic="valve", payload="now", qos=1)
        assert (status, refused["state"]) == (502, "failed")
        assert finished(system.dashboard, late["id"])["state"] == "expired"
        assert ask(system.dashboard, kept["id"])["state"] == "accepted"
        system.broker.start()
        with Device(system.broker.port, "late", topics=("valve",)) as device:
            assert finished(system.dashboard, kept["id"])["state"] == "acked"
            wait_for(lambda: device.heard("valve"), "what was kept")
            assert device.heard("valve") == [b"kept"]
    system.redis.kill()


def test_a_dead_redis_is_said_and_accepted_commands_survive_it(tmp_path: Path) -> None:
    """P55: 503 while Redis is away; what it had accepted is done when it is back."""
    system = System(tmp_path)
    with running(*system.parts):
        system.bridge.wait_ready()
        system.dashboard.wait_ready()
        system.bridge.kill()
        _, kept = post(system.dashboard, "kept", topic="valve", payload="kept", qos=1)
        system.redis.kill()
        status, refused = post(system.dashboard, "away", topic="valve", qos=1)
        assert status == 503
        assert refused["message"].startswith("not sent")
        assert system.dashboard.get(f"/api/commands/{kept['id']}")[0] == 503
        system.redis.start()
        with (
            Device(system.broker.port, "late", topics=("valve",)) as device,
            running(system.bridge),
        ):
            assert finished(system.dashboard, kept["id"])["state"] == "acked"
            wait_for(lambda: device.heard("valve") == [b"kept"], "the device hears it")
    system.redis.kill()


def test_mqtt_311_refuses_what_it_cannot_do(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """Exactly-once and properties need MQTT 5 and say so; the rest works."""
    bridge = BridgeProcess(tmp_path, broker.port, redis_server, MQTT_PROTOCOL="3.1.1")
    dashboard = DashboardServer(tmp_path, redis_server.port, COMMAND_DURABILITY="relaxed")
    with running(bridge, dashboard):
        bridge.wait_ready()
        _, once = post(dashboard, topic="a", qos=2)
        _, properties = post(dashboard, topic="a", qos=1, content_type="text/plain")
        _, plain = post(dashboard, "plain", topic="a", qos=1)
        _, twice = post(dashboard, topic="a", qos=2, mode="at-most-once")
        for record in (once, properties):
            done = finished(dashboard, record["id"])
            assert done["state"] == "failed"
            assert "needs MQTT 5" in done["reason"]
        assert finished(dashboard, plain["id"])["state"] == "acked"
        assert finished(dashboard, twice["id"])["state"] == "acked"


def test_the_old_channel_can_be_switched_off(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """COMMAND_CHANNEL=off refuses publishes on the channel in words; filters still work."""
    bridge = BridgeProcess(tmp_path, broker.port, redis_server, COMMAND_CHANNEL="off")
    with running(bridge):
        bridge.wait_ready()
        client = redis_server.client()
        command = {"type": "cmd_publish", "topic": "a", "id": "x1", "qos": 1}
        assert client.publish(NAMES.COMMANDS, json.dumps(command)) == 1
        reply = json.loads(client.blpop([NAMES.reply("x1")], timeout=5)[1])
        assert reply["state"] == "failed"
        assert "COMMAND_CHANNEL" in reply["reason"]
        client.publish(NAMES.COMMANDS, json.dumps({"type": "cmd_subscribe", "topic": "b/#"}))
        wait_for(lambda: client.hlen(NAMES.subscriptions) == 1, "the filter is stored")


def test_posting_twice_at_once_has_one_effect(tmp_path: Path) -> None:
    """G5: 30 keys, each posted 10 times at once on 2 workers: 30 effects."""
    system = System(tmp_path, WEB_CONCURRENCY="2")
    with running(*system.parts), Device(system.broker.port, "twice", topics=("key",)) as device:
        system.bridge.wait_ready()
        wanted = [number for number in range(30) for _ in range(10)]
        with ThreadPoolExecutor(10) as pool:
            answers = list(
                pool.map(
                    lambda n: post(system.dashboard, f"k{n}", topic="key", payload=str(n), qos=1),
                    wanted,
                )
            )
        assert {status for status, _ in answers} <= {200, 202}
        ids = {record["id"] for _, record in answers}
        assert len(ids) == 30
        for command_id in ids:
            assert finished(system.dashboard, command_id)["state"] == "acked"
        wait_for(lambda: len(device.heard("key")) >= 30, "all effects")
        assert sorted(map(int, device.heard("key"))) == list(range(30))
    system.redis.kill()
