"""G19: pairs of granted and wanted filters by the hundred thousand, decided by brute force, too.

Filters of up to three levels over a small alphabet, and every topic that can tell them apart; what
a filter matches is one bit per topic, so that a whole union is compared at once.
"""

import itertools
import random

import pytest

from mqtt_dashboard.contract.policy import union_contains
from tests.property.test_topics import oracle

LEVELS = ("", "a", "b", "$x", "+")
# "z" and "$z" are in no filter: they stand for all the levels nobody thought of.
TOPIC_LEVELS = ("", "a", "b", "$x", "z", "$z")
FILTERS = tuple(
    text
    for length in range(4)
    for parts in itertools.product(LEVELS, repeat=length)
    for tail in ((), ("#",))
    if (text := "/".join((*parts, *tail)))
)
# One level more than any filter has: what is deeper cannot be told apart from that.
TOPICS = tuple(
    text
    for length in range(1, 5)
    for parts in itertools.product(TOPIC_LEVELS, repeat=length)
    if (text := "/".join(parts))
)


@pytest.mark.parametrize(
    ("pairs", "seed"), [(200_000, 19), pytest.param(1_000_000, 20, marks=pytest.mark.chaos)]
)
def test_g19_unions_agree_with_brute_force(pairs: int, seed: int) -> None:
    """G19: contained exactly when no topic of the wanted filter is outside of all granted ones."""
    matched = [
        sum(1 << place for place, topic in enumerate(TOPICS) if oracle(one, topic))
        for one in FILTERS
    ]
    chosen, numbers = random.Random(seed), range(len(FILTERS))
    wrong: list[tuple[list[str], str]] = []
    contained = 0
    for _ in range(pairs):
        wanted = chosen.randrange(len(FILTERS))
        granted = chosen.choices(numbers, k=chosen.randrange(1, 5))
        covered = 0
        for one in granted:
            covered |= matched[one]
        expected = matched[wanted] & ~covered == 0
        contained += expected
        names = [FILTERS[one] for one in granted]
        if union_contains(names, FILTERS[wanted]) != expected:
            wrong.append((names, FILTERS[wanted]))
    assert wrong == [], f"{len(wrong)} of {pairs}, the first {wrong[:5]}"
    # Both answers are asked for often enough to mean something.
    assert pairs // 50 < contained < pairs // 2
