"""A subscription that continues behind a position: real gunicorn, real Redis, no hole, no copy."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard_server import BeatingBridge, DashboardServer, Viewer, viewers
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.feed import Feed
from tests.support.servers import running, wait_for

RING = 2000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run Redis, a bridge that only writes, and a dashboard with one worker."""
    with running_stack(tmp_path_factory.mktemp("resume")) as running_one:
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


def position(viewer: Viewer) -> dict[str, int]:
    """Return where a viewer's live frames ended."""
    last = viewer.frames()[-1]
    return {"epoch": last["epoch"], "seq": last["seq"]}


def resume(viewer: Viewer, topic_filter: str, after: dict[str, int]) -> Any:
    """Watch a filter behind a position."""
    reply = viewer.call("subscribe", {"filter": topic_filter, "after": after})
    assert reply["ok"], reply
    return reply


def all_payloads(viewer: Viewer) -> list[str]:
    """Return the payloads of all frames in the order of their arrival."""
    return [one["payload"] for frame in viewer.named("mqtt_messages") for one in frame["messages"]]


def enough(viewer: Viewer, stopped: threading.Event) -> bool:
    """Tell whether a viewer got a few frames, or all after the last was written."""
    return "999" in all_payloads(viewer) if stopped.is_set() else len(viewer.frames()) >= 3


def watch_and_go(dashboard: DashboardServer, bridge: BeatingBridge) -> dict[str, int]:
    """Watch ``n/#`` until one message came; return the position."""
    with viewers(dashboard) as (viewer,):
        viewer.subscribe("n/#")
        bridge.feed.messages(("n/0", "0"))
        wait_for(viewer.messages, "the first message")
        return position(viewer)


@pytest.mark.parametrize("noise", [0, RING + 500])
def test_what_was_missed_is_replayed_from_the_ring_or_the_log(
    dashboard: DashboardServer, bridge: BeatingBridge, noise: int
) -> None:
    """All missed messages of the filter come, in order, then the live ones; no gap is claimed."""
    with viewers(dashboard) as (keeper,):
        keeper.subscribe("other")
        after = watch_and_go(dashboard, bridge)
        for number in range(1, 301):
            bridge.feed.messages((f"n/{number}", str(number)))
        for _ in range(noise // 100):
            bridge.feed.messages(*(("noise", "x"),) * 100)
        with viewers(dashboard) as (viewer,):
            resume(viewer, "n/#", after)
            bridge.feed.messages(("n/301", "301"))
            wait_for(lambda: len(all_payloads(viewer)) == 301, "301 messages")
            assert all_payloads(viewer) == [str(number) for number in range(1, 302)]
            assert not any(frame["gap"] for frame in viewer.named("mqtt_messages"))
            assert len(viewer.messages(replay=True)) == 300


def test_what_is_past_retention_is_told_with_its_number(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """A trimmed log: the replay begins with a gap and says how many numbers are missing."""
    with viewers(dashboard) as (keeper,):
        keeper.subscribe("other")
        after = watch_and_go(dashboard, bridge)
        bridge.feed.messages(*((f"n/{number}", "lost") for number in range(70)))
        for _ in range(RING // 100 + 1):
            bridge.feed.messages(*(("noise", "x"),) * 100)
        bridge.feed.messages(("n/end", "kept"))
        log = bridge.feed.channels.message_log
        bridge.feed.client.xtrim(log, maxlen=RING // 100 + 2, approximate=False)
        with viewers(dashboard) as (viewer,):
            resume(viewer, "n/#", after)
            wait_for(lambda: viewer.frames(replay=True), "the replay")
            (frame,) = viewer.frames(replay=True)
            assert (frame["gap"], frame["missing"]) == (True, 70)
            assert [one["payload"] for one in frame["messages"]] == ["kept"]


def test_a_new_epoch_is_told_as_a_gap_of_unknown_size(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """Another bridge took over: what is there is replayed, and nobody claims to know the loss."""
    with viewers(dashboard) as (keeper,):
        keeper.subscribe("other")
        after = watch_and_go(dashboard, bridge)
        bridge.feed.messages(("n/1", "old epoch"))
        feed = Feed(bridge.feed.client)
        feed.epoch = bridge.feed.epoch + 1
        bridge.feed.epoch, bridge.feed.seq = feed.epoch, 1
        feed.messages(("n/2", "new epoch"))
        with viewers(dashboard) as (viewer,):
            resume(viewer, "n/#", after)
            wait_for(lambda: len(all_payloads(viewer)) == 2, "both messages")
            (frame,) = viewer.frames(replay=True)
            assert (frame["gap"], frame["missing"]) == (True, None)
            assert all_payloads(viewer) == ["old epoch", "new epoch"]


def test_an_idle_worker_reads_the_log_before_it_answers(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """The only viewer comes back: nobody watched meanwhile, and still nothing is missing."""
    after = watch_and_go(dashboard, bridge)
    bridge.feed.messages(("n/1", "1"), ("other", "x"), ("n/2", "2"))
    with viewers(dashboard) as (viewer,):
        resume(viewer, "n/#", after)
        wait_for(lambda: len(all_payloads(viewer)) == 2, "both messages")
        assert all_payloads(viewer) == ["1", "2"]
        assert not any(frame["gap"] for frame in viewer.named("mqtt_messages"))


def test_two_overlapping_filters_bring_one_copy(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """Each filter is resumed on its own; what both match is replayed once."""
    after = watch_and_go(dashboard, bridge)
    bridge.feed.messages(("n/1", "1"), ("m", "2"))
    with viewers(dashboard) as (viewer,):
        resume(viewer, "n/#", after)
        resume(viewer, "#", after)
        wait_for(lambda: len(all_payloads(viewer)) == 2, "both messages")
        bridge.feed.messages(("n/3", "3"))
        wait_for(lambda: len(all_payloads(viewer)) == 3, "the live one")
        assert all_payloads(viewer) == ["1", "2", "3"]


def test_a_position_this_worker_has_not_reached_brings_no_copies(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """Another worker was further: what it sent already is not sent again."""
    after = watch_and_go(dashboard, bridge)
    ahead = {"epoch": after["epoch"], "seq": after["seq"] + 2}
    with viewers(dashboard) as (viewer,):
        resume(viewer, "n/#", ahead)
        bridge.feed.messages(("n/1", "seen"), ("n/2", "seen"), ("n/3", "new"))
        wait_for(viewer.messages, "a message")
        assert all_payloads(viewer) == ["new"]


def test_a_position_that_never_comes_does_not_silence_the_viewer(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """Redis lost its memory, or the client made the number up: told as a gap, then live."""
    after = watch_and_go(dashboard, bridge)
    with viewers(dashboard) as (viewer,):
        resume(viewer, "n/#", {**after, "seq": after["seq"] + 1_000_000})
        wait_for(lambda: any(frame["gap"] for frame in viewer.frames()), "the gap", 5)
        bridge.feed.messages(("n/1", "live"))
        wait_for(viewer.messages, "the live message")


@pytest.mark.parametrize("after", [{"epoch": -1, "seq": 0}, {"epoch": 1}, "x", {"seq": 1e99}])
def test_a_malformed_position_is_refused_in_words(dashboard: DashboardServer, after: Any) -> None:
    """A position that is none is refused, and the socket lives on."""
    with viewers(dashboard) as (viewer,):
        reply = viewer.call("subscribe", {"filter": "n/#", "after": after})
        assert reply["ok"] is False
        assert "after" in reply["message"]
        assert viewer.subscribe("fine")["ok"] is True


def test_a_viewer_that_reconnects_all_the_time_misses_nothing(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """A thousand messages while the connection breaks every now and then: each exactly once."""
    feed, stopped = bridge.feed, threading.Event()

    def write() -> None:
        for number in range(1000):
            feed.messages((f"n/{number % 7}", str(number)), ("noise", "x"))
            time.sleep(0.002)
        stopped.set()

    got: list[str] = []
    after = watch_and_go(dashboard, bridge)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not stopped.is_set() or got[-1:] != ["999"]:
            with viewers(dashboard) as (viewer,):
                viewer.call("credit", {"frames": 64})
                resume(viewer, "n/#", after)
                wait_for(partial(enough, viewer, stopped), "some frames, or all")
            got += all_payloads(viewer)
            assert not any(frame["gap"] for frame in viewer.named("mqtt_messages"))
            if viewer.frames():
                after = position(viewer)
    finally:
        writer.join()
    assert got == [str(number) for number in range(1000)]


def test_a_worker_that_just_started_serves_the_resume(
    tmp_path: Path, stack: Stack, bridge: BeatingBridge
) -> None:
    """After a restart of the dashboard the page continues where it was."""
    after = watch_and_go(stack.dashboard, bridge)
    bridge.feed.messages(("n/1", "1"))
    server = DashboardServer(tmp_path, stack.redis.port)
    with running(server), viewers(server) as (viewer,):
        resume(viewer, "n/#", after)
        wait_for(lambda: all_payloads(viewer) == ["1"], "the missed message")
