"""Redis killed, frozen, emptied, poisoned; a silent bridge."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.dashboard_server import BeatingBridge, DashboardServer, viewers
from tests.support.feed import Feed
from tests.support.servers import RedisServer, running, wait_for


@pytest.fixture
def bridge(redis_server: RedisServer) -> Iterator[BeatingBridge]:
    """Run a bridge that only writes."""
    one = BeatingBridge(redis_server).start()
    yield one
    one.stop()


@pytest.fixture
def dashboard(
    tmp_path: Path, redis_server: RedisServer, bridge: BeatingBridge
) -> Iterator[DashboardServer]:
    """Run a dashboard that has seen the bridge."""
    server = DashboardServer(tmp_path, redis_server.port)
    with running(server):
        server.wait_ready()
        yield server


def test_p01_redis_restart_is_survived_and_told(
    dashboard: DashboardServer, redis_server: RedisServer, bridge: BeatingBridge
) -> None:
    """P01, P66: Redis dies and comes back empty; all surfaces say so and recover by themselves."""
    with viewers(dashboard) as (viewer,):
        viewer.subscribe("a/#")
        bridge.feed.messages(("a/1", "before"))
        wait_for(viewer.messages, "a message")
        redis_server.kill()
        wait_for(lambda: dashboard.broker()["redis"]["status"] == "down", "redis is down", 5)
        status = dashboard.broker()
        assert (status["connected"], status["state"], status["bridge"]["alive"]) == (
            None,
            "unknown",
            None,
        )
        assert dashboard.get("/health")[0] == 503
        assert dashboard.get("/health")[1]["status"] == "unhealthy"
        assert dashboard.get("/healthz")[0] == 200
        assert dashboard.get("/readyz")[0] == 503
        assert dashboard.get("/api/topics")[0] == 503
        assert dashboard.publish(topic="t")[0] == 503
        assert viewer.named("broker_status")[-1]["connected"] is None
        redis_server.start()
        wait_for(lambda: dashboard.get("/readyz")[0] == 200, "ready again", 5)
        bridge.feed.messages(("a/2", "after"))
        wait_for(lambda: viewer.messages()[-1]["payload"] == "after", "the channel resumed", 5)
    assert "Traceback" not in dashboard.output()


def test_p02_a_frozen_redis_is_noticed_and_nothing_hangs(
    dashboard: DashboardServer, redis_server: RedisServer
) -> None:
    """P02: with Redis stopped all answers stay quick, and say within five seconds what is so."""
    redis_server.freeze()
    try:
        wait_for(lambda: dashboard.broker()["redis"]["status"] == "down", "redis is down", 5)
        started = time.monotonic()
        assert dashboard.get("/healthz")[0] == 200
        assert dashboard.get("/readyz")[0] == 503
        assert dashboard.publish(topic="t")[0] == 503
        assert time.monotonic() - started < 1
        assert dashboard.get("/api/topics")[0] == 503
        assert time.monotonic() - started < 4
    finally:
        redis_server.thaw()
    wait_for(lambda: dashboard.get("/readyz")[0] == 200, "ready again", 5)


def test_a_silent_bridge_is_unknown_not_connected(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """P28, P66: when the beats stop, `connected` becomes null within five seconds."""
    feed = Feed(redis_server.client())
    server = DashboardServer(tmp_path, redis_server.port)
    with running(server):
        wait_for(lambda: server.broker()["bridge"]["alive"] is False, "no bridge is known", 3)
        assert "not running" in server.broker()["reason"]
        assert server.publish(topic="t")[0] == 503
        # A key that never expires must not make a dead bridge look alive.
        feed.beat(ttl_s=None)
        wait_for(lambda: server.broker()["connected"] is True, "the bridge is seen", 3)
        wait_for(lambda: server.broker()["connected"] is None, "the bridge is silent", 5.5)
        assert server.broker()["bridge"]["alive"] is False
        assert server.broker()["state"] == "unknown"
        assert "silent" in server.broker()["reason"]


def test_a_command_nobody_takes_is_told_as_not_sent(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """P03: a command nobody hears is a failure, not a success, and is never done later."""
    feed = Feed(redis_server.client())
    server = DashboardServer(tmp_path, redis_server.port, PUBLISH_TIMEOUT="1")
    with running(server):
        feed.beat(ttl_s=60)
        wait_for(lambda: server.broker()["connected"] is True, "the bridge is seen", 3)
        status, body = server.publish(topic="t")
        assert (status, body["state"]) == (504, "expired")
        assert "not sent" in body["reason"]
        assert feed.client.xlen(feed.channels.orders) == 0


def test_an_emptied_redis_does_not_strand_the_follower(
    dashboard: DashboardServer, redis_server: RedisServer, bridge: BeatingBridge
) -> None:
    """P01: after FLUSHALL, even with ids that start lower, messages flow and a gap is shown."""
    client = redis_server.client()
    with viewers(dashboard) as (viewer,):
        viewer.subscribe("a")
        bridge.feed.messages(("a", "1"))
        wait_for(viewer.messages, "the first message")
        client.flushall()
        log = bridge.feed.channels.message_log
        bridge.feed.seq = 0
        bridge.feed.epoch = 2
        bridge.feed.messages(("a", "2"))
        (_, entry) = client.xrange(log)[0]
        client.delete(log)
        client.xadd(log, entry, id="1-1")
        wait_for(lambda: viewer.messages()[-1]["payload"] == "2", "the new stream is read", 10)
        assert any(frame["gap"] for frame in viewer.frames())
        assert viewer.frames()[-1]["epoch"] == 2


def test_a_hole_in_the_log_is_a_visible_gap(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """Numbers that do not continue are told as a gap, not passed over."""
    with viewers(dashboard) as (viewer,):
        viewer.subscribe("a")
        bridge.feed.messages(("a", "1"))
        wait_for(viewer.messages, "the first message")
        bridge.feed.seq += 5
        bridge.feed.messages(("a", "2"))
        wait_for(lambda: len(viewer.messages()) == 2, "the second message")
        assert [frame["gap"] for frame in viewer.frames()] == [False, True]


def test_a_number_that_stands_in_the_log_twice_is_one_message(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P63: a repeated batch, whole or in part, is neither shown again nor taken for a gap."""
    feed = bridge.feed
    with viewers(dashboard) as (viewer,):
        viewer.subscribe("a")
        feed.messages(("a", "1"), ("a", "2"))
        wait_for(lambda: len(viewer.messages()) == 2, "the first batch")
        feed.seq -= 2
        feed.messages(("a", "1"), ("a", "2"))
        feed.seq -= 1
        feed.messages(("a", "2"), ("a", "3"))
        feed.messages(("a", "4"))
        wait_for(lambda: viewer.messages()[-1]["payload"] == "4", "the last message")
        assert [one["payload"] for one in viewer.messages()] == ["1", "2", "3", "4"]
        assert not any(frame["gap"] for frame in viewer.frames())


def test_hostile_redis_content_is_counted_and_skipped(
    dashboard: DashboardServer, redis_server: RedisServer, bridge: BeatingBridge
) -> None:
    """P12: bad documents, wrong types and unknown channels never end a loop."""
    client, names = redis_server.client(), bridge.feed.channels
    with viewers(dashboard) as (viewer,):
        viewer.subscribe("a")
        for bad in (
            b"",
            b"\xff",
            b"\xc1" * 50,
            b"\x91" * 5000,
            msgspec.msgpack.encode([9, 1, 1, []]),
        ):
            client.xadd(names.message_log, {"b": bad})
        client.xadd(names.message_log, {"x": b"1"})
        for channel, document in (
            (names.BROKER_STATS, b"{"),
            (names.BROKER_STATS, b'{"type":"clients_update"}'),
            (names.CLIENT_LIST, b"[" * 100_000),
            (names.TOPIC_LIST, b'{"type":"topics_update","count":NaN}'),
            ("mqtt:unknown", b"{}"),
        ):
            client.xadd(names.events, {"c": channel, "d": document})
        client.xadd(names.events, {"z": b""})
        client.zadd(names.topic_names, {b"\xff\xfe": 0, "fine": 0})
        client.hset(names.topic_values, "fine", b"\xc1")
        bridge.feed.messages(("a", "fine"))
        bridge.feed.stats(uptime=1)
        wait_for(viewer.messages, "a message after the bad ones")
        wait_for(lambda: dashboard.get("/api/broker/stats")[1]["data"], "statistics")
        assert dashboard.get("/api/topics")[1]["topics"] == []
    text = dashboard.request("GET", "/metrics")[1].decode()
    assert 'mqtt_dashboard_unreadable_total{reason="log"} 6.0' in text
    assert 'mqtt_dashboard_unreadable_total{reason="events"} 6.0' in text
    assert "loop_failures" not in text
    assert "Traceback" not in dashboard.output()


def test_keys_of_a_wrong_type_are_told_and_recovered_from(
    dashboard: DashboardServer, redis_server: RedisServer, bridge: BeatingBridge
) -> None:
    """P12: a key of another type is a named problem; Redis itself stays `up`."""
    client, names = redis_server.client(), bridge.feed.channels
    client.delete(names.events)
    client.set(names.events, "no stream")
    wait_for(
        lambda: any("events" in one for one in dashboard.get("/readyz")[1]["problems"]),
        "the problem is named",
        5,
    )
    assert dashboard.broker()["redis"]["status"] == "up"
    client.delete(names.events)
    bridge.feed.stats(uptime=5)
    wait_for(lambda: dashboard.get("/readyz")[0] == 200, "ready again", 5)
    wait_for(lambda: dashboard.get("/api/broker/stats")[1]["data"], "statistics", 5)
