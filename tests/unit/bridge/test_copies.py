"""Which copy of a message counts where filters overlap crosswise (P47)."""

import zlib

import pytest

from tests.support.reconciler_rig import Rig, settled


def test_a_filter_without_an_answer_displaces_nothing() -> None:
    """P47: while the answer for a new crossing filter is out, the old ones bring everything."""
    rig = settled("+/b", "c/+")
    rig.broker.silent = {"a/+"}
    rig.want("a/+")
    rig.turn()
    rig.broker.publish(1, "a/b", 1)
    rig.read()
    assert [copy.number for copy in rig.heard] == [1]


def test_at_qos_1_no_copy_yields_to_one_at_qos_0() -> None:
    """P37, P47: a filter still in its first step does not displace a copy that is acknowledged."""
    rig = Rig("a/+", "+/b")
    rig.open()
    rig.reconciler.sync()
    rig.broker.process()
    rig.reconciler.granted("+/b", 0, None)
    rig.clock.advance(0.4)
    rig.reconciler.granted("a/+", 0, None)
    rig.clock.advance(0.2)
    rig.reconciler.sync()
    rig.broker.process()
    first, second = rig.number("a/+"), rig.number("+/b")
    assert rig.broker.held["+/b"].qos == 1
    assert rig.broker.held["a/+"].qos == 0
    assert not rig.reconciler.is_copy("a/b", (second,), 1)
    assert not rig.reconciler.is_copy("a/b", (first,), 0)


def test_what_waited_at_the_broker_counts_although_a_newer_filter_matches() -> None:
    """P47: a message from before a filter was held comes for the older filter only, and counts."""
    rig = settled("+/b")
    rig.want("a/+")
    rig.settle()
    rig.broker.window_full = True
    rig.subscriptions.unwant("a/+", None)
    rig.settle()
    rig.broker.publish(1, "a/b", 1)
    rig.want("a/+")
    rig.settle()
    rig.broker.window_full = False
    rig.read()
    assert [copy.number for copy in rig.heard] == [1]


def test_what_waited_counts_although_the_newer_filter_was_asked_for_first() -> None:
    """P47: which filter brought messages first decides, not which one was asked for first."""
    rig = Rig("a/+", "+/b")
    rig.broker.refused = {"a/+"}
    rig.open()
    rig.settle()
    rig.broker.window_full = True
    rig.broker.publish(1, "a/b", 1)
    rig.broker.refused = set()
    rig.settle(20)
    assert rig.reconciler.problems() == []
    rig.broker.window_full = False
    rig.read()
    assert [copy.number for copy in rig.heard] == [1]


@pytest.mark.parametrize("topic", ["elsewhere", "a", "$foo/b", "b/b/b"])
def test_an_identifier_that_does_not_belong_to_the_topic_harms_nothing(topic: str) -> None:
    """P27, P47: a broker that rewrites topics sends identifiers that match nothing: no copy."""
    rig = settled("a/+", "+/b")
    known = rig.number("a/+")
    for identifiers in [(known,), (known, 77), (77,), (268_435_455, known)]:
        assert not rig.reconciler.is_copy(topic, identifiers, 0)


def test_identifiers_cannot_collide() -> None:
    """P47: filters may be chosen to have the same check sum; each has an identifier of its own."""
    assert zlib.crc32(b"plumless/+") == zlib.crc32(b"buckeroo/+")
    rig = settled("plumless/+", "buckeroo/+", "+/x")
    assert len({rig.number(one) for one in ("plumless/+", "buckeroo/+", "+/x")}) == 3
    for number, topic in enumerate(["plumless/x", "buckeroo/x", "plumless/y", "other/x"]):
        rig.broker.publish(number, topic, 1)
    rig.read()
    assert [copy.number for copy in rig.heard] == [0, 1, 2, 3]


def test_the_identifier_of_a_filter_that_is_gone_is_not_used_again() -> None:
    """P47: what waits at the broker bears it, and must not be taken for another filter's."""
    rig = settled("a/+")
    rig.want("+/b")
    rig.settle()
    gone = rig.number("+/b")
    rig.subscriptions.unwant("+/b", None)
    rig.settle(20)
    rig.restart("a/+", "+/b")
    rig.settle()
    assert rig.number("+/b") not in {0, gone, rig.number("a/+")}


def test_a_kept_session_keeps_its_identifiers() -> None:
    """P47: what waited at the broker bears the identifiers of before, and still counts once."""
    rig = settled("a/+", "+/b")
    before = {one: rig.number(one) for one in ("a/+", "+/b")}
    rig.broker.publish(1, "a/b", 1)
    rig.restart("a/+", "+/b")
    rig.read()
    rig.settle()
    assert [copy.number for copy in rig.heard] == [1]
    assert {one: rig.number(one) for one in ("a/+", "+/b")} == before


def test_the_shares_of_two_groups_are_two_messages() -> None:
    """A share says nothing of what another group's share brings: neither displaces the other."""
    rig = settled("$share/one/#", "$share/two/a/+")
    rig.broker.publish(1, "a/b", 1)
    rig.read()
    assert [copy.number for copy in rig.heard] == [1, 1]
