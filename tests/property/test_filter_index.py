"""The index over many filters, against the same questions asked of each filter by itself."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_dashboard.contract.filter_index import DEPTH, FilterIndex
from mqtt_dashboard.contract.topics import contains, overlap
from tests.property.test_topics import ALL_TOPICS, filters, oracle, topics

# Beyond the levels of the tree, and right at its end.
deep = st.builds(
    lambda lead, level, tail: "/".join(["a"] * lead + [level, *tail]),
    st.integers(DEPTH - 3, DEPTH + 1),
    st.sampled_from(["a", "b", "+"]),
    st.sampled_from([[], ["#"], ["+"], ["a"]]),
)
deep_topics = st.builds(
    lambda lead, tail: "/".join(["a"] * lead + tail),
    st.integers(DEPTH - 2, DEPTH + 3),
    st.sampled_from([[], ["b"], ["b", "a"]]),
)
some_filters = st.lists(st.one_of(filters, deep), max_size=12)


@settings(max_examples=300, deadline=None)
@given(some_filters, some_filters, st.one_of(topics, deep_topics))
def test_matching_agrees_with_the_oracle(kept: list[str], gone: list[str], topic: str) -> None:
    """Exactly the filters that are still there and match are found, each once (P19)."""
    index = FilterIndex([*kept, *gone])
    for one in gone:
        index.discard(one)
    left = set(kept) - set(gone)
    assert sorted(index.matching(topic)) == sorted(one for one in left if oracle(one, topic))
    assert len(index) == len(left)
    assert all((one in index) == (one in left) for one in [*kept, *gone])


@settings(max_examples=300, deadline=None)
@given(some_filters, st.one_of(filters, deep))
def test_containing_and_overlapping_agree_with_each_filter(kept: list[str], other: str) -> None:
    """What contains a filter, and what overlaps with it, is found as if each was asked."""
    index = FilterIndex(kept)
    assert sorted(index.containing(other)) == sorted(
        one for one in set(kept) if contains(one, other)
    )
    assert sorted(index.overlapping(other)) == sorted(
        one for one in set(kept) if overlap(one, other)
    )


@settings(max_examples=200, deadline=None)
@given(filters, filters)
def test_overlap_agrees_with_brute_force(one: str, other: str) -> None:
    """Two filters overlap exactly when some topic matches both."""
    every = [*ALL_TOPICS, *(topic.replace("b", "zz") for topic in ALL_TOPICS[:400])]
    expected = any(oracle(one, topic) and oracle(other, topic) for topic in every)
    assert overlap(one, other) == expected


def test_a_filter_of_many_levels_costs_its_text_only() -> None:
    """A hundred filters of 30,000 levels each are taken in and given up in no time."""
    index = FilterIndex(f"{number}/" + "a/" * 30_000 + "#" for number in range(100))
    assert len(index.matching("7/" + "a/" * 30_000 + "b")) == 1
    for number in range(100):
        index.discard(f"{number}/" + "a/" * 30_000 + "#")
    assert index.matching("7/" + "a/" * 30_000 + "b") == []
