"""Which of several copies of a message counts, where filters overlap crosswise.

A broker may send a message once for each filter that matches it (``a/+`` and ``+/b``), with the
subscription identifiers it was sent for (P47). Never may all of them be left out, so a copy is left
out only when the copy of another filter is certain to come, or to have come:

- the other one was granted, and is neither refused nor given up since;
- it has the better place. Live filters come first, in the order in which they became live: what
  waits at the broker since before a filter was there comes for the older ones only;
- a copy at QoS 1 yields to live filters only, never to one that is still at QoS 0;
- the topic matches, for both. Where a broker rewrites topics, identifiers prove nothing.

A shared subscription brings a part of the messages, so no copy yields to it.
"""

import threading

from mqtt_dashboard.bridge.broker_filter import BrokerFilter
from mqtt_dashboard.contract.filter_index import FilterIndex
from mqtt_dashboard.contract.name_cache import NameCache

# The identifiers that yield, of messages at QoS 0 and at QoS 1.
Yielding = tuple[frozenset[int], frozenset[int]]

NONE: Yielding = (frozenset(), frozenset())


class Copies:
    """The filters with an identifier. ``lock`` guards them; their fields change under it too."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._filters: dict[str, list[BrokerFilter]] = {}
        self._index = FilterIndex()
        self._yielding: NameCache[Yielding] = NameCache()
        # Many topics have the same answer, which is kept once.
        self._answers: dict[Yielding, Yielding] = {}

    def is_copy(self, topic: str, identifiers: tuple[int, ...], qos: int) -> bool:
        """Tell whether a message with these identifiers is a copy to be left out."""
        yielding = self._yielding.get(topic)
        if yielding is None:
            with self._lock:
                yielding = self._yielding.keep(topic, self._judge(topic))
        return bool(identifiers) and yielding[qos > 0].issuperset(identifiers)

    def add(self, one: BrokerFilter) -> None:
        """Take a filter in that has an identifier now."""
        self._index.add(one.inner)
        self._filters.setdefault(one.inner, []).append(one)
        self.changed()

    def remove(self, one: BrokerFilter) -> None:
        """Leave a filter out that is being given up."""
        same = self._filters.get(one.inner, [])
        if one in same:
            same.remove(one)
            if not same:
                del self._filters[one.inner]
                self._index.discard(one.inner)
            self.changed()

    def clear(self) -> None:
        """Forget all filters."""
        self._filters.clear()
        self._index = FilterIndex()
        self.changed()

    def changed(self) -> None:
        """Judge anew: a filter was granted, refused or given up."""
        self._yielding.clear()
        self._answers.clear()

    def _judge(self, topic: str) -> Yielding:
        matching = [one for bare in self._index.matching(topic) for one in self._filters[bare]]
        if len(matching) < 2:
            return NONE
        certain = [one for one in matching if one.confirmed and not one.shared]
        live = [one for one in certain if one.live]
        answer = _after(matching, certain), _after(matching, live)
        return self._answers.setdefault(answer, answer)


def _after(matching: list[BrokerFilter], certain: list[BrokerFilter]) -> frozenset[int]:
    if not certain:
        return frozenset()
    best = min(one.place for one in certain)
    return frozenset(one.number for one in matching if one.place > best)
