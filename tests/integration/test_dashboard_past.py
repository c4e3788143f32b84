"""The past and the system over HTTP, from a real broker through the real bridge."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mqtt_dashboard.bus.bridge_store import BridgeStore
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.history import StatsPoint
from mqtt_dashboard.contract.messages import BrokerStats, Rates, StatsUpdate
from tests.support.dashboard_server import DashboardServer
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess

SECRET = "hush-2718"


@dataclass
class Whole:
    """All four processes."""

    broker: Broker
    redis: RedisServer
    bridge: BridgeProcess
    dashboard: DashboardServer


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """Run everything with two workers."""
    folder = tmp_path_factory.mktemp("past")
    broker, redis = Broker(folder), RedisServer(folder)
    with running(broker, redis):
        bridge = BridgeProcess(
            folder, broker.port, redis, MQTT_USERNAME="someone", MQTT_PASSWORD=SECRET
        )
        dashboard = DashboardServer(folder, redis.port, WEB_CONCURRENCY="2")
        with running(bridge, dashboard):
            bridge.wait_ready()
            dashboard.wait_ready()
            yield Whole(broker, redis, bridge, dashboard)


def test_measurements_come_in_columns(whole: Whole) -> None:
    """The bridge keeps its measurements; fields not asked for are left out."""
    path = "/api/broker/stats/history?span=hour&fields=clients_connected,rate_bridge_messages"

    def columns() -> dict[str, list[float | None]]:
        reply = whole.dashboard.get(path)[1]
        return {"times": reply["times"], **reply["series"]}

    wait_for(lambda: columns()["times"], "a first measurement", 15)
    found = columns()
    assert set(found) == {"times", "clients_connected", "rate_bridge_messages"}
    assert len({len(column) for column in found.values()}) == 1
    assert whole.dashboard.get("/api/broker/stats/history?span=day")[1]["times"]


def test_a_pause_is_a_hole_and_foreign_entries_are_left_out(whole: Whole) -> None:
    """Between two far measurements stands a row of nulls; what cannot be read is passed over."""
    client = whole.redis.client()
    names = RedisChannels()
    store = BridgeStore(client, names, "test")
    stream = names.stats_history("day")
    client.delete(stream)
    epoch = int(client.get(names.bridge_epoch) or 0)
    store.history.keep_stats(epoch, "day", StatsPoint(100.0, {"uptime": 1}))
    client.xadd(stream, {"p": b"\xff\x00 no msgpack"})
    client.xadd(stream, {"other": b"x"})
    store.history.keep_stats(epoch, "day", StatsPoint(1000.0, {"uptime": 901}))
    status, reply = whole.dashboard.get("/api/broker/stats/history?span=day&fields=uptime")
    assert status == 200
    assert reply["times"] == [100.0, 160.0, 1000.0]
    assert reply["series"] == {"uptime": [1.0, None, 901.0]}


def strict(text: bytes) -> Any:
    """Read JSON as a browser does: NaN and Infinity are no part of it."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_p05_what_is_no_number_is_null_for_every_reader(whole: Whole, value: float) -> None:
    """P05: no document on a channel or over HTTP holds NaN or Infinity, wherever it came from."""
    client, names = whole.redis.client(), RedisChannels()
    store = BridgeStore(client, names, "test")
    epoch = int(client.get(names.bridge_epoch) or 0)
    listener = whole.redis.client().pubsub(ignore_subscribe_messages=True)
    listener.subscribe(names.BROKER_STATS)
    assert listener.get_message(timeout=5) is None
    data = BrokerStats(load_sockets_1min=value, last_updated=value)
    rates = Rates(publish_received=value)
    document = StatsUpdate(timestamp=1.0, data=data, rates=rates, ages={"uptime": value})

    def announced() -> Any:
        message = listener.get_message(timeout=1)
        found = strict(message["data"]) if message else None
        return found if found and found["timestamp"] == 1.0 else None

    store.announce(epoch, names.BROKER_STATS, document)
    told = wait_for(announced, "the document on the channel")
    assert told["data"]["load_sockets_1min"] is None
    assert (told["rates"]["publish_received"], told["ages"]) == (None, {"uptime": None})
    stream = names.stats_history("day")
    client.delete(stream)
    for at in (50.0, value):
        client.xadd(stream, {"p": codec.pack(StatsPoint(at, {"uptime": value}))})
    for path in ("/api/broker/stats", "/api/broker/stats/history?span=day&fields=uptime"):
        status, body, _ = whole.dashboard.request("GET", path)
        assert status == 200
        strict(body)


@pytest.mark.parametrize("query", ["span=week", "fields=password", "fields=uptime,%00"])
def test_unknown_fields_are_refused(whole: Whole, query: str) -> None:
    """A name that does not exist is an error in words, not an empty column."""
    status, reply = whole.dashboard.get(f"/api/broker/stats/history?{query}")
    assert (status, reply["error"]) == (400, "invalid")
    assert reply["field"] in {"span", "fields"}


def test_the_story_of_the_connection_outlives_the_bridge(whole: Whole) -> None:
    """A broker that went and came back is in the story, newest first, with reasons."""
    whole.broker.terminate()
    wait_for(lambda: whole.dashboard.broker()["connected"] is False, "the loss", 10)
    whole.broker.start()
    wait_for(lambda: whole.dashboard.broker()["connected"] is True, "the return", 15)

    def states() -> list[str]:
        story = whole.dashboard.get("/api/broker/story?limit=50")[1]["changes"]
        return [change["state"] for change in story]

    wait_for(lambda: states()[0] == "connected", "the newest change", 5)
    assert states()[-1] in {"starting", "connecting", "connected"}
    assert "disconnected" in states()
    short = whole.dashboard.get("/api/broker/story?limit=1")[1]
    assert (len(short["changes"]), short["more"]) == (1, True)
    assert short["changes"][0]["reason"].startswith("connected with MQTT 5")


def test_the_system_shows_all_parts_and_no_secret(whole: Whole) -> None:
    """Both workers, the bridge, Redis and the settings are there; the password is not."""

    def workers() -> list[str]:
        return [one["name"] for one in whole.dashboard.get("/api/system")[1]["workers"]]

    wait_for(lambda: len(workers()) == 2, "both workers report", 10)
    status, system = whole.dashboard.get("/api/system")
    assert status == 200
    assert system["redis"]["used_bytes"] > 100_000
    assert system["redis"]["append_only"] is False
    assert system["redis"]["warnings"] == []
    assert system["bridge"]["process"]["pid"] == whole.bridge.pid
    settings = {one["name"]: one["value"] for one in system["bridge"]["settings"]}
    assert settings["MQTT_PASSWORD"] == "set"
    assert settings["MQTT_BROKER_PORT"] == str(whole.broker.port)
    assert SECRET not in str(system)
    assert all(one["process"]["rss_bytes"] > 10_000_000 for one in system["workers"])


def test_every_stream_stands_against_its_limit(whole: Whole) -> None:
    """The message log counts the bytes it really holds, and each stream says where it ends."""
    log = RedisChannels().message_log
    with whole.redis.client() as client:
        # A log whose newest entries are the large ones: five samples of it are no measure.
        for number in range(1200):
            client.xadd(log, {"b": b"." * (10 if number < 900 else 4000)})
    system = whole.dashboard.get("/api/system")[1]
    streams = {one["name"]: one for one in system["redis"]["streams"]}
    with whole.redis.client() as client:
        exact = client.memory_usage(log, samples=0)
        guessed = client.memory_usage(log)
    assert abs(guessed - exact) > exact / 20, "the samples happen to be right"
    assert abs(system["redis"]["log_bytes"] - exact) < exact / 50
    assert streams["messages"]["bytes"] == system["redis"]["log_bytes"]
    assert streams["messages"]["limit_bytes"] == 64 * 1024 * 1024
    assert streams["messages"]["entries"] >= 1200
    assert streams["commands"] == {
        "name": "commands",
        "entries": 0,
        "limit": 10_000,
        "bytes": 0,
        "limit_bytes": 67_108_864,
    }
    assert streams["events"]["limit"] == 1000
    assert streams["audit"]["limit"] == 100_000
    assert set(streams) == {
        *("messages", "events", "commands", "results"),
        *("stats_hour", "stats_day", "story", "audit"),
    }


def test_the_lag_of_each_worker_can_be_told(whole: Whole) -> None:
    """The number of the bridge's last message stands beside what each worker has read."""

    def told() -> bool:
        return whole.dashboard.get("/api/system")[1]["seq"] is not None

    wait_for(told, "the bridge tells its last number")
    system = whole.dashboard.get("/api/system")[1]
    assert system["seq"] >= 0
    assert {one["log_seq"] for one in system["workers"]} == {None}  # nobody watches


def test_without_redis_the_system_says_so(whole: Whole) -> None:
    """What is known of this worker is shown; the rest is null with the reason."""
    whole.redis.freeze()
    try:
        status, system = whole.dashboard.get("/api/system")
        assert status == 200
        assert (system["redis"], system["bridge"]) == (None, None)
        assert "Redis" in system["redis_problem"]
        assert len(system["workers"]) == 1
        assert whole.dashboard.get("/api/broker/story")[0] == 503
    finally:
        whole.redis.thaw()
