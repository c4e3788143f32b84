"""A loop that dies or hangs is noticed."""

from collections.abc import Callable

from mqtt_dashboard.bridge.loops import Loop
from mqtt_dashboard.clock import ManualClock, SystemClock
from tests.support.servers import wait_for


def sleep_long(wait: Callable[[float], bool]) -> None:
    wait(30)


def test_a_dead_loop_is_reported() -> None:
    """P43: an exception in a loop is seen from outside, with its name."""

    def turn(_wait: Callable[[float], bool]) -> None:
        raise ValueError("boom")

    loop = Loop("fragile", turn, SystemClock())
    loop.start()
    problem = wait_for(loop.problem, "the loop is reported")
    assert problem is not None
    assert "fragile" in problem
    assert "boom" in problem


def test_a_stuck_loop_is_reported() -> None:
    """P43: a loop that makes no turn is a problem even though its thread lives."""
    clock = ManualClock()
    loop = Loop("slow", sleep_long, clock, stuck_after=5)
    loop.start()
    assert loop.problem() is None
    clock.advance(6)
    problem = loop.problem()
    loop.stop()
    assert loop.join(2)
    assert problem == "slow made no turn for 6 s"


def test_a_stopped_loop_is_no_problem() -> None:
    """A loop wakes up at once when asked to stop."""
    loop = Loop("calm", sleep_long, SystemClock())
    loop.start()
    loop.stop()
    assert loop.join(2)
    assert loop.problem() is None
