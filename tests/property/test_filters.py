"""What is held at the broker, against an oracle: every message comes, and counts once.

The oracle knows matching from the words of the standard alone; see `test_topics.oracle`. The broker
refuses, answers late, loses and keeps sessions, and holds QoS 1 messages back.
"""

from collections import Counter
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mqtt_dashboard.bridge.coverage import to_hold
from mqtt_dashboard.bridge.reconciler import Reconciler
from mqtt_dashboard.bridge.session_book import SessionBook
from mqtt_dashboard.bridge.subscriptions import SYSTEM_FILTER, Subscriptions
from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.contract.topics import split_shared
from mqtt_dashboard.mqtt.client import Session
from tests.property.test_topics import oracle
from tests.support.model_broker import Answer, Copy, MemoryStore, ModelBroker

# Those that cross are here more often, so that they meet.
FILTERS: Final = ["#", "+/#", "a/#", "a/b", "b/#", "$x/#", "$x/+/b", *["a/+", "+/b", "+/+"] * 3]
TOPICS: Final = ["a", "b", "a/a", "a/b", "b/b", "/b", "a/b/a", "b/a/b", "$x", "$x/a/b", "$SYS/a"]
PUBLISHED: Final = ["a", "b/b", "$x/b", "a/b/a", "$SYS/a", *["a/b"] * 7]
OWNERS: Final = [None, "worker-1", "worker-2"]

chosen = st.sampled_from(FILTERS)
fixed = st.lists(
    st.sampled_from(["#", "a/#", "a/b", "a/+", "+/b", "$share/g/#", "$share/g/a/+"]),
    max_size=3,
    unique=True,
)


class Filters(RuleBasedStateMachine):
    """Any sequence of wants, answers, refusals, lost connections and restarts."""

    @initialize(always=fixed, one_each=st.booleans(), firm=st.booleans(), kept=st.booleans())
    def begin(self, always: list[str], one_each: bool, firm: bool, kept: bool) -> None:
        self.clock = ManualClock()
        self.broker = ModelBroker(oracle, one_each, firm)
        self.store = MemoryStore()
        self.always = always
        self.subscriptions = Subscriptions(always)
        self.unnamed: Counter[str] = Counter()
        self.named: set[tuple[str, str]] = set()
        self.number = self.steps = 0
        self.topics: dict[int, str] = {}
        self.sent: dict[int, list[Copy]] = {}
        self.counted: Counter[int] = Counter()
        self.start()
        self.reconciler.opened(Session(protocol="5.0", session_present=kept))

    def start(self) -> None:
        """Let a new bridge begin, which knows what was written down."""
        book = SessionBook(self.store, "session", lambda: 1, self.clock)
        self.reconciler = Reconciler(self.subscriptions, self.broker, self.clock, book)
        self.reconciler.restore()

    @rule(one=chosen, owner=st.sampled_from(OWNERS))
    def want(self, one: str, owner: str | None) -> None:
        self.subscriptions.want(one, 1, owner, 10)
        if owner is None:
            self.unnamed[one] += 1
        else:
            self.named.add((one, owner))

    @rule(one=chosen, owner=st.sampled_from(OWNERS))
    def unwant(self, one: str, owner: str | None) -> None:
        self.subscriptions.unwant(one, owner)
        if owner is None:
            self.unnamed[one] = max(0, self.unnamed[one] - 1)
        else:
            self.named.discard((one, owner))

    @rule(one=chosen)
    def refuse(self, one: str) -> None:
        self.broker.refused.add(one)

    @rule()
    def permit(self) -> None:
        self.broker.refused.clear()

    @rule(seconds=st.sampled_from([0.1, 0.6, 6.0, 40.0]))
    def sync(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.reconciler.sync()

    @rule(most=st.integers(1, 4))
    def process(self, most: int) -> None:
        self.broker.process(most)

    @rule(most=st.integers(1, 5))
    def read(self, most: int) -> None:
        for _ in range(most):
            match self.broker.take():
                case Answer(name, qos, error):
                    self.reconciler.granted(name, qos, error)
                case Copy() as copy if not self.reconciler.is_copy(
                    copy.topic, copy.identifiers, copy.qos
                ):
                    self.counted[copy.number] += 1

    @rule(seconds=st.sampled_from([0.1, 0.6]))
    def turn(self, seconds: float) -> None:
        self.sync(seconds)
        self.process(1000)
        self.read(1000)

    @rule(full=st.booleans())
    def window(self, full: bool) -> None:
        self.broker.window_full = full

    @rule(topic=st.sampled_from(PUBLISHED), qos=st.integers(0, 1), mine=st.booleans())
    def publish(self, topic: str, qos: int, mine: bool = True) -> None:
        self.number += 1
        self.topics[self.number] = topic
        self.sent[self.number] = self.broker.publish(self.number, topic, qos, mine=mine)

    @rule(kept=st.booleans(), processed=st.integers(0, 3))
    def reconnect(self, kept: bool, processed: int) -> None:
        self.broker.process(processed)
        self.broker.lose_connection(kept=kept)
        self.reconciler.closed()
        self.clock.advance(1.0)
        self.reconciler.opened(Session(protocol="5.0", session_present=kept))

    @rule(kept=st.booleans(), processed=st.integers(0, 3))
    def restart(self, kept: bool, processed: int) -> None:
        self.broker.process(processed)
        self.broker.lose_connection(kept=kept)
        self.clock.advance(1.0)
        self.start()
        self.reconciler.opened(Session(protocol="5.0", session_present=kept))

    @rule(on=st.booleans())
    def identify_all(self, on: bool) -> None:
        self.reconciler.identify_all(on=on)

    @precondition(lambda self: self.steps > 10)
    @rule()
    def come_to_rest(self) -> None:
        """With nothing on its way, each message that somebody wants comes once, others do not."""
        self.steps = 0
        self.broker.window_full = False
        self.reconciler.identify_all(on=False)
        # What was refused is asked for again within five minutes.
        for seconds in [0.6] * 6 + [400.0] + [0.6] * 8:
            self.turn(seconds)
        assert self.reconciler.settled
        assert self.broker.quiet
        self.none_was_lost()
        first = self.number
        for topic in TOPICS:
            self.publish(topic, qos=1)
        self.read(10_000)
        for number in range(first + 1, self.number + 1):
            topic = self.topics[number]
            bare = [split_shared(name)[1] for name in self.broker.held if "$share" in name]
            shares = sum(oracle(one, topic) for one in bare)
            whole = any(oracle(one, topic) for one in self.broker.held)
            # Each group's share is a message of its own, unless all of them come by a plain filter.
            expected = 1 if whole or (shares and not self.broker.one_each) else shares
            # A broker that refuses a filter it had granted may go on sending what nobody asks for.
            if not self.broker.refused & self.broker.held.keys():
                assert self.counted[number] == expected, topic
            assert bool(self.counted[number]) == bool(expected), topic
            if not self.broker.refused:
                assert bool(self.counted[number]) == self.is_wanted(topic)
        if not self.broker.refused:
            # Where "#" was refused before, "+/#" will do.
            wanted = self.subscriptions.wanted()
            ladder = [set(to_hold(wanted)), set(to_hold(wanted, {"#"}))]
            assert set(self.broker.held) in ladder

    @invariant()
    def count_steps(self) -> None:
        self.steps = getattr(self, "steps", 0) + 1

    @invariant()
    def none_was_lost(self) -> None:
        """Of every message that was sent at least one copy counts, once all copies are read."""
        if not hasattr(self, "broker") or not self.broker.quiet:
            return
        lost = Counter(copy.number for copy in self.broker.lost)
        for number, copies in self.sent.items():
            at_qos_1 = any(copy.qos for copy in copies)
            # A broker that forgets the session forgets its messages.
            if copies and number not in self.broker.forgotten and (at_qos_1 or not lost[number]):
                assert self.counted[number], self.topics[number]

    def is_wanted(self, topic: str) -> bool:
        names = {split_shared(one)[1] for one in self.always} | {SYSTEM_FILTER}
        names |= {one for one, count in self.unnamed.items() if count}
        names |= {one for one, _owner in self.named}
        return any(oracle(one, topic) for one in names)


TestFilters = Filters.TestCase
TestFilters.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
