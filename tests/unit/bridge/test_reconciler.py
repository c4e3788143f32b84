"""What is asked of the broker, in which order, and what is written down of it."""

import threading

import pytest

from mqtt_dashboard.contract import topics
from mqtt_dashboard.mqtt.client import Incoming, Wanted
from tests.support.model_broker import Copy, ModelBroker
from tests.support.reconciler_rig import Rig, incoming, settled
from tests.support.servers import wait_for

SYS = "$SYS/#"


def retained(number: int) -> Incoming:
    return incoming(Copy(0, f"a/{number}", (), 0, retain=True))


# Refusals, and what follows ------------------------------------------------------------------


def test_a_refused_filter_displaces_nothing() -> None:
    """P29, P47: with # refused and +/# granted (EMQX as delivered), what comes by +/# counts."""
    rig = Rig("#")
    rig.broker.refused = {"#", SYS}
    rig.open()
    rig.settle()
    rig.broker.publish(1, "a/b", 1)
    rig.read()
    assert [copy.number for copy in rig.heard] == [1]
    assert set(rig.broker.held) == {"+/#"}
    assert rig.number("+/#") == 0, "nothing overlaps, so nothing needs an identifier"
    assert rig.reconciler.problems() == []


def test_a_refused_filter_that_crosses_displaces_nothing() -> None:
    """P47: of two configured filters that cross one is refused; the other brings every message."""
    for refused in ("a/+", "+/b"):
        rig = Rig("a/+", "+/b")
        rig.broker.refused = {refused}
        rig.open()
        for number in range(20):
            rig.turn(0.3)
            rig.broker.publish(number, "a/b", number % 2)
        rig.read()
        sent_after_the_first_turn = list(range(20))
        assert [copy.number for copy in rig.heard] == sent_after_the_first_turn
        assert rig.reconciler.problems() == [
            f"the broker refuses the filter {refused}: not authorised"
        ]


def test_the_ladder_has_a_third_rung() -> None:
    """P29: with # and +/# refused the narrower filters somebody wants are held."""
    rig = Rig("#", "a/#")
    rig.broker.refused = {"#", "+/#"}
    rig.open()
    rig.want("b/+")
    rig.settle()
    assert set(rig.broker.held) == {"a/#", "b/+", SYS}
    assert not rig.reconciler.sees_everything
    assert rig.reconciler.problems() == ["the broker refuses the filter #: not authorised"]


def test_what_is_refused_is_asked_for_again_ever_more_seldom() -> None:
    """P29: an access rule may change: the bridge finds out while connected, without a storm."""
    rig = Rig("a/#")
    rig.broker.refused = {"a/#"}
    rig.open()
    rig.settle(1500)
    times = len(rig.asked("a/#"))
    assert 9 <= times <= 13, "after 5, 10, 20 ... s, and every 300 s in the end"
    rig.broker.refused = set()
    rig.settle(310)
    assert rig.reconciler.problems() == []
    assert rig.asked("a/#")[-2:] == [("a/#", 0, True), ("a/#", 1, False)]


def test_an_unanswered_filter_is_asked_for_again() -> None:
    """P29: a SUBACK that never came is not the end: not ready, and asked for again."""
    rig = Rig("a/#")
    rig.broker.silent = {"a/#"}
    rig.open()
    rig.settle(3)
    assert rig.reconciler.problems() == ["the broker has not granted every filter yet"]
    # So the link tells it.
    rig.reconciler.granted("a/#", None, "the broker did not answer within 10 s")
    rig.settle(3)
    assert "did not answer" in rig.reconciler.problems()[0]
    rig.broker.silent = set()
    rig.settle()
    assert rig.reconciler.problems() == []


def test_a_refused_filter_of_a_viewer_is_no_reason_not_to_be_ready() -> None:
    """P29: readiness speaks of the configured filters; what a viewer asked for is shown to him."""
    rig = settled("a/#")
    rig.broker.refused = {"b/#"}
    rig.want("b/#", "c/#")
    rig.turn()
    assert rig.reconciler.problems() == []
    told = {one.filter: one.error for one in rig.reconciler.report()}
    assert told == {"a/#": None, SYS: None, "b/#": "not authorised", "c/#": None}


# The session ---------------------------------------------------------------------------------


def test_a_late_answer_is_not_taken_for_a_newer_one() -> None:
    """P46: given up and wanted again before the first answer came: the second answer counts."""
    rig = settled("x/#")
    rig.want("a/#")
    rig.reconciler.sync()
    rig.broker.process()
    rig.subscriptions.unwant("a/#", None)
    rig.reconciler.sync()
    rig.want("a/#")
    rig.reconciler.sync()
    rig.broker.refused = {"a/#"}
    rig.broker.process()
    rig.read()
    assert {one.filter: one.error for one in rig.reconciler.report()}["a/#"] == "not authorised"


def test_what_a_kept_session_still_holds_is_given_up() -> None:
    """P32, P47: a filter of an earlier configuration does not bring every message twice."""
    rig = settled("#")
    rig.restart("a/#")
    rig.settle(1)
    assert set(rig.broker.held) == {"a/#", SYS}
    assert rig.asked("a/#")[0] == ("a/#", 1, False), "its messages came by # so far"
    rig.settle(20)
    assert set(rig.store.filters) == {"a/#", SYS}


def test_a_new_filter_of_a_kept_session_gets_its_retained_messages() -> None:
    """P45: what is new to the session has two steps, what it holds already has one."""
    rig = settled("a/#")
    rig.broker.retained = {"a/x", "b/x", "c/x"}
    rig.restart("a/#", "b/#")
    rig.settle()
    assert rig.asked("a/#") == [("a/#", 1, False)]
    assert rig.asked("b/#") == [("b/#", 0, True), ("b/#", 1, False)]
    rig.want("c/#")
    rig.settle()
    assert [copy.topic for copy in rig.heard] == ["b/x", "c/x"]


def test_a_snapshot_that_was_cut_off_is_asked_for_again() -> None:
    """P45: a bridge that dies before the retained messages were all there has not got them."""
    rig = Rig("a/#")
    rig.open()
    rig.turn()
    assert rig.asked("a/#") == [("a/#", 0, True)]
    rig.reconnect(kept=True)
    rig.turn()
    assert rig.asked("a/#") == [("a/#", 0, True)]
    rig.restart("a/#")
    rig.turn()
    assert rig.asked("a/#") == [("a/#", 0, True)]


def test_a_bridge_that_dies_on_the_way_to_qos_1_does_not_go_back() -> None:
    """P37: once QoS 1 was asked for, no later bridge asks this session for QoS 0 again."""
    rig = Rig("a/#")
    rig.open()
    rig.turn()
    rig.turn(0.6)
    assert rig.asked("a/#") == [("a/#", 0, True), ("a/#", 1, False)]
    for read in (False, True):
        if read:
            rig.read()
        rig.restart("a/#")
        rig.turn()
        assert rig.asked("a/#") == [("a/#", 1, False)]


def test_a_lost_session_is_asked_for_anew_with_all_options() -> None:
    """P33, P35: all is asked for again, retained messages first, then at QoS 1."""
    rig = settled("a/+", "+/b")
    before = rig.asked()
    numbers = [rig.number("a/+"), rig.number("+/b")]
    rig.reconnect(kept=False)
    rig.settle()
    assert sorted(rig.asked()) == sorted(before)
    assert rig.asked("a/+") == [("a/+", 0, True), ("a/+", 1, False)]
    assert {rig.number("a/+"), rig.number("+/b")}.isdisjoint({0, *numbers})
    assert set(rig.store.filters) == {"a/+", "+/b", SYS}


def test_a_session_nobody_wrote_down_loses_what_is_held_by_default() -> None:
    """P32: after an upgrade, or an emptied Redis, # may still be held although it is not wanted."""
    rig = Rig("a/#")
    rig.broker.held = {"#": Wanted("#", 1)}
    rig.open(kept=True)
    rig.settle()
    assert set(rig.broker.held) == {"a/#", SYS}
    assert rig.asked("a/#")[0] == ("a/#", 0, True)


def test_while_redis_is_away_filters_go_on() -> None:
    """P02: the book is written when Redis is back; nothing waits for it."""
    rig = settled("a/#")
    rig.store.fails = True
    rig.want("b/#")
    rig.settle()
    assert "b/#" in rig.broker.held
    assert "b/#" not in rig.store.filters
    rig.store.fails = False
    rig.settle()
    assert rig.store.filters["b/#"].rank > 0


def test_what_was_asked_for_once_more_is_given_up_after_a_kill() -> None:
    """P47: a bridge that died while it crawled leaves no filter behind that doubles messages."""
    rig = settled("#")
    rig.reconciler.identify_all(on=True)
    rig.settle(1)
    rig.reconciler.borrow("a/#")
    rig.broker.process()
    assert "a/#" in rig.broker.held
    rig.restart("#")
    rig.settle(1)
    assert set(rig.broker.held) == {"#", SYS}


# Steps ---------------------------------------------------------------------------------------


def test_a_wider_filter_replaces_a_narrower_one_only_when_it_is_live() -> None:
    """P37: until the wider one is granted at QoS 1, or when it is refused, nothing is given up."""
    rig = settled("a/#")
    rig.broker.refused = {"#", "+/#"}
    rig.want("#")
    for number in range(20):
        rig.broker.publish(number, "a/1", 1)
        rig.turn(0.2)
    assert [(copy.number, copy.qos) for copy in rig.heard] == [(n, 1) for n in range(20)]
    rig.broker.refused = set()
    for number in range(20, 1_400):
        rig.broker.publish(number, "a/1", 1)
        rig.turn(0.5)
    assert {copy.number for copy in rig.heard if copy.qos == 1} == set(range(1_400))
    assert set(rig.broker.held) in ({"#", SYS}, {"+/#", SYS})


def test_live_retained_traffic_does_not_prolong_the_first_step() -> None:
    """P45: devices that publish retained all the time do not keep the bridge at QoS 0 for 30 s."""
    rig = Rig("a/#")
    rig.broker.retained = {f"a/{number}" for number in range(500)}
    rig.open()
    rig.turn()
    turns = 0
    while not rig.reconciler.settled:
        rig.broker.process()
        rig.reconciler.ear.hear([retained(number) for number in range(turns % 7, 500, 7)])
        rig.turn(0.1)
        turns += 1
    assert turns <= 10


def test_a_snapshot_that_goes_on_prolongs_the_first_step() -> None:
    """P45: as long as topics come that had not come before, QoS 1 waits, for 30 s at most."""
    rig = Rig("a/#")
    rig.open()
    rig.turn()
    for turn in range(290):
        rig.reconciler.ear.hear([retained(turn)])
        rig.turn(0.1)
        assert rig.asked("a/#") == [("a/#", 0, True)]
    for turn in range(290, 310):
        rig.reconciler.ear.hear([retained(turn)])
        rig.turn(0.1)
    assert rig.asked("a/#")[-1] == ("a/#", 1, False)


def test_a_shared_subscription_is_one_step() -> None:
    """A share brings no retained messages (MQTT 5.0, 4.8.2), so there is nothing to wait for."""
    rig = settled("$share/g/#")
    assert rig.asked("$share/g/#") == [("$share/g/#", 1, False)]
    assert rig.reconciler.problems() == []
    assert not rig.reconciler.sees_everything
    rig.want("a/#")
    rig.settle()
    assert set(rig.broker.held) == {"$share/g/#", "a/#", SYS}
    for number, mine in enumerate([True, False]):
        rig.broker.publish(number, "a/1", 1, mine=mine)
        rig.broker.publish(number + 10, "b/1", 1, mine=mine)
    rig.read()
    assert sorted(copy.number for copy in rig.heard) == [0, 1, 10]


def test_with_311_there_is_one_step() -> None:
    """P50: MQTT 3.1.1 has no Retain Handling and no identifiers."""
    rig = Rig("a/+", "+/b")
    rig.open(protocol5=False)
    rig.settle()
    assert rig.asked("a/+") == [("a/+", 1, True)]
    assert rig.number("a/+") == 0


# Work and order ------------------------------------------------------------------------------


def test_a_thousand_filters_cost_nothing_while_nothing_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Filters are compared when one comes or goes, and each with the few it can touch."""
    rig = Rig("x/#", *(f"site/{number}/+/temperature" for number in range(998)))
    rig.open()
    calls = 0

    def counted(name: str) -> None:
        plain = getattr(topics, name)

        def call(one: str, other: str) -> bool:
            nonlocal calls
            calls += 1
            return bool(plain(one, other))

        monkeypatch.setattr(topics, name, call)

    for name in ("contains", "overlap", "matches"):
        counted(name)
    rig.reconciler.sync()
    assert calls < 10_000, "a thousand filters, each against all, would be a million"
    calls = 0
    for number in range(100):
        rig.clock.advance(0.2)
        rig.reconciler.sync()
        rig.subscriptions.accepts(f"site/{number}/1/temperature")
        rig.subscriptions.accepts(f"elsewhere/{number}")
    assert calls < 500


class HesitantBroker(ModelBroker):
    """Takes a SUBSCRIBE late, so that an UNSUBSCRIBE can overtake it."""

    overtaken: threading.Event | None = None

    def subscribe(self, wanted: list[Wanted]) -> None:
        if self.overtaken is not None:
            self.overtaken.wait(0.5)
        super().subscribe(wanted)

    def unsubscribe(self, filters: list[str]) -> None:
        super().unsubscribe(filters)
        if self.overtaken is not None:
            self.overtaken.set()


def test_what_two_threads_send_keeps_its_order() -> None:
    """P46, P48: what one thread asks for and another gives up is given up in the end."""
    broker = HesitantBroker(topics.matches)
    rig = Rig("x/#", broker=broker)
    rig.open()
    rig.settle()
    broker.overtaken = threading.Event()
    rig.want("a/#")
    first = threading.Thread(target=rig.reconciler.sync)
    first.start()
    wait_for(lambda: "a/#" in rig.store.filters, "the first thread is about to ask")
    rig.subscriptions.unwant("a/#", None)
    rig.reconciler.sync()
    first.join()
    rig.settle()
    assert set(rig.broker.held) == {"x/#", SYS}
