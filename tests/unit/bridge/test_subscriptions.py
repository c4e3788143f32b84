"""Filters are counted by reference, and held at the broker without overlap where possible."""

import pytest

from mqtt_dashboard.bridge.subscriptions import MAX_OWNERS, Subscriptions
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.messages import WantedFilter
from mqtt_dashboard.errors import QueueFullError, TopicError


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


def test_the_owners_of_a_filter_are_bounded() -> None:
    """P49: whoever invents owners is refused before the stored document becomes unreadable."""
    filters = Subscriptions([])
    for number in range(MAX_OWNERS):
        wanted = filters.want("a/#", 0, f"{number:064}", 100.0)
    with pytest.raises(QueueFullError):
        filters.want("a/#", 0, "one more", 100.0)
    filters.want("a/#", 0, f"{7:064}", 200.0)
    filters.want("a/#", 0, None, 0)
    assert codec.decode(codec.encode(wanted), WantedFilter).owners == wanted.owners
    assert filters.expire(150.0) == []
    filters.want("a/#", 0, "room again", 300.0)


def test_a_shared_subscription_is_matched_without_its_group() -> None:
    """MQTT 5.0, 4.8.2: what comes by a share is what its filter matches."""
    filters = Subscriptions(["$share/bridges/a/#", "$share/bridges/$SYS/broker/uptime"])
    assert filters.accepts("a/b")
    assert filters.accepts("$SYS/broker/uptime")
    assert not filters.accepts("b")
    assert not filters.takes_everything
    assert Subscriptions(["$share/bridges/#"]).takes_everything
    with pytest.raises(TopicError):
        filters.want("$share/bridges/b/#", 0, None, 0)
    filters.want("a/#", 0, "viewer", 100.0)
    filters.unwant("a/#", "viewer")
    assert filters.accepts("a/b"), "the share still brings it"


def test_stored_filters_are_judged_again() -> None:
    """P32: whatever lies in Redis, the broker is asked for nothing that MQTT forbids."""
    filters = Subscriptions([])
    stored = ["a/#", "a/#/b", "", "$share/g", "$share/g/#", "b\0"]
    filters.restore([WantedFilter(filter=one, count=1) for one in stored])
    assert set(filters.desired()) == {"a/#", "$SYS/#"}


def test_a_shared_subscription_makes_no_other_filter_needless() -> None:
    """A share brings a part of the messages: whoever wants all of them gets a filter beside it."""
    filters = Subscriptions(["$share/bridges/#", "a/#"])
    filters.want("a/b", 0, None, 0)
    assert set(filters.desired()) == {"$share/bridges/#", "a/#", "$SYS/#"}
