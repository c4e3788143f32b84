"""The live channel: real gunicorn, real Redis, plain Socket.IO clients over websocket."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from mqtt_dashboard.contract.commands import SubscribeCommand, UnsubscribeCommand
from tests.support.dashboard_server import BeatingBridge, DashboardServer, Viewer, viewers
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import running, wait_for


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run Redis, a bridge that only writes, and a dashboard with one worker."""
    with running_stack(tmp_path_factory.mktemp("live")) as running_one:
        yield running_one


@pytest.fixture
def bridge(stack: Stack) -> BeatingBridge:
    """Return the bridge, as new."""
    stack.reset()
    return stack.bridge


@pytest.fixture
def dashboard(stack: Stack, bridge: BeatingBridge) -> DashboardServer:
    """Return the dashboard, which has seen the bridge."""
    return stack.dashboard


def test_p68_late_joiner_gets_the_full_present_state_at_once(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P68: a new viewer is told status, statistics, clients and topics without waiting."""
    bridge.feed.stats(version="mosquitto version 2.0.11", clients_connected=3)
    bridge.feed.clients("lamp", "door")
    bridge.feed.topics(("a/b", b"1"))
    wait_for(lambda: (dashboard.get("/api/topics")[1]["age_s"] or 9) < 5, "documents arrive")
    with viewers(dashboard) as (viewer,):
        wait_for(lambda: len(viewer.got) >= 4, f"four events: {viewer.got}", 1.0)
        assert viewer.named("broker_status")[0]["connected"] is True
        assert viewer.named("broker_status")[0]["broker"]["host"] == "broker.example"
        assert viewer.named("broker_stats")[0]["data"]["clients_connected"] == 3
        assert viewer.named("broker_stats")[0]["data"]["retained"] is None
        ids = [one["client_id"] for one in viewer.named("clients_update")[0]["clients"]]
        assert ids == ["lamp", "door"]
        assert viewer.named("topics_update")[0]["count"] == 1
        assert dashboard.get("/api/topics")[1]["count"] == 1


def test_p61_a_state_document_reaches_every_viewer(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P61: broadcasting works for real; each viewer gets each document."""
    with viewers(dashboard, 3) as all_viewers:
        bridge.feed.stats(uptime=4711)
        for viewer in all_viewers:
            wait_for(partial(_told_uptime, viewer, 4711), "the statistics arrive", 3.0)


def test_status_is_told_on_change_and_every_two_seconds(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """A lost MQTT session shows within two seconds, and an unchanged status is repeated."""
    with viewers(dashboard) as (viewer,):
        wait_for(lambda: len(viewer.named("broker_status")) >= 2, "a second status", 3.5)
        bridge.connected = False
        wait_for(
            lambda: viewer.named("broker_status")[-1]["connected"] is False, "disconnected", 2.5
        )
        assert "password" in viewer.named("broker_status")[-1]["reason"]


def test_only_matching_messages_arrive_in_ascending_order(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """A viewer gets what its filters match, in order, with the numbers of the log."""
    with viewers(dashboard) as (viewer,):
        assert viewer.subscribe("plant/+/temp") == {
            "ok": True,
            "filter": "plant/+/temp",
            "message": None,
            "watched": True,
        }
        for number in range(50):
            bridge.feed.messages(
                (f"plant/{number}/temp", str(number)), (f"plant/{number}/other", "x")
            )
        wait_for(lambda: len(viewer.messages()) == 50, "50 messages")
        assert [one["payload"] for one in viewer.messages()] == [str(n) for n in range(50)]
        seqs = [frame["seq"] for frame in viewer.frames()]
        assert seqs == sorted(seqs)
        assert all(frame["dropped"] == 0 and not frame["gap"] for frame in viewer.frames())


def test_hash_does_not_match_dollar_topics(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P19: `#` leaves out topics that begin with a dollar sign, as MQTT 4.7.2 demands."""
    with viewers(dashboard) as (viewer,):
        viewer.subscribe("#")
        bridge.feed.messages(("$SYS/broker/uptime", "1"), ("seen", "2"))
        wait_for(viewer.messages, "a message")
        assert [one["topic"] for one in viewer.messages()] == ["seen"]


def test_recent_messages_are_replayed_before_live_ones(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """A new subscription opens with at most fifty recent messages, marked as replay."""
    for number in range(60):
        bridge.feed.messages((f"r/{number}", str(number)), ("other", "x"))
    with viewers(dashboard) as (viewer,):
        viewer.subscribe("r/#")
        wait_for(lambda: viewer.messages(replay=True), "the replay")
        assert [one["payload"] for one in viewer.messages(replay=True)] == [
            str(number) for number in range(10, 60)
        ]
        bridge.feed.messages(("r/new", "live"))
        wait_for(viewer.messages, "the live message")
        assert [one["payload"] for one in viewer.messages()] == ["live"]
        viewer.subscribe("other")
        wait_for(lambda: len(viewer.frames(replay=True)) == 2, "the second replay")
        assert {one["topic"] for one in viewer.frames(replay=True)[1]["messages"]} == {"other"}


def test_p18_binary_payload_survives_and_long_ones_are_marked(
    tmp_path: Path, stack: Stack, bridge: BeatingBridge
) -> None:
    """P18, P27: bytes that are no text come as base64 and say so; long ones are cut and say so."""
    server = DashboardServer(tmp_path, stack.redis.port, FRAME_PAYLOAD_BYTES="100")
    with running(server):
        server.wait_ready()
        with viewers(server) as (viewer,):
            viewer.subscribe("#")
            bridge.feed.messages(("bin", b"\xff\x00"), ("nan", "NaN"), ("long", "ä" * 200))
            wait_for(lambda: len(viewer.messages()) == 3, "three messages")
            binary, number, long = viewer.messages()
            assert (binary["encoding"], binary["payload"], binary["size"]) == ("base64", "/wA=", 2)
            assert number["payload"] == "NaN"
            assert (long["payload"], long["size"], long["truncated"]) == ("ä" * 50, 400, True)


def test_p63_two_workers_deliver_each_message_exactly_once(
    tmp_path: Path, stack: Stack, bridge: BeatingBridge
) -> None:
    """P63, P64: viewers on both of two workers, each gets every message once."""
    server = DashboardServer(tmp_path, stack.redis.port, WEB_CONCURRENCY="2")
    with running(server), ExitStack() as connected:
        server.wait_ready()
        first, second = server.children()
        all_viewers = []
        # The kernel may give all connections to one worker; a frozen one takes none.
        for frozen in (first, second):
            os.kill(frozen, signal.SIGSTOP)
            all_viewers += connected.enter_context(viewers(server, 4))
            os.kill(frozen, signal.SIGCONT)
        for viewer in all_viewers:
            assert viewer.subscribe("n/#")["ok"]
        for number in range(200):
            bridge.feed.messages((f"n/{number}", str(number)))
        for viewer in all_viewers:
            wait_for(partial(_has_messages, viewer, 200), "200 messages")
        for viewer in all_viewers:
            assert [one["payload"] for one in viewer.messages()] == [str(n) for n in range(200)]


def _told_uptime(viewer: Viewer, uptime: int) -> bool:
    return any(
        one["data"] and one["data"]["uptime"] == uptime for one in viewer.named("broker_stats")
    )


def _has_messages(viewer: Viewer, count: int) -> bool:
    return len(viewer.messages()) >= count


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"filter": "a/#/b"}, "must be the last level"),
        ({"filter": "a+"}, "stand alone"),
        ({"filter": ""}, "must not be empty"),
        ({"filter": 5}, "filter: must be a text"),
        ({"filter": "a\0"}, "U+0000"),
        ({"filter": "$share/g/a"}, "shared"),
        ({"filter": "x" * 70000}, "at most 65535"),
        ({}, "filter: this field is missing"),
        ([], "must be an object"),
        (None, "must be an object"),
        ("text", "must be an object"),
    ],
)
def test_malformed_subscriptions_are_refused_in_words(
    dashboard: DashboardServer, data: object, words: str
) -> None:
    """P51: whatever comes, the acknowledgement says what is wrong, and the socket lives on."""
    with viewers(dashboard) as (viewer,):
        reply = viewer.call("subscribe", data)
        assert reply["ok"] is False
        assert words in reply["message"]
        assert viewer.subscribe("fine")["ok"] is True
    assert "Traceback" not in dashboard.output()


def test_filters_per_viewer_are_limited_and_repeats_are_free(dashboard: DashboardServer) -> None:
    """P46, P49: twenty filters per socket; asking twice for one changes nothing."""
    with viewers(dashboard) as (viewer,):
        for number in range(20):
            assert viewer.subscribe(f"f/{number}")["ok"]
        assert viewer.subscribe("f/0")["ok"]
        refused = viewer.subscribe("f/20")
        assert refused["ok"] is False
        assert "20 filters" in refused["message"]
        assert viewer.call("unsubscribe", {"filter": "f/0"})["ok"]
        assert viewer.subscribe("f/20")["ok"]
        assert viewer.call("unsubscribe", {"filter": "never"})["ok"] is False


def test_unsubscribing_ends_the_messages(dashboard: DashboardServer, bridge: BeatingBridge) -> None:
    """After `unsubscribe` nothing of that filter arrives any more."""
    with viewers(dashboard) as (viewer,):
        viewer.subscribe("a")
        viewer.subscribe("b")
        viewer.call("unsubscribe", {"filter": "a"})
        bridge.feed.messages(("a", "1"), ("b", "2"))
        wait_for(viewer.messages, "b arrives")
        assert [one["topic"] for one in viewer.messages()] == ["b"]


def test_uncovered_filter_is_asked_for_and_given_back(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P31, P48: what the bridge does not receive is asked for by owner, and given back once."""
    bridge.filters = ("known/#",)
    wait_for(
        lambda: dashboard.broker()["bridge"]["subscriptions"][0]["filter"] == "known/#", "filters"
    )
    with viewers(dashboard, 2) as (first, second):
        assert first.subscribe("known/a")["watched"] is True
        assert first.subscribe("new/#")["watched"] is False
        assert second.subscribe("new/#")["watched"] is False
        wait_for(lambda: bridge.commands, "the bridge is asked")
        second.close()
        first.call("unsubscribe", {"filter": "new/#"})
        wait_for(lambda: len(bridge.commands) >= 2, "it is given back")
    asked, returned = bridge.commands
    assert isinstance(asked, SubscribeCommand)
    assert (asked.topic, asked.ttl_s) == ("new/#", 60.0)
    assert isinstance(returned, UnsubscribeCommand)
    assert (returned.topic, returned.owner) == ("new/#", asked.owner)


def test_long_polling_is_refused(dashboard: DashboardServer) -> None:
    """P62: only the websocket transport exists, so no sticky sessions are needed."""
    status, _, _ = dashboard.request("GET", "/socket.io/?EIO=4&transport=polling")
    assert status == 400


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://user@127.0.0.1:{port}",
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}",
    ],
)
def test_p58_foreign_origin_cannot_open_the_channel(
    dashboard: DashboardServer, origin: str
) -> None:
    """P58: the websocket upgrade needs exactly our own origin."""
    assert dashboard.upgrade(Origin=origin.format(port=dashboard.port)) == 403


def test_own_origin_opens_the_channel(dashboard: DashboardServer) -> None:
    """The page itself is let in, and so is a program that names no origin."""
    assert dashboard.upgrade(Origin=dashboard.url) == 101
    assert dashboard.upgrade() == 101


def test_p58_cross_site_and_foreign_host_cannot_open_the_channel(
    dashboard: DashboardServer,
) -> None:
    """P58: a browser's own word about the site counts, and so does the Host (DNS rebinding)."""
    assert dashboard.upgrade(Sec_Fetch_Site="cross-site") == 403
    assert dashboard.upgrade(Sec_Fetch_Site="same-origin") == 101
    assert dashboard.upgrade(Host=f"evil.example:{dashboard.port}") == 403


def test_too_many_requests_are_refused(dashboard: DashboardServer) -> None:
    """A socket may ask a hundred times in ten seconds; after that it is told to slow down."""
    with viewers(dashboard) as (viewer,):
        replies = [viewer.call("unsubscribe", {"filter": "x"}) for _ in range(101)]
        assert "too many requests" in replies[-1]["message"]
        assert "too many requests" not in replies[99]["message"]
