"""Which of many filter sets a topic belongs to, answered from a bounded cache.

Filters without wildcards are looked up, the others are tried one by one; the answer for a topic is
kept until a set comes or goes.
"""

from collections import defaultdict
from typing import Final

from mqtt_dashboard.contract import topics

CACHED_TOPICS: Final = 20_000

FilterSet = frozenset[str]


class Matcher:
    """Filter sets, and for each topic those that match it."""

    def __init__(self) -> None:
        self._exact: dict[str, set[FilterSet]] = defaultdict(set)
        self._wild: dict[str, set[FilterSet]] = defaultdict(set)
        self._cache: dict[str, tuple[FilterSet, ...]] = {}

    def add(self, filters: FilterSet) -> None:
        """Take a filter set into account."""
        for one in filters:
            self._table(one)[one].add(filters)
        self._cache.clear()

    def remove(self, filters: FilterSet) -> None:
        """Forget a filter set."""
        for one in filters:
            table = self._table(one)
            table[one].discard(filters)
            if not table[one]:
                del table[one]
        self._cache.clear()

    def match(self, topic: str) -> tuple[FilterSet, ...]:
        """Return the filter sets that match a topic, each once."""
        found = self._cache.get(topic)
        if found is None:
            found = self._search(topic)
            if len(self._cache) >= CACHED_TOPICS:
                self._cache.clear()
            self._cache[topic] = found
        return found

    def _search(self, topic: str) -> tuple[FilterSet, ...]:
        found = set(self._exact.get(topic, ()))
        for pattern, sets in self._wild.items():
            if topics.matches(pattern, topic):
                found |= sets
        return tuple(found)

    def _table(self, topic_filter: str) -> dict[str, set[FilterSet]]:
        return self._wild if _is_wild(topic_filter) else self._exact


def names_in(filters: FilterSet) -> frozenset[str]:
    """Return the filters without wildcards: topics that are watched by their exact name."""
    return frozenset(one for one in filters if not _is_wild(one))


def matches_any(filters: FilterSet, topic: str) -> bool:
    """Tell whether a topic matches at least one filter."""
    return any(topics.matches(one, topic) for one in filters)


def _is_wild(topic_filter: str) -> bool:
    return "+" in topic_filter or "#" in topic_filter
