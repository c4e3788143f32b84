"""Which of many filter sets a topic belongs to, answered from a bounded cache.

The answer for a topic is kept until a set comes or goes.
"""

from collections import defaultdict
from typing import Final

from mqtt_dashboard.contract import topics
from mqtt_dashboard.contract.filter_index import FilterIndex
from mqtt_dashboard.contract.name_cache import NameCache

CACHE_BYTES: Final = 4 * 1024 * 1024

FilterSet = frozenset[str]


class Matcher:
    """Filter sets, and for each topic those that match it."""

    def __init__(self) -> None:
        self._index = FilterIndex()
        self._sets: dict[str, set[FilterSet]] = defaultdict(set)
        self._cache: NameCache[tuple[FilterSet, ...]] = NameCache(CACHE_BYTES)

    def add(self, filters: FilterSet) -> None:
        """Take a filter set into account."""
        for one in filters:
            self._index.add(one)
            self._sets[one].add(filters)
        self._cache.clear()

    def remove(self, filters: FilterSet) -> None:
        """Forget a filter set."""
        for one in filters:
            self._sets[one].discard(filters)
            if not self._sets[one]:
                del self._sets[one]
                self._index.discard(one)
        self._cache.clear()

    def match(self, topic: str) -> tuple[FilterSet, ...]:
        """Return the filter sets that match a topic, each once."""
        found = self._cache.get(topic)
        if found is None:
            matching = self._index.matching(topic)
            sets = {filters for one in matching for filters in self._sets[one]}
            found = self._cache.keep(topic, tuple(sets))
        return found


def names_in(filters: FilterSet) -> frozenset[str]:
    """Return the filters without wildcards: topics that are watched by their exact name."""
    return frozenset(one for one in filters if not _is_wild(one))


def matches_any(filters: FilterSet, topic: str) -> bool:
    """Tell whether a topic matches at least one filter."""
    return any(topics.matches(one, topic) for one in filters)


def _is_wild(topic_filter: str) -> bool:
    return "+" in topic_filter or "#" in topic_filter
