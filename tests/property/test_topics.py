"""Topics and filters against an oracle that knows nothing but the words of the standard."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_dashboard.contract.topics import (
    check_filter,
    check_topic,
    contains,
    matches,
    split_shared,
)
from mqtt_dashboard.errors import TopicError

LEVELS = ["", "a", "b", "$x"]
topics = st.lists(st.sampled_from(LEVELS), min_size=1, max_size=5).map("/".join).filter(bool)
filter_levels = st.lists(st.sampled_from([*LEVELS, "+"]), max_size=4)
filters = st.builds(
    lambda levels, tail: "/".join([*levels, *tail]),
    filter_levels,
    st.sampled_from([[], ["#"]]),
).filter(bool)

ALL_TOPICS = [
    topic
    for length in range(1, 6)
    for levels in itertools.product(LEVELS, repeat=length)
    if (topic := "/".join(levels))
]


def oracle(topic_filter: str, topic: str) -> bool:
    """Match level by level, recursively, as MQTT 5.0, 4.7.1 and 4.7.2 say it."""
    if topic[0] == "$" and topic_filter[0] in "#+":
        return False

    def walk(pattern: list[str], levels: list[str]) -> bool:
        if pattern == ["#"]:
            return True
        if not pattern or not levels:
            # "sport/#" also matches its parent "sport".
            return not levels and (not pattern or pattern == ["#"])
        return pattern[0] in ("+", levels[0]) and walk(pattern[1:], levels[1:])

    return walk(topic_filter.split("/"), topic.split("/"))


@settings(max_examples=400)
@given(filters, topics)
def test_matches_agrees_with_the_oracle(topic_filter: str, topic: str) -> None:
    """The matcher agrees with brute force, `$` and empty levels included (P19, P20)."""
    assert matches(topic_filter, topic) == oracle(topic_filter, topic)


@settings(max_examples=120, deadline=None)
@given(filters, filters)
def test_contains_agrees_with_brute_force(outer: str, inner: str) -> None:
    """One filter contains another exactly when no topic matches the inner one alone."""
    foreign = [topic.replace("b", "zz") for topic in ALL_TOPICS[:400]]
    every = [*ALL_TOPICS, *foreign]
    expected = all(oracle(outer, topic) for topic in every if oracle(inner, topic))
    assert contains(outer, inner) == expected


def test_the_standards_own_examples() -> None:
    """The examples of MQTT 5.0, 4.7 hold (P19, P20)."""
    assert matches("sport/tennis/player1/#", "sport/tennis/player1")
    assert matches("sport/+", "sport/")
    assert not matches("sport/+", "sport")
    assert matches("+/+", "/finance")
    assert not matches("+", "/finance")
    assert not matches("#", "$SYS/x")
    assert not matches("+/monitor/Clients", "$SYS/monitor/Clients")
    assert matches("$SYS/#", "$SYS/x")
    assert matches("a/+/c", "a/bb/c")


def valid_filter(text: str) -> bool:
    """Judge a filter by the standard's words: wildcards whole levels, `#` last."""
    if not text or set(text) & set(WRONG) or any("\ud800" <= char <= "\udfff" for char in text):
        return False
    if text.startswith("$share/"):
        group, slash, text = text.removeprefix("$share/").partition("/")
        if not group or not slash or not text or set(group) & set("+#"):
            return False
    levels = text.split("/")
    alone = all(level in {"+", "#"} or not set(level) & set("+#") for level in levels)
    return alone and "#" not in levels[:-1]


# Of which a broker may throw out who sends it: two controls, two that are no characters.
WRONG = "\0\x1b\x85\ufdd0\U0001ffff"
texts = st.text(st.sampled_from("ab/+#$\ud800 é" + WRONG), max_size=8)


@settings(max_examples=400)
@given(st.one_of(texts, texts.map("$share/".__add__)))
def test_check_filter(text: str) -> None:
    """A filter is refused exactly when the standard refuses it, and always with a `TopicError`."""
    try:
        accepted = check_filter(text) == text
    except TopicError:
        accepted = False
    assert accepted == valid_filter(text)
    if accepted:
        assert split_shared(text)[1]


@settings(max_examples=300)
@given(texts)
def test_check_topic(text: str) -> None:
    """A topic is a filter without wildcards; `$share` means nothing in it."""
    try:
        accepted = check_topic(text) == text
    except TopicError:
        accepted = False
    plain = bool(text) and not set(text) & set("+#\ud800" + WRONG)
    assert accepted == plain


@given(st.integers(65530, 65540), st.sampled_from("aé"))
def test_length_is_in_bytes(length: int, char: str) -> None:
    """The limit of 65,535 counts bytes of UTF-8."""
    text = char * (length // len(char.encode()))
    try:
        accepted = check_topic(text) == text
    except TopicError:
        accepted = False
    assert accepted == (len(text.encode()) <= 65535)
