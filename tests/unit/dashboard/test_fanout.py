"""The fan-out's account, its bounds and its choice of what to leave out."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_dashboard.contract.messages import Batch, LogMessage
from mqtt_dashboard.dashboard.fanout import Fanout
from mqtt_dashboard.dashboard.matching import matches_any
from mqtt_dashboard.dashboard.ring import FRAME_MESSAGES
from mqtt_dashboard.errors import QueueFullError
from tests.unit.dashboard.fanout_rig import Rig


@pytest.fixture
def rig() -> Rig:
    """Return a fresh fan-out."""
    return Rig()


def test_each_viewer_gets_what_its_filters_match_once(rig: Rig) -> None:
    """P47: overlapping filters of one viewer give one copy."""
    rig.join("one", "a/#", "a/b", "+/b")
    rig.join("two", "c")
    rig.deliver("a/b", "a/c", "c", "d")
    rig.flush()
    assert rig.topics("one") == ["a/b", "a/c"]
    assert rig.topics("two") == ["c"]
    rig.check_account()


def test_the_newest_win_and_the_rest_is_counted(rig: Rig) -> None:
    """More than a frame holds: the newest are sent, the others are told as dropped."""
    rig.join("one", "#")
    rig.deliver(*(f"t/{number}" for number in range(FRAME_MESSAGES + 800)))
    rig.flush()
    (frame,) = rig.sockets.frames["one"]
    assert frame["dropped"] == 800
    assert [one["seq"] for one in frame["messages"]] == list(range(801, 801 + FRAME_MESSAGES))
    assert frame["seq"] == FRAME_MESSAGES + 800
    rig.check_account()


def test_ten_thousand_messages_a_second_fit(rig: Rig) -> None:
    """On one topic or on many nothing is left out, also when a frame had to wait for the next."""
    rig.join("one", "#")
    rig.fanout.credit("one", 64)
    for number in range(20):
        rig.deliver(*(f"t/{one}" for one in range(250)), *(["busy"] * 250))
        if number % 2:
            rig.clock.advance(0.1)
            rig.fanout.flush()
    assert len(rig.topics("one")) == 10_000
    assert rig.total("viewer_messages_dropped") + rig.total("viewer_messages_conflated") == 0
    rig.check_account()


def test_many_of_one_topic_in_one_frame_are_conflated_not_those_of_others(rig: Rig) -> None:
    """The busiest topic gives way first: every other topic is in the frame."""
    rig.join("one", "#")
    rig.deliver("quiet", *(["busy"] * 2000), *(f"t/{number}" for number in range(150)))
    rig.flush()
    (frame,) = rig.sockets.frames["one"]
    assert (frame["conflated"], frame["dropped"]) == (2151 - FRAME_MESSAGES, 0)
    assert {one["topic"] for one in frame["messages"]} >= {"quiet", "busy", "t/0", "t/149"}
    rig.check_account()


def test_a_frame_is_bounded_in_bytes_too() -> None:
    """Large payloads make a frame short instead of huge."""
    rig = Rig()
    rig.fanout = Fanout(rig.sockets, rig.clock, rig.counters, payload_limit=10_000)
    rig.join("one", "#")
    rig.deliver(*(f"t/{number}" for number in range(150)), payload=b"x" * 10_000)
    rig.flush()
    (frame,) = rig.sockets.frames["one"]
    assert len(msgspec.json.encode(frame)) < 600_000
    assert frame["dropped"] == 150 - len(frame["messages"])
    rig.check_account()


def test_p69_who_does_not_read_gets_nothing_queued_and_is_cut(rig: Rig) -> None:
    """P69: bounded backlog, counted losses, cut after twenty seconds; others are not affected."""
    rig.join("deaf", "#")
    rig.join("good", "#")
    rig.sockets.deaf.add("deaf")
    for _ in range(50):
        rig.deliver("first", *(["t"] * 29))
        rig.flush()
    assert len(rig.topics("good")) == 1500
    assert rig.fanout.buffered() == FRAME_MESSAGES
    rig.check_account()
    rig.clock.advance(21)
    rig.flush()
    assert rig.sockets.closed == ["deaf"]
    assert rig.counters.get("viewers_cut", "not_reading") == 1
    rig.sockets.deaf.clear()
    rig.flush()
    (frame,) = rig.sockets.frames["deaf"]
    told = len(frame["messages"]), frame["conflated"], frame["dropped"]
    assert told == (FRAME_MESSAGES, 1500 - FRAME_MESSAGES, 0)
    rig.check_account()


def test_a_slow_viewer_keeps_the_newest_of_every_topic(rig: Rig) -> None:
    """One message of each quiet topic survives 50,000 of a busy one; all is told by count."""
    rig.join("slow", "#")
    rig.sockets.deaf.add("slow")
    quiet = [f"quiet/{number}" for number in range(500)]
    for number in range(50):
        rig.deliver(*quiet[number * 10 : number * 10 + 10], *(["busy"] * 990))
        rig.flush()
    rig.sockets.deaf.clear()
    for _ in range(5):
        rig.flush()
    frames = rig.sockets.frames["slow"]
    assert max(len(frame["messages"]) for frame in frames) <= FRAME_MESSAGES
    assert sorted(set(rig.topics("slow"))) == sorted([*quiet, "busy"])
    assert frames[-1]["messages"][-1]["seq"] == rig.seq
    assert [frame["seq"] for frame in frames] == [
        *(frame["messages"][-1]["seq"] for frame in frames[:-1]),
        rig.seq,
    ]
    assert sum(frame["conflated"] for frame in frames) == 50_000 - FRAME_MESSAGES
    assert sum(frame["dropped"] for frame in frames) == 0
    rig.check_account()


def test_a_slow_viewers_topics_and_bytes_are_bounded() -> None:
    """Endless distinct topics, or large payloads, keep a bounded backlog; what goes is dropped."""
    rig = Rig()
    rig.fanout = Fanout(rig.sockets, rig.clock, rig.counters, payload_limit=10_000)
    rig.join("slow", "#")
    rig.sockets.deaf.add("slow")
    for number in range(30):
        rig.deliver(*(f"{number}/{one}" for one in range(150)))
        rig.flush()
    assert rig.fanout.buffered() == 1000
    for number in range(30):
        rig.deliver(*(f"big/{number}/{one}" for one in range(20)), payload=b"x" * 9_000)
        rig.flush()
    assert rig.fanout.buffered() * 9_000 < 600_000
    assert rig.total("viewer_messages_conflated") == 0
    rig.check_account()


def test_frames_need_credit_once_it_was_announced(rig: Rig) -> None:
    """Exactly as many frames as were allowed, replays included; the rest is conflated meanwhile."""
    rig.deliver("a")
    rig.join("x")
    assert rig.fanout.credit("x", 2) == 2
    rig.fanout.watch("x", "#")
    for _ in range(300):
        rig.deliver(*["a"] * 5)
        rig.flush()
    assert [frame["replay"] for frame in rig.sockets.frames["x"]] == [True, False]
    assert rig.fanout.buffered() == FRAME_MESSAGES
    rig.fanout.credit("x", 1)
    rig.flush()
    rig.flush()
    assert len(rig.sockets.frames["x"]) == 3
    frame = rig.sockets.frames["x"][-1]
    told = len(frame["messages"]), frame["conflated"], frame["seq"]
    assert told == (FRAME_MESSAGES, 5 * 299 - FRAME_MESSAGES, rig.seq)
    rig.check_account()


def test_credit_is_capped_and_unknown_viewers_have_none(rig: Rig) -> None:
    """Nobody hoards credit; a viewer that left gets none."""
    rig.join("x", "#")
    assert [rig.fanout.credit("x", 64) for _ in range(3)] == [64, 64, 64]
    assert rig.fanout.credit("nobody", 5) is None


def test_who_gives_no_credit_is_cut_only_while_something_waits(rig: Rig) -> None:
    """A viewer with nothing to read owes no credit; one that lets messages wait is cut."""
    rig.join("x", "a")
    rig.fanout.credit("x", 1)
    rig.deliver("a")
    rig.flush()
    rig.clock.advance(60)
    rig.fanout.tell("broker_status", b"{}")
    rig.flush()
    rig.deliver("a")
    rig.flush()
    assert rig.sockets.closed == []
    rig.flush()
    rig.clock.advance(21)
    rig.fanout.tell("broker_status", b"{}")
    assert rig.sockets.closed == ["x"]
    assert rig.counters.get("viewers_cut", "no_credit") == 1


@pytest.mark.parametrize(("credit", "at_most"), [(True, 21), (False, 12)])
def test_frames_per_second_are_limited(rig: Rig, credit: bool, at_most: int) -> None:
    """Twenty frames a second with credit, about eleven without, however dense the traffic is."""
    rig.join("x", "#")
    for _ in range(100):
        if credit:
            rig.fanout.credit("x", 64)
        rig.deliver("a")
        rig.clock.advance(0.01)
        rig.fanout.flush()
    assert at_most - 2 <= len(rig.sockets.frames["x"]) <= at_most


def test_who_gives_credit_is_told_where_the_log_is_now_and_then(rig: Rig) -> None:
    """A quiet filter's viewer can resume from lately, not from its last message an hour ago."""
    rig.join("credit", "quiet")
    rig.join("plain", "quiet")
    rig.fanout.credit("credit", 10)
    rig.deliver("quiet")
    rig.flush()
    for _ in range(600):
        rig.deliver("other")
        rig.fanout.credit("credit", 1)
        rig.flush()
    frames = rig.sockets.frames["credit"]
    assert 11 <= len(frames) <= 14
    assert frames[-1]["messages"] == []
    assert rig.seq - frames[-1]["seq"] <= 100
    assert len(rig.sockets.frames["plain"]) == 1
    rig.check_account()


def test_a_frame_leaves_at_once_when_there_was_none_lately(rig: Rig) -> None:
    """The limit delays nobody who gets little."""
    rig.join("x", "#")
    rig.flush()
    rig.deliver("a")
    assert rig.fanout.flush() is None
    rig.deliver("b")
    wait = rig.fanout.flush()
    assert wait is not None
    rig.clock.advance(wait)
    rig.fanout.flush()
    assert rig.topics("x") == ["a", "b"]


def test_a_gap_reaches_every_watcher_once(rig: Rig) -> None:
    """A loss of unknown size is told even when no message matches, also to the slow."""
    rig.join("one", "quiet")
    rig.join("slow", "#")
    rig.join("none")
    rig.sockets.deaf.add("slow")
    rig.fanout.mark_gap()
    rig.flush()
    rig.sockets.deaf.clear()
    rig.flush()
    rig.flush()
    assert [frame["gap"] for frame in rig.sockets.frames["one"]] == [True]
    assert [frame["gap"] for frame in rig.sockets.frames["slow"]] == [True]
    assert rig.sockets.frames["none"] == []


def test_changing_filters_loses_nothing_that_was_queued(rig: Rig) -> None:
    """What matched before a filter was added still arrives, once."""
    rig.join("one", "a")
    rig.join("two", "a")
    rig.deliver("a", "b")
    rig.fanout.watch("one", "b")
    rig.deliver("a", "b")
    rig.flush()
    assert rig.topics("one") == ["a", "a", "b"]
    assert rig.topics("two") == ["a", "a"]
    rig.fanout.unwatch("one", "a")
    rig.deliver("a", "b")
    rig.flush()
    assert rig.topics("one") == ["a", "a", "b", "b"]
    rig.check_account()


def test_replay_leaves_out_what_was_already_watched(rig: Rig) -> None:
    """P63: a second, wider filter does not repeat what the first one brought."""
    rig.deliver("a", "b")
    rig.join("one", "a", "#")
    replays = [frame for frame in rig.sockets.frames["one"] if frame["replay"]]
    assert [[one["topic"] for one in frame["messages"]] for frame in replays] == [["a"], ["b"]]


def test_who_waits_for_the_ring_gets_its_replay_when_it_is_filled() -> None:
    """The first viewer's replay comes as soon as the recent batches are read."""
    rig = Rig()
    assert rig.fanout.rest()
    rig.join("one", "a")
    assert rig.fanout.watched.is_set()
    rig.fanout.prime([Batch(1, 7, 1, [LogMessage("a", b"1", 0, False, False, 1.0)])])
    (frame,) = rig.sockets.frames["one"]
    assert (frame["replay"], frame["epoch"], frame["seq"]) == (True, 7, 1)
    rig.fanout.leave("one")
    assert not rig.fanout.watched.is_set()
    assert rig.fanout.rest()


def test_the_twenty_first_filter_is_refused(rig: Rig) -> None:
    """P49: filters per viewer are bounded."""
    rig.join("one", *(f"f/{number}" for number in range(20)))
    with pytest.raises(QueueFullError, match="20 filters"):
        rig.fanout.watch("one", "one/more")


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.lists(st.sampled_from(["a", "b", "a/b", "$x"]))),
        st.tuples(st.just("watch"), st.sampled_from(["#", "a", "+/b", "b", "$x"])),
        st.tuples(st.just("unwatch"), st.sampled_from(["#", "a", "+/b", "b", "$x"])),
        st.tuples(
            st.sampled_from(["deaf", "hear", "flush", "many", "leave", "credit", "gap"]), st.none()
        ),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(actions=ACTIONS, order=st.randoms(use_true_random=False))
def test_the_account_holds_whatever_happens(actions: list[Any], order: Any) -> None:
    """Matched = sent + conflated + dropped + buffered, after any sequence of actions.

    What is sent is what the account says, each message once and in order; and what an account
    calls matched is what the viewer's filters matched, counted apart.
    """
    rig = Rig()
    expected: dict[str, int] = dict.fromkeys("xyz", 0)
    for sid in "xyz":
        rig.join(sid)
    for action, detail in actions:
        sid = order.choice("xyz")
        _count_matches(rig, action, detail, expected)
        _act(rig, action, sid, detail)
        if action == "leave":
            expected[sid] = 0
            rig.sockets.frames[sid].clear()
        rig.check_account()
    rig.flush()
    rig.check_account()
    for sid, matched in expected.items():
        account = rig.fanout.account(sid)
        assert account is not None
        live = [frame for frame in rig.sockets.frames[sid] if not frame["replay"]]
        places = [one["seq"] for frame in live for one in frame["messages"]]
        assert places == sorted(set(places))
        assert [frame["seq"] for frame in live] == sorted(frame["seq"] for frame in live)
        assert (account.matched, account.sent) == (matched, len(places))


def _count_matches(rig: Rig, action: str, detail: Any, expected: dict[str, int]) -> None:
    topics = {"deliver": detail or [], "many": ["a"] * 250}.get(action, [])
    for sid in expected:
        filters = rig.fanout._viewers[sid].filters
        expected[sid] += sum(matches_any(filters, topic) for topic in topics)


def _act(rig: Rig, action: str, sid: str, detail: Any) -> None:
    def rejoin() -> None:
        rig.fanout.leave(sid)
        rig.fanout.join(sid)

    steps = {
        "deliver": lambda: rig.deliver(*detail),
        "many": lambda: rig.deliver(*(["a"] * 250)),
        "watch": lambda: rig.fanout.watch(sid, detail),
        "unwatch": lambda: rig.fanout.unwatch(sid, detail),
        "deaf": lambda: rig.sockets.deaf.add(sid),
        "hear": lambda: rig.sockets.deaf.discard(sid),
        "leave": rejoin,
        "credit": lambda: rig.fanout.credit(sid, 1),
        "gap": rig.fanout.mark_gap,
        "flush": rig.flush,
    }
    steps[action]()
