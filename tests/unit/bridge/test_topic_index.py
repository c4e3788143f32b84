"""The topic index keeps the truth about each topic within its bounds."""

from mqtt_dashboard.bridge.topic_index import SILENT_S, TopicIndex
from mqtt_dashboard.contract.messages import LogMessage, TopicEntry

PLENTY = 1_000_000


def heard(
    topic: str, payload: bytes = b"1", *, retain: bool = False, at: float = 1.0
) -> LogMessage:
    return LogMessage(topic, payload, 0, retain, False, at)


def dirty(index: TopicIndex) -> list[TopicEntry]:
    entries, _ = index.take_dirty(PLENTY)
    index.written(entries)
    return entries


def test_it_keeps_the_last_value_and_counts() -> None:
    """A topic written often is one entry with its count, its last value and its rate."""
    index = TopicIndex(10, 4, PLENTY)
    index.note([heard("a", b"1", at=1.0), heard("a", b"123456", at=3.0)])
    (entry,) = dirty(index)
    assert (entry.message_count, entry.payload, entry.size) == (2, b"1234", 6)
    assert (entry.first_seen, entry.last_seen, entry.rate) == (1.0, 3.0, 0.5)
    assert dirty(index) == []


def test_the_rate_follows_the_usual_gap() -> None:
    """A steady topic has the inverse of its gap as rate, however it falls into the flushes."""
    index = TopicIndex(10, 4, PLENTY)
    for second in range(0, 100, 10):
        index.note([heard("a", at=1.0 + second)])
        entries = dirty(index)
    assert abs(entries[0].rate - 0.1) < 0.001


def test_a_full_index_counts_what_it_leaves_out() -> None:
    """New topics past the limit are refused and their messages counted, known ones go on."""
    index = TopicIndex(2, 4, PLENTY)
    index.note([heard("a"), heard("b"), heard("c"), heard("c"), heard("a")])
    update = index.update(1.0, 1)
    assert (update.count, update.left_out, update.new, update.changed_count) == (2, 2, 2, 2)
    assert {entry.topic for entry in dirty(index)} == {"a", "b"}


def test_long_silent_topics_make_room() -> None:
    """A full index forgets what was silent for long, but never a retained topic."""
    index = TopicIndex(3, 4, PLENTY)
    index.note([heard("old"), heard("kept", retain=True), heard("new", at=SILENT_S)])
    dirty(index)
    assert index.make_room(SILENT_S + 2) == ["old"]
    index.note([heard("newer", b"22", at=SILENT_S + 3)])
    (entry,) = dirty(index)
    assert (entry.topic, entry.message_count, entry.payload) == ("newer", 1, b"22")
    assert index.left_out == 0


def test_values_past_their_budget_are_cut_short() -> None:
    """When all values together are too large a further one keeps its beginning, and it counts."""
    index = TopicIndex(10, 1000, 1500)
    index.note([heard("a", b"x" * 1000), heard("b", b"y" * 1000)])
    kept = {entry.topic: len(entry.payload) for entry in dirty(index)}
    assert kept == {"a": 1000, "b": 64}
    assert index.update(1.0, 1).values_cut == 1
    index.note([heard("a", b"")])
    dirty(index)
    index.note([heard("b", b"y" * 1000)])
    assert len(dirty(index)[0].payload) == 1000


def test_an_empty_retained_message_clears_the_mark() -> None:
    """Retained is what the broker keeps: a live message does not clear it, an empty one does."""
    index = TopicIndex(2, 4, PLENTY)
    index.note([heard("a", retain=True)])
    assert dirty(index)[0].retained
    index.note([heard("a")])
    assert dirty(index)[0].retained
    assert index.retained == 1
    index.note([heard("a", b"", retain=True)])
    assert not dirty(index)[0].retained
    assert index.retained == 0


def test_a_snapshot_takes_the_mark_from_what_it_does_not_hold() -> None:
    """P29: what was cleared while nobody listened is not shown as retained for ever."""
    index = TopicIndex(9, 4, PLENTY)
    index.note([heard("gone", retain=True), heard("there", retain=True), heard("never")])
    dirty(index)
    index.begin_snapshot()
    index.note([heard("there", retain=True)])
    assert index.end_snapshot() == 1
    entries, hollow = index.take_dirty(PLENTY)
    assert {entry.topic: entry.retained for entry in entries} == {"gone": False, "there": True}
    assert hollow == {"gone"}
    assert index.retained == 1


def test_entries_that_could_not_be_written_come_again() -> None:
    """A failed flush loses no topic and no value, and a newer value wins."""
    index = TopicIndex(3, 4, PLENTY)
    index.note([heard("a", b"1"), heard("b", b"1")])
    entries, hollow = index.take_dirty(PLENTY)
    index.note([heard("b", b"2")])
    index.give_back(entries, hollow)
    assert {entry.topic: entry.payload for entry in dirty(index)} == {"a": b"1", "b": b"2"}


def test_it_is_taken_in_parts_oldest_first() -> None:
    """A bounded take leaves the rest for the next one, and busy topics starve nobody."""
    index = TopicIndex(9, 4, PLENTY)
    index.note([heard("a"), heard("b"), heard("c")])
    assert [entry.topic for entry in index.take_dirty(2)[0]] == ["a", "b"]
    index.note([heard("a", b"2"), heard("d")])
    assert [entry.topic for entry in index.take_dirty(2)[0]] == ["c"]
    assert [entry.topic for entry in index.take_dirty(2)[0]] == ["a", "d"]


def test_it_goes_on_from_what_was_stored() -> None:
    """After a restart counts continue, also of topics that were heard before they were read."""
    index = TopicIndex(10, 4, PLENTY)
    index.note([heard("a"), heard("a"), heard("b", b"old", retain=True)])
    stored = dirty(index)
    later = TopicIndex(10, 4, PLENTY)
    later.note([heard("a", b"new", at=9.0)])
    assert later.restore(stored) == []
    assert later.restore(stored) == []  # read twice, counted once
    entries = {entry.topic: entry for entry in dirty(later)}
    assert list(entries) == ["a"]
    assert (entries["a"].message_count, entries["a"].first_seen) == (3, 1.0)
    assert (entries["a"].payload, later.retained, len(later)) == (b"new", 1, 2)


def test_what_redis_lost_is_written_again() -> None:
    """A Redis that came back empty gets every topic again, as topics it does not list."""
    index = TopicIndex(10, 4, PLENTY)
    index.note([heard("a"), heard("b")])
    dirty(index)
    assert index.missing_from(2) == 0
    assert index.missing_from(0) == 2
    entries, hollow = index.take_dirty(PLENTY)
    assert {entry.topic for entry in entries} == hollow == {"a", "b"}
    assert not index.known_to_redis("a")
