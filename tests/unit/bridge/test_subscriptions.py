"""Filters are counted by reference, and held at the broker without overlap where possible."""

import pytest

from mqtt_dashboard.bridge.subscriptions import Subscriptions
from mqtt_dashboard.errors import TopicError


def test_the_last_reference_ends_a_filter() -> None:
    """P48: one user's unsubscribe does not cut the others."""
    filters = Subscriptions(["config/#"])
    filters.want("a/#", 0, None, 0)
    filters.want("a/#", 0, None, 0)
    assert filters.unwant("a/#", None) is not None
    assert "a/#" in filters.desired()
    assert filters.unwant("a/#", None) is None
    assert "a/#" not in filters.desired()


def test_a_named_owner_counts_once() -> None:
    """P46: asking again changes nothing, and one unsubscribe is enough."""
    filters = Subscriptions([])
    for _ in range(3):
        filters.want("a/+", 0, "worker-1", 100.0)
    assert filters.unwant("a/+", "worker-1") is None
    assert "a/+" not in filters.desired()


def test_owners_that_do_not_renew_expire() -> None:
    """A dashboard that was killed does not hold its filters for ever."""
    filters = Subscriptions([])
    filters.want("a", 0, "gone", 100.0)
    filters.want("b", 0, "alive", 200.0)
    assert filters.expire(150.0) == ["a"]
    assert "b" in filters.desired()


def test_system_and_configured_filters_cannot_be_removed() -> None:
    """P48: no command can take $SYS or the configured filters away."""
    filters = Subscriptions(["#"])
    filters.unwant("$SYS/#", None)
    filters.unwant("#", None)
    assert filters.desired() == {"#": 1, "$SYS/#": 0}


def test_a_contained_filter_is_not_held_twice() -> None:
    """P47: with # held, a narrower filter would only bring every message twice."""
    filters = Subscriptions(["#"])
    filters.want("a/b", 1, None, 0)
    filters.want("$SYS/broker/uptime", 0, None, 0)
    assert filters.desired() == {"#": 1, "$SYS/#": 0}


def test_of_two_names_for_the_same_topics_one_is_held() -> None:
    """Each of # and +/# contains the other; leaving out both would leave the bridge deaf."""
    filters = Subscriptions(["+/#"])
    filters.want("#", 0, None, 0)
    assert filters.desired() == {"#": 1, "$SYS/#": 0}


def test_dollar_topics_are_forwarded_only_when_asked_for() -> None:
    """P19: # does not let $SYS through to the watchers."""
    filters = Subscriptions(["#"])
    assert filters.accepts("a/b")
    assert not filters.accepts("$SYS/broker/uptime")
    filters.want("$SYS/broker/#", 0, None, 0)
    assert filters.accepts("$SYS/broker/uptime")
    filters.unwant("$SYS/broker/#", None)
    assert not filters.accepts("$SYS/broker/uptime")


def test_a_broken_filter_is_refused() -> None:
    """A filter that MQTT forbids never reaches the broker."""
    with pytest.raises(TopicError):
        Subscriptions([]).want("a/#/b", 0, None, 0)
