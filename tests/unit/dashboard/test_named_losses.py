"""What a frame leaves out is told apart for topics that are watched by their exact name."""

import pytest

from mqtt_dashboard.dashboard.ring import FRAME_MESSAGES
from tests.unit.dashboard.fanout_rig import Rig


@pytest.fixture
def rig() -> Rig:
    """Return a fresh fan-out."""
    return Rig()


def test_losses_of_a_topic_watched_by_name_are_told_apart(rig: Rig) -> None:
    """Beside a flood on one filter, who opened a topic sees what of that topic is left out."""
    rig.join("one", "flood/#", "lamp")
    rig.deliver("lamp", "lamp", *(f"flood/{number}" for number in range(2000)))
    rig.flush()
    (frame,) = rig.sockets.frames["one"]
    assert frame["conflated"] + frame["dropped"] == 2002 - FRAME_MESSAGES
    assert frame["left_out"] == {"lamp": 2}
    rig.deliver("lamp")
    rig.flush()
    assert rig.sockets.frames["one"][-1]["left_out"] == {}
    rig.check_account()


def test_without_an_exact_name_nothing_is_told_apart(rig: Rig) -> None:
    """A filter with wildcards is no name, though its topics are left out in numbers."""
    rig.join("one", "#")
    rig.deliver(*(["t"] * 2000))
    rig.flush()
    (frame,) = rig.sockets.frames["one"]
    assert (frame["conflated"], frame["left_out"]) == (2000 - FRAME_MESSAGES, {})


def test_a_slow_viewers_losses_are_told_apart_too(rig: Rig) -> None:
    """What its own backlog had to leave out is told with its next frame, once."""
    rig.join("slow", "flood/#", "lamp")
    rig.sockets.deaf.add("slow")
    for _ in range(3):
        rig.deliver("lamp", "lamp", *(["flood/x"] * 990))
        rig.flush()
    rig.sockets.deaf.clear()
    for _ in range(3):
        rig.flush()
    frames = rig.sockets.frames["slow"]
    told = sum(frame["left_out"].get("lamp", 0) for frame in frames)
    sent = rig.topics("slow").count("lamp")
    assert (told > 0, told + sent) == (True, 6)
    rig.check_account()


def test_a_topic_opened_later_counts_from_then(rig: Rig) -> None:
    """A filter that comes while something waits is a name from the next loss on."""
    rig.join("slow", "flood/#")
    rig.sockets.deaf.add("slow")
    rig.deliver(*(["flood/x"] * 1500))
    rig.flush()
    rig.fanout.watch("slow", "lamp")
    rig.deliver(*(["lamp"] * 2), *(["flood/x"] * 1500))
    rig.flush()
    rig.sockets.deaf.clear()
    for _ in range(3):
        rig.flush()
    frames = [one for one in rig.sockets.frames["slow"] if not one["replay"]]
    told = sum(frame["left_out"].get("lamp", 0) for frame in frames)
    assert told + rig.topics("slow").count("lamp") == 2
    rig.check_account()
