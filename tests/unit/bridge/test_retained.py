"""What is said of the broker's retained messages, and what a crawl finds."""

import tracemalloc

import pytest

from mqtt_dashboard.bridge.retained import RetainedWatch
from mqtt_dashboard.bridge.session_filters import CRAWL_IDENTIFIER
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.contract.messages import LogMessage, RetainedCensus
from mqtt_dashboard.mqtt.client import Incoming, Session
from tests.support.model_broker import Answer, Copy
from tests.support.reconciler_rig import Rig, incoming

KEPT = {f"kept/{number}" for number in range(5)}


class House(Rig):
    """A bridge whose index is kept over restarts; ``hidden`` is counted by the broker, not sent."""

    def __init__(self, *always: str, retained: set[str] | None = None) -> None:
        super().__init__(*always)
        self.broker.retained = set(KEPT if retained is None else retained)
        self.hidden = 0
        self.queued = 0
        self.index = TopicIndex(1000, 100, 100_000)
        self.watch = self._watch()

    def begin(self, *, kept: bool = False, protocol5: bool = True) -> None:
        """Connect, and let everything come to rest."""
        self.open(kept=kept, protocol5=protocol5)
        version = "5.0" if protocol5 else "3.1.1"
        session = Session(version, kept, subscription_ids_available=protocol5)  # type: ignore[arg-type]
        self.watch.opened(session)
        self.rest()

    def rest(self, seconds: float = 60.0) -> None:
        for _ in range(round(seconds / 0.5)):
            self.turn(0.5)
            self.watch.turn()

    def come_back(self, *always: str) -> None:
        """Let another bridge find the session kept."""
        self.restart(*always)
        self.watch = self._watch()
        self.begin(kept=True)

    def read(self) -> None:
        while (event := self.broker.take()) is not None:
            if isinstance(event, Answer):
                self.reconciler.granted(event.filter, event.qos, event.error)
            elif not self._is_copy(event):
                self.note(event.topic)

    def note(self, topic: str, payload: bytes = b"x") -> None:
        message = LogMessage(topic, payload, 0, True, False, self.clock.now())
        self.index.note([message])

    @property
    def census(self) -> RetainedCensus:
        assert self.watch.state is not None
        return self.watch.state

    @property
    def crawling(self) -> bool:
        return self.census.state == "crawling"

    def _is_copy(self, event: Copy) -> bool:
        if event.identifiers == (CRAWL_IDENTIFIER,):
            return self.watch.asked_again(incoming(event))
        return self.reconciler.is_copy(event.topic, event.identifiers, event.qos)

    def _watch(self) -> RetainedWatch:
        return RetainedWatch(
            self.index,
            self.reconciler,
            lambda: len(self.broker.retained) + self.hidden,
            lambda: self.queued,
            self.clock,
        )


def test_what_was_cleared_unseen_is_not_shown_as_retained_for_ever() -> None:
    """P29: cleared while the bridge was away: a crawl finds out, and nothing is called short."""
    house = House("#")
    house.begin()
    assert house.census.state == "complete"
    house.broker.retained -= {"kept/0", "kept/3"}
    house.come_back("#")
    assert (house.census.state, house.census.missing) == ("complete", 0)
    assert [one for one in sorted(KEPT) if house.index.is_retained(one)] == [
        "kept/1",
        "kept/2",
        "kept/4",
    ]


def test_cleared_and_missing_ones_do_not_hide_each_other() -> None:
    """P29: some were cleared and others came while the bridge was away: both are found."""
    house = House("#")
    house.begin()
    house.broker.retained -= {"kept/0", "kept/1"}
    house.broker.retained |= {"new/0", "new/1", "new/2"}
    house.come_back("#")
    assert house.census.state == "complete"
    assert not house.index.is_retained("kept/0")
    assert house.index.is_retained("new/2")


def test_a_crawl_that_was_cut_off_takes_nothing_back() -> None:
    """P29: what a refused branch would have confirmed stays; unknown is not short."""
    house = House("#")
    house.begin()
    house.broker.retained.discard("kept/0")
    house.broker.refused = {"kept/#", "+/+"}
    house.come_back("#")
    assert (house.census.state, house.census.missing) == ("unknown", -1)
    assert "cleared unseen" in house.census.reason
    assert all(house.index.is_retained(one) for one in KEPT)


def test_a_crawl_waits_for_what_it_found() -> None:
    """P29: what still waits for Redis is not in the index yet and must not be taken back."""
    house = House("#")
    house.begin()
    house.broker.retained.discard("kept/0")
    house.queued = 1
    house.come_back("#")
    assert house.index.is_retained("kept/0")
    house.queued = 0
    house.rest()
    assert not house.index.is_retained("kept/0")


def test_a_retained_message_below_another_dollar_level_is_named_as_a_reason() -> None:
    """P29: # does not match $foo, and the broker counts it: not only access rules hide messages."""
    house = House("#", retained=KEPT | {"$foo/x"})
    house.begin()
    assert (house.census.state, house.census.missing) == ("short", 1)
    assert "begins with $" in house.census.reason
    assert "access rules" in house.census.reason


def test_watched_system_topics_count_once() -> None:
    """P29: who watches $SYS puts its topics into the index; the broker counts them once."""
    house = House("#", retained=KEPT | {"$SYS/broker/version"})
    house.begin()
    message = Incoming("$SYS/broker/version", b"1", 0, True, False, None, 0)
    house.watch.system(message, forwarded=True)
    house.note("$SYS/broker/version")
    house.rest(20)
    assert (house.census.state, house.census.seen, house.census.system) == ("complete", 5, 1)
    assert house.census.crawled == 0


def test_with_311_more_known_ones_are_unknown_not_short() -> None:
    """P29, P50: without Retain Handling nothing can be asked again, and nothing is missing."""
    house = House("#")
    house.begin(protocol5=False)
    house.broker.retained.discard("kept/0")
    house.rest()
    assert (house.census.state, house.census.missing) == ("unknown", -1)


def test_a_refused_filter_is_no_shortfall() -> None:
    """P29: with # and +/# refused the bridge sees a part, and says so."""
    house = House("#", "kept/#")
    house.broker.refused = {"#", "+/#"}
    house.hidden = 3
    house.begin()
    assert house.census.state == "unknown"
    assert "only a part" in house.census.reason


def test_names_of_system_topics_are_not_kept_whatever_their_length() -> None:
    """Names of 64 KiB below $ are counted without holding them."""
    house = House("#")
    tracemalloc.start()
    try:
        for number in range(2_000):
            topic = f"$SYS/{number}/" + "x" * 60_000
            message = Incoming(topic, b"1", 0, True, False, None, 0)
            house.watch.system(message, forwarded=True)
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
    finally:
        tracemalloc.stop()
    house.watch.opened(Session("5.0", session_present=False))


@pytest.mark.parametrize("live", [b"", b"y"])
def test_what_happens_during_a_crawl_counts(live: bytes) -> None:
    """P29: a value cleared or set live while the crawl runs is not overruled by it."""
    house = House("#")
    house.begin()
    house.broker.retained |= {"new/0"}
    house.restart("#")
    house.watch = house._watch()
    house.open(kept=True)
    house.watch.opened(Session("5.0", session_present=True))
    house.rest(15)
    assert house.crawling
    house.note("kept/1", live)
    if not live:
        house.broker.retained.discard("kept/1")
    house.rest()
    assert house.census.state == "complete"
    assert house.index.is_retained("kept/1") == bool(live)
