"""What is held at the broker, against an oracle: every message comes, and counts once.

The oracle knows matching from the words of the standard alone; see `test_topics.oracle`.
"""

from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mqtt_dashboard.bridge.reconciler import Reconciler
from mqtt_dashboard.bridge.subscriptions import SYSTEM_FILTER, Subscriptions
from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.mqtt.client import Session, Wanted
from tests.property.test_topics import ALL_TOPICS, oracle

FILTERS = ["#", "+", "+/#", "a", "a/#", "a/+", "+/b", "a/b", "/+", "+/+", "b/#", "$x/#", "$x/+/b"]
TOPICS = [topic for topic in ALL_TOPICS if topic.count("/") <= 2] + ["$SYS/a", "$SYS/a/b"]

chosen = st.sampled_from(FILTERS)
owners = st.sampled_from([None, "worker-1", "worker-2"])
wants = st.tuples(st.just("want"), chosen, owners, st.integers(1, 20))
unwants = st.tuples(st.just("unwant"), chosen, owners, st.just(0))
moments = st.tuples(st.just("expire"), st.just(""), st.none(), st.integers(1, 20))
calls = st.lists(st.one_of(wants, wants, unwants, moments), max_size=25)
always = st.lists(st.sampled_from(["#", "a/#", "a/b", "b/#"]), max_size=2, unique=True)
Call = tuple[str, str, str | None, int]


@dataclass
class Oracle:
    """Every reference by itself: the unnamed ones of a filter, and the end of each named one."""

    always: list[str]
    unnamed: dict[str, int] = field(default_factory=dict)
    named: dict[tuple[str, str], int] = field(default_factory=dict)

    def apply(self, call: Call) -> None:
        kind, name, owner, time = call
        if kind == "expire":
            self.named = {who: until for who, until in self.named.items() if until > time}
        elif owner is not None:
            if kind == "want":
                self.named[name, owner] = time
            else:
                self.named.pop((name, owner), None)
        else:
            step = 1 if kind == "want" else -1
            self.unnamed[name] = max(0, self.unnamed.get(name, 0) + step)

    @property
    def wanted(self) -> set[str]:
        counted = {name for name, count in self.unnamed.items() if count}
        return {*self.always, *counted, *(name for name, _owner in self.named)}


def apply(subscriptions: Subscriptions, call: Call) -> None:
    kind, name, owner, time = call
    if kind == "want":
        subscriptions.want(name, 1, owner, time)
    elif kind == "unwant":
        subscriptions.unwant(name, owner)
    else:
        subscriptions.expire(time)


def matched(filters: set[str], topic: str) -> bool:
    return any(oracle(one, topic) for one in filters)


class ModelBroker:
    """Holds subscriptions as MQTT 5 says, and grants them at once."""

    def __init__(self) -> None:
        self.held: dict[str, Wanted] = {}
        self.answers: list[tuple[str, int]] = []

    def subscribe(self, wanted: list[Wanted]) -> None:
        for entry in wanted:
            self.held[entry.filter] = entry
            self.answers.append((entry.filter, entry.qos))

    def unsubscribe(self, filters: list[str]) -> None:
        for name in filters:
            del self.held[name]

    def copies(self, topic: str, *, one_each: bool) -> list[tuple[int, ...]]:
        """Return the identifiers of each copy: one a subscription, or one with all of them."""
        numbers = [entry.identifier for name, entry in self.held.items() if oracle(name, topic)]
        if one_each or not numbers:
            return [(number,) if number else () for number in numbers]
        return [tuple(number for number in numbers if number)]


@settings(max_examples=100, deadline=None)
@given(always, calls, st.booleans(), st.booleans())
@example([], [("want", "a/+", None, 1), ("want", "+/b", None, 1)], True, False)
def test_every_message_once(
    fixed: list[str], steps: list[Call], one_each: bool, resumed: bool
) -> None:
    """Whatever overlaps, and however the broker sends copies, each message counts once (P47)."""
    clock, broker = ManualClock(), ModelBroker()
    subscriptions, expected = Subscriptions(fixed), Oracle(fixed)
    reconciler = Reconciler(subscriptions, broker, clock)
    reconciler.opened(Session(protocol="5.0", session_present=resumed))
    for step in steps:
        apply(subscriptions, step)
        expected.apply(step)
        for _ in range(3):
            reconciler.sync()
            while broker.answers:
                name, qos = broker.answers.pop()
                reconciler.granted(name, qos, None)
            clock.advance(1.0)
        assert reconciler.settled
        assert set(broker.held) == set(subscriptions.desired())
        for topic in TOPICS:
            copies = broker.copies(topic, one_each=one_each)
            counted = [copy for copy in copies if not reconciler.is_copy(topic, copy)]
            wanted = matched(expected.wanted, topic) or oracle(SYSTEM_FILTER, topic)
            assert len(counted) == wanted
