"""The topic index keeps the truth about each topic within its bounds."""

from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.contract.messages import LogMessage


def heard(
    topic: str, payload: bytes = b"1", *, retain: bool = False, at: float = 1.0
) -> LogMessage:
    return LogMessage(topic, payload, 0, retain, False, at)


def test_it_keeps_the_last_value_and_counts() -> None:
    """A topic written often is one entry with its count, its last value and its rate."""
    index = TopicIndex(10, 4)
    index.note([heard("a", b"1", at=1.0), heard("a", b"123456", at=2.0)])
    (entry,) = index.take_dirty(1.0)
    assert (entry.message_count, entry.payload, entry.size) == (2, b"1234", 6)
    assert (entry.first_seen, entry.last_seen, entry.rate) == (1.0, 2.0, 2.0)
    assert index.take_dirty(1.0) == []


def test_a_full_index_counts_what_it_leaves_out() -> None:
    """New topics past the limit are refused and counted, known ones go on."""
    index = TopicIndex(2, 4)
    index.note([heard("a"), heard("b"), heard("c"), heard("a")])
    update = index.update(1.0, 1)
    assert (update.count, update.left_out, update.new) == (2, 1, 2)
    assert {entry.topic for entry in index.take_dirty(1.0)} == {"a", "b"}


def test_an_empty_retained_message_clears_the_mark() -> None:
    """Retained is what the broker keeps: a live message does not clear it, an empty one does."""
    index = TopicIndex(2, 4)
    index.note([heard("a", retain=True)])
    assert index.take_dirty(1.0)[0].retained
    index.note([heard("a")])
    assert index.take_dirty(1.0)[0].retained
    index.note([heard("a", b"", retain=True)])
    assert not index.take_dirty(1.0)[0].retained


def test_entries_that_could_not_be_written_come_again() -> None:
    """A failed flush loses no topic."""
    index = TopicIndex(2, 4)
    index.note([heard("a")])
    index.give_back(index.take_dirty(1.0))
    assert [entry.topic for entry in index.take_dirty(1.0)] == ["a"]


def test_it_goes_on_from_what_was_stored() -> None:
    """After a restart counts continue instead of starting from zero."""
    index = TopicIndex(10, 4)
    index.note([heard("a"), heard("a")])
    stored = index.take_dirty(1.0)
    later = TopicIndex(10, 4)
    later.restore(stored)
    later.note([heard("a", at=9.0)])
    (entry,) = later.take_dirty(1.0)
    assert (entry.message_count, entry.first_seen, entry.rate) == (3, 1.0, 1.0)
