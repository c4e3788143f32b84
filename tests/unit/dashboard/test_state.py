"""The read model never claims what it cannot know."""

import pytest

from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.contract.messages import (
    BridgeStatus,
    BrokerStats,
    GrantedFilter,
    StatsUpdate,
    StatusChange,
)
from mqtt_dashboard.dashboard.state import ReadModel


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still."""
    return ManualClock()


@pytest.fixture
def state(clock: ManualClock) -> ReadModel:
    """Return a model that knows nothing."""
    return ReadModel(clock)


def status(beat: int, *, connected: bool = True, instance: str = "i") -> BridgeStatus:
    """Return a status document."""
    return BridgeStatus(
        instance=instance,
        epoch=1,
        beat=beat,
        version="1",
        pid=1,
        started_at=0.0,
        timestamp=0.0,
        connected=connected,
        state="connected",
        reason="fine",
        since=0.0,
        host="h",
        port=1883,
        subscriptions=[
            GrantedFilter(filter="a/#", qos=0, granted=0),
            GrantedFilter(filter="b", qos=0, granted=None, error="not authorised"),
        ],
    )


def test_at_the_start_everything_is_unknown(state: ReadModel) -> None:
    """Nothing asked yet: null, not false and not connected."""
    answer = state.broker_status()
    assert (answer.connected, answer.state, answer.bridge.alive) == (None, "unknown", None)
    assert answer.redis.status == "unknown"
    assert state.broker_stats().data is None
    assert state.broker_stats().stale
    assert state.client_list().known is None
    assert state.topics_age() == (None, True)


def test_beats_are_judged_by_our_own_clock(state: ReadModel, clock: ManualClock) -> None:
    """P25, P28: the key may stay for ever; a beat that does not grow means silence."""
    state.redis_answered()
    state.bridge_reported(status(1))
    assert state.connected() is True
    for _ in range(4):
        clock.advance(1)
        state.redis_answered()
        state.bridge_reported(status(1))
    assert state.connected() is None
    assert state.bridge_alive() is False
    assert "silent for 4 s" in state.broker_status().reason
    state.bridge_reported(status(1, instance="other"))
    assert state.connected() is True


def test_wall_clock_jumps_change_nothing(state: ReadModel, clock: ManualClock) -> None:
    """P25: aliveness does not depend on the time of day."""
    state.redis_answered()
    state.bridge_reported(status(1))
    clock.wall += 86_400
    assert state.connected() is True


def test_a_missing_key_is_silence_at_once(state: ReadModel) -> None:
    """The key's own expiry counts too, and the reason tells a stop from a loss."""
    state.redis_answered()
    state.bridge_reported(status(5))
    state.bridge_reported(None)
    assert state.bridge_alive() is False
    assert "not running" in state.broker_status().reason
    change = StatusChange(connected=False, timestamp=0, reason="SIGTERM", state="stopped")
    state.take(change)
    assert "stopped: SIGTERM" in state.broker_status().reason


def test_redis_down_makes_the_bridge_unknown_not_dead(state: ReadModel, clock: ManualClock) -> None:
    """P66: without Redis nothing can be said of bridge or broker."""
    state.redis_answered()
    state.bridge_reported(status(1))
    state.redis_failed("Redis at x does not answer in time")
    assert state.bridge_alive() is None
    assert state.broker_status().reason == "Redis at x does not answer in time"
    state.redis_answered()
    assert state.redis_health().status == "up"
    clock.advance(4)
    assert state.redis_health().status == "down"


def test_ages_grow_and_turn_stale(state: ReadModel, clock: ManualClock) -> None:
    """P15: each value's age is its age at arrival plus the time since."""
    document = StatsUpdate(
        timestamp=clock.now() - 2, data=BrokerStats(uptime=1), ages={"uptime": 3.0}
    )
    state.take(document)
    clock.advance(5)
    answer = state.broker_stats()
    assert answer.age_s == pytest.approx(7)
    assert answer.ages == {"uptime": pytest.approx(10)}
    assert not answer.stale
    clock.advance(10)
    assert state.broker_stats().stale


def test_coverage_needs_a_granted_filter(state: ReadModel) -> None:
    """A refused subscription covers nothing; an unknown bridge leaves it open."""
    assert state.covers("a/b") is None
    state.redis_answered()
    state.bridge_reported(status(1))
    assert state.covers("a/b") is True
    assert state.covers("b") is False
    assert state.covers("#") is False
