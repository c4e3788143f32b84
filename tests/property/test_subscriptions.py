"""References to filters against a naive account: what is wanted is held, once, and nothing else."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mqtt_dashboard.bridge.subscriptions import Subscriptions
from mqtt_dashboard.contract.messages import WantedFilter

LEVELS = ["a", "b", "+", "#", "$SYS", ""]
TOPICS = ["a", "b", "a/b", "a/", "/a", "a/b/a", "$SYS/a", "$SYS", "", "b/b"]
ALWAYS = "a/b/#"
OWNERS = ["one", "two"]

levels = st.lists(st.sampled_from(LEVELS), min_size=1, max_size=3)
filters = levels.map("/".join).filter(lambda text: text and "#" not in text[:-1])


def naive_match(topic_filter: str, topic: str) -> bool:
    """Match by MQTT 5.0, 4.7, level by level, written for reading only."""
    if topic.startswith("$") and not topic_filter.startswith("$"):
        return False
    wanted, given = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        if len(given) < len(wanted):
            return False
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(
        one in ("+", other) for one, other in zip(wanted, given, strict=True)
    )


class References(RuleBasedStateMachine):
    """Any sequence of wants, unwants, expiries and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = Subscriptions([ALWAYS])
        self.stored: dict[str, WantedFilter] = {}
        self.counted: Counter[str] = Counter()
        self.owned: dict[tuple[str, str], float] = {}
        self.now = 0.0

    @rule(one=filters)
    def want(self, one: str) -> None:
        self.stored[one] = self.filters.want(one, 0, None, 0)
        self.counted[one] += 1

    @rule(one=filters, owner=st.sampled_from(OWNERS), hold=st.integers(1, 5))
    def want_named(self, one: str, owner: str, hold: int) -> None:
        self.stored[one] = self.filters.want(one, 1, owner, self.now + hold)
        self.owned[one, owner] = self.now + hold

    @rule(one=filters, owner=st.sampled_from([None, *OWNERS]))
    def unwant(self, one: str, owner: str | None) -> None:
        left = self.filters.unwant(one, owner)
        if owner is None:
            self.counted[one] = max(0, self.counted[one] - 1)
        else:
            self.owned.pop((one, owner), None)
        self._store(one, left)

    @rule(seconds=st.integers(1, 4))
    def expire(self, seconds: int) -> None:
        self.now += seconds
        for one in self.filters.expire(self.now):
            self.stored.pop(one, None)
        self.owned = {key: end for key, end in self.owned.items() if end > self.now}

    @rule()
    def restart(self) -> None:
        """Another life of the bridge knows what was stored, and nothing else."""
        self.filters = Subscriptions([ALWAYS])
        self.filters.restore(self.stored.values())

    def _store(self, one: str, left: WantedFilter | None) -> None:
        if left is None:
            self.stored.pop(one, None)
        else:
            self.stored[one] = left

    @property
    def wanted(self) -> set[str]:
        named = {one for one, _ in self.owned}
        return {ALWAYS} | named | {one for one, count in self.counted.items() if count}

    @invariant()
    def accepts_what_somebody_wants(self) -> None:
        for topic in TOPICS:
            expected = any(naive_match(one, topic) for one in self.wanted)
            assert self.filters.accepts(topic) == expected, topic

    @invariant()
    def holds_it_at_the_broker_and_no_more(self) -> None:
        held = self.filters.desired()
        for topic in TOPICS:
            expected = any(naive_match(one, topic) for one in [*self.wanted, "$SYS/#"])
            assert any(naive_match(one, topic) for one in held) == expected, topic
        assert set(held) <= self.wanted | {"$SYS/#"}


TestReferences = References.TestCase
TestReferences.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
