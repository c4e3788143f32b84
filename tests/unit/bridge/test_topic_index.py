"""The topic index keeps the truth about each topic within its bounds."""

import math
import sys
from collections.abc import Callable

import pytest

from mqtt_dashboard.bridge.index_past import Past
from mqtt_dashboard.bridge.topic_account import SILENT_S
from mqtt_dashboard.bridge.topic_index import HEARD_AT_ONCE, TopicIndex
from mqtt_dashboard.bridge.topic_report import CHANGES_BYTES, NEWS_BYTES
from mqtt_dashboard.bridge.topic_table import name_bytes
from mqtt_dashboard.bridge.unwritten import Position
from mqtt_dashboard.contract import CONTRACT_VERSION, codec
from mqtt_dashboard.contract.messages import Batch, LogMessage
from mqtt_dashboard.contract.topic_entry import TopicEntry

PLENTY = 1_000_000


def heard(
    topic: str, payload: bytes = b"1", *, retain: bool = False, at: float = 1.0
) -> LogMessage:
    return LogMessage(topic, payload, 0, retain, False, at)


def dirty(index: TopicIndex) -> list[TopicEntry]:
    entries = index.take_dirty(PLENTY).entries
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
    assert entries[0].rate is not None
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
    entries, hollow, _, _ = index.take_dirty(PLENTY)
    assert {entry.topic: entry.retained for entry in entries} == {"gone": False, "there": True}
    assert hollow == {"gone"}
    assert index.retained == 1


def test_entries_that_could_not_be_written_come_again() -> None:
    """A failed flush loses no topic and no value, and a newer value wins."""
    index = TopicIndex(3, 4, PLENTY)
    index.note([heard("a", b"1"), heard("b", b"1")])
    entries, hollow, _, _ = index.take_dirty(PLENTY)
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
    stored = dirty(index)
    index.begin_restore(1)
    index.restore(stored)
    assert index.end_restore(names_whole=True) == 0
    index.begin_restore(2)
    assert index.end_restore(names_whole=True) == 2
    assert {entry.topic for entry in index.take_dirty(PLENTY).entries} == {"a", "b"}
    assert not index.known_to_redis("a")


def test_names_have_a_budget_of_their_own() -> None:
    """New topics past the bytes of all names are refused by that reason; gone ones make room."""
    index = TopicIndex(9, 4, PLENTY, names_budget=10)
    index.note([heard("12345"), heard("abcd"), heard("xy", at=2.0), heard("z")])
    update = index.update(1.0, 1)
    assert {entry.topic for entry in dirty(index)} == {"12345", "abcd", "z"}
    assert (update.left_out, update.left_out_by) == (1, {"name_bytes": 1})
    assert len(index.make_room(SILENT_S + 2)) == 3
    index.note([heard("abcdefghij")])
    assert len(index) == 1
    index.note([heard("ä")])
    assert index.left_out == 2


@pytest.mark.parametrize(
    ("topic", "size"),
    [("a/b", 3), ("ä", 1 + 2), ("日本", 2 * 2 + 6), ("x😀", 2 * 4 + 5), ("", 0)],
)
def test_names_are_counted_as_they_lie_in_memory(topic: str, size: int) -> None:
    """One wide character makes all of a name wide, and beside it lies the name as UTF-8."""
    assert name_bytes(topic) == size


def test_documents_are_bounded_in_bytes() -> None:
    """However long topics are, no list of them outgrows its room; the others still stand there."""
    index = TopicIndex(PLENTY, 4, PLENTY)
    long = [heard(f"{number}/" + "\x01" * 40_000, at=float(number)) for number in range(40)]
    index.note([*long, heard("short")])
    update = index.update(50.0, 1)
    assert update.changed_count == 41
    assert [one.topic for one in update.changed] == ["short"]
    assert len(codec.encode(update.changed)) <= CHANGES_BYTES
    assert len(codec.encode(index.newest())) <= NEWS_BYTES
    index.note([heard(f"t/{number:04}/" + "x" * 3000) for number in range(200)])
    update = index.update(60.0, 1)
    assert CHANGES_BYTES - 4000 < len(codec.encode(update.changed)) <= CHANGES_BYTES


def test_an_unknown_rate_is_null() -> None:
    """One message makes no rate: it is null in the entry and in the document, never 0."""
    index = TopicIndex(10, 4, PLENTY)
    index.note([heard("once")])
    (entry,) = dirty(index)
    assert entry.rate is None
    assert index.update(1.0, 1).changed[0].rate is None


class Clearing(str):
    """A topic that is asked for while another thread clears the index."""

    __slots__ = ("known",)

    def __hash__(self) -> int:
        self.known: TopicIndex
        self.known.clear()
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)


def test_questions_outlive_a_clearing() -> None:
    """The link's thread may ask for a topic while the index thread throws the table away."""
    index = TopicIndex(10, 4, PLENTY)
    for ask in (index.is_retained, index.known_to_redis):
        index.note([heard("a", retain=True)])
        dirty(index)
        topic = Clearing("a")
        topic.known = index
        assert ask(topic)
        assert len(index) == 0


def replay(index: TopicIndex, mark: Position, stored: list[TopicEntry], *batches: Batch) -> Past:
    past = Past(mark, index.begin_restore(9), 4)
    index.restore(stored)
    for entry in stored:
        past.stored(entry)
    for batch in batches:
        past.add(batch)
    index.end_restore(names_whole=True)
    index.catch_up(past)
    return past


def batch(epoch: int, first: int, *messages: LogMessage) -> Batch:
    return Batch(CONTRACT_VERSION, epoch, first, list(messages))


def test_the_end_of_the_log_is_counted_once() -> None:
    """Messages an entry holds already are not counted again, however the writes were cut."""
    index = TopicIndex(10, 4, PLENTY)
    index.note([heard("a", b"1"), heard("b", b"1")], (7, 2))
    taken = index.take_dirty(1)
    assert (taken.mark, taken.more) == (None, True)
    index.note([heard("a", b"2"), heard("b", b"2"), heard("c", b"1")], (7, 5))
    stored = [*taken.entries, *index.take_dirty(1).entries]
    assert [(one.topic, one.message_count, one.seq) for one in stored] == [("a", 1, 2), ("b", 2, 5)]
    # Killed here: the index was whole up to nothing, the log has both batches, one of them twice.
    log = [
        batch(7, 1, heard("a", b"1"), heard("b", b"1")),
        batch(7, 1, heard("a", b"1"), heard("b", b"1")),
        batch(7, 3, heard("a", b"2", retain=True), heard("b", b"2"), heard("c", b"1")),
        batch(7, 6, heard("c", b"22222", at=5.0)),
    ]
    again = TopicIndex(10, 4, PLENTY)
    again.note([heard("c", b"9", at=9.0)], (9, 1))  # heard by the new bridge meanwhile
    past = replay(again, (7, 0), stored, *log, batch(9, 1, heard("c", b"9", at=9.0)))
    assert (past.messages, past.last, past.refused) == (3, (7, 6), 0)
    entries = {one.topic: one for one in dirty(again)}
    assert {topic: one.message_count for topic, one in entries.items()} == {"a": 2, "c": 3}
    assert (entries["a"].payload, entries["a"].retained, entries["c"].payload) == (b"2", True, b"9")
    assert (entries["c"].first_seen, entries["c"].last_seen) == (1.0, 9.0)


def test_a_round_is_whole_only_when_nothing_failed() -> None:
    """The mark moves with the last part of a round, and not at all when a part was given back."""
    index = TopicIndex(10, 4, PLENTY)
    index.note([heard("a"), heard("b"), heard("c")], (7, 3))
    first = index.take_dirty(2)
    index.note([heard("d")], (7, 4))
    index.give_back(first.entries, first.hollow)
    assert index.take_dirty(2).mark is None
    whole = index.take_dirty(9)
    assert {one.topic for one in whole.entries} == {"a", "b", "d"}
    assert (whole.mark, whole.more) == ((7, 4), False)


def test_a_log_no_bridge_wrote_changes_nothing() -> None:
    """Messages out of all bounds, and epochs that were never, are counted and passed over."""
    index = TopicIndex(10, 4, PLENTY)
    odd = [
        LogMessage("", b"", 0, False, False, 1.0),
        LogMessage("q", b"", 300, False, False, 1.0),
        LogMessage("t", b"", 0, False, False, math.nan),
    ]
    past = replay(
        index, (7, 0), [], batch(7, 1, *odd), batch(2**63, 1, heard("x")), batch(8, 2**63, *odd)
    )
    assert (past.messages, past.refused, len(index)) == (0, 7, 0)
    assert index.take_dirty(9).entries == []


QUESTIONS: list[tuple[Callable[[TopicIndex], object], object]] = [
    (len, 2),
    (lambda index: index.left_out, 1),
    (lambda index: index.places, 2),
    (lambda index: index.first_levels(9), ["a", "b"]),
    (lambda index: index.depth(), 2),
    (lambda index: index.update(9.0, 1).changed_count, 2),
    (lambda index: [one.topic for one in index.newest()], ["b/c", "a"]),
    (lambda index: [one.message_count for one in index.news([0, 1])], [2, 1]),
    (lambda index: [one.message_count for one in index.take_dirty(9).entries], [2, 1]),
    (lambda index: index.restore([TopicEntry("d", b"", 0, 0, False, 1, 1.0, 1.0, None)]), ["d"]),
    (lambda index: index.make_room(SILENT_S + 9.0), ["a", "b/c"]),
]


@pytest.mark.parametrize(("ask", "answer"), QUESTIONS)
def test_whoever_asks_is_told_of_the_newest_message(
    ask: Callable[[TopicIndex], object], answer: object
) -> None:
    """Messages wait to be entered together, and nobody can see that they do."""
    index = TopicIndex(2, 4, PLENTY)
    index.note([heard("a", at=1.0)], (1, 1))
    index.note([heard("a", at=2.0), heard("b/c", at=3.0), heard("d")], (1, 4))
    assert ask(index) == answer


def test_messages_of_several_batches_are_entered_in_their_order() -> None:
    """The value is that of the last batch, the first sight that of the first, the count of all."""
    index = TopicIndex(2, 4, PLENTY)
    for number in range(2 * HEARD_AT_ONCE + 3):
        index.note([heard("a", b"%d" % number, at=10.0 + number)], (1, number + 1))
    (entry,) = dirty(index)
    assert (entry.message_count, entry.payload) == (2 * HEARD_AT_ONCE + 3, b"18")
    assert (entry.first_seen, entry.last_seen, entry.seq) == (10.0, 28.0, 19)


def test_what_waits_to_be_entered_is_bounded_in_batches() -> None:
    """Payloads of a few batches are held at a time, however long nobody asks."""
    index = TopicIndex(2, 4, PLENTY)
    payload = bytes(100)
    before = sys.getrefcount(payload)
    for _ in range(5 * HEARD_AT_ONCE + 1):
        index.note([heard("a", payload)])
        assert sys.getrefcount(payload) - before <= HEARD_AT_ONCE


def test_retained_is_known_at_once() -> None:
    """It is asked on the link's thread, which must not wait for the account."""
    index = TopicIndex(2, 4, PLENTY)
    index.note([heard("a", retain=True)])
    assert index.is_retained("a")
    assert index.retained == 1
