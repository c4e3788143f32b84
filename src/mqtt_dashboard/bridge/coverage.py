"""Which filters to hold at the broker so that all that is wanted comes, and nothing needlessly.

The ladder: ``#``; where a broker refuses that to everybody, ``+/#``, which matches the same topics
(EMQX does); where it refuses this too, the narrower filters somebody wants.

A shared subscription (``$share/<group>/<filter>``) brings a part of the messages only. It stands
for itself: it contains nothing, and nothing contains it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from mqtt_dashboard.contract import topics
from mqtt_dashboard.contract.filter_index import FilterIndex

FALLBACK: Final = {"#": "+/#"}
# Either brings every topic that does not begin with $.
EVERYTHING: Final = frozenset({"#", "+/#"})


def inner(topic_filter: str) -> str:
    """Return what a filter matches by, without the group of a shared subscription."""
    return topics.split_shared(topic_filter)[1]


def is_shared(topic_filter: str) -> bool:
    """Tell whether a filter is a shared subscription."""
    return topic_filter.startswith("$share/")


def to_hold(wanted: Mapping[str, int], refused: AbstractSet[str] = frozenset()) -> dict[str, int]:
    """Return what to ask the broker for: filter to QoS, none inside another it may grant.

    What the broker has ``refused`` makes nothing needless. It is in the answer only while nothing
    else brings its topics, and is then worth asking for again.
    """
    asked = dict(wanted)
    for one in FALLBACK.keys() & refused & wanted.keys():
        asked.setdefault(FALLBACK[one], wanted[one])
    outer = FilterIndex(one for one in asked if one not in refused and not is_shared(one))
    return {one: qos for one, qos in asked.items() if is_shared(one) or not _needless(one, outer)}


def crossing(filters: Iterable[str]) -> set[str]:
    """Return the filters that overlap with another one: a message may come for each of them."""
    spelled: dict[str, list[str]] = defaultdict(list)
    for one in filters:
        spelled[inner(one)].append(one)
    index = FilterIndex(spelled)
    return {
        one
        for bare, same in spelled.items()
        if len(same) > 1 or any(other != bare for other in index.overlapping(bare))
        for one in same
    }


def _needless(one: str, outer: FilterIndex) -> bool:
    others = (other for other in outer.containing(one) if other != one)
    # A refused filter is not in the index: whatever contains it will do.
    return any(one not in outer or _wins(other, one) for other in others)


def _wins(other: str, one: str) -> bool:
    """Tell whether a filter that contains another is the one to hold: of two equals the shorter."""
    return not topics.contains(one, other) or (len(other), other) < (len(one), one)
