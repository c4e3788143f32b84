"""Topics that go silent are noticed by their own period; nothing is claimed that is not known."""

from mqtt_dashboard.bridge import silence
from mqtt_dashboard.bridge.silence import SilenceWatch
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.bridge.topic_report import NEWEST_SHOWN
from mqtt_dashboard.contract.messages import LogMessage, TopicsUpdate

PLENTY = 1_000_000


def beat(index: TopicIndex, topic: str, times: range) -> None:
    """Let a topic speak at some times, each written to Redis on its own."""
    for at in times:
        index.note([LogMessage(topic, b"1", 0, False, False, float(at))])
        index.written(index.take_dirty(PLENTY)[0])


def seen(index: TopicIndex, now: float, since: float | None = 0.0) -> TopicsUpdate:
    watch = SilenceWatch(index, lambda: since)
    watch.turn(now)
    return watch.add_to(index.update(now, 1))


def test_silence_is_measured_by_the_topics_own_period() -> None:
    """Three missed periods make a topic silent; slower ones are given more time."""
    index = TopicIndex(10, 4, PLENTY)
    beat(index, "slow", range(0, 1000, 100))
    beat(index, "quick", range(900, 1000, 10))
    beat(index, "once", range(5, 6))
    assert [one.topic for one in seen(index, 1015.0).silent] == []
    update = seen(index, 1030.0)
    assert [one.topic for one in update.silent] == ["quick"]
    assert update.silent_count == 1
    gap = update.silent[0].usual_gap_s
    assert gap is not None
    assert abs(gap - 10) < 0.1
    # The youngest silence first: it is the news.
    assert [one.topic for one in seen(index, 1400.0).silent] == ["quick", "slow"]
    beat(index, "quick", range(1400, 1401))
    assert [one.topic for one in seen(index, 1401.0).silent] == ["slow"]


def test_time_without_a_connection_is_nobodys_silence() -> None:
    """What could not be heard is not missed; without a connection nothing is claimed at all."""
    index = TopicIndex(10, 4, PLENTY)
    beat(index, "quick", range(0, 100, 10))
    assert seen(index, 1000.0, since=990.0).silent == []
    assert seen(index, 1000.0, since=950.0).silent_count == 1
    update = seen(index, 1000.0, since=None)
    assert (update.silent, update.silent_count) == ([], None)


def test_a_large_index_is_counted_whole_and_shown_in_part() -> None:
    """Over several pieces of the table all silent topics count; a few are shown."""
    index = TopicIndex(PLENTY, 4, PLENTY)
    topics = silence.AT_ONCE + 50
    for at in (1.0, 11.0):
        index.note([LogMessage(f"t/{n}", b"", 0, False, False, at) for n in range(topics)])
        index.written(index.take_dirty(PLENTY)[0])
    update = seen(index, 100.0)
    assert update.silent_count == topics
    assert len(update.silent) == silence.SHOWN


def test_the_newest_topics_are_told() -> None:
    """New ones come first, also after a restart; forgotten ones are not told."""
    index = TopicIndex(100, 4, PLENTY)
    for number in range(NEWEST_SHOWN + 5):
        beat(index, f"t/{number}", range(number, number + 1))
    newest = [one.topic for one in seen(index, 100.0).newest]
    assert newest[0] == f"t/{NEWEST_SHOWN + 4}"
    assert len(newest) == NEWEST_SHOWN
    again = TopicIndex(100, 4, PLENTY)
    index.begin_restore(1)
    index.end_restore(names_whole=True)
    again.restore(index.take_dirty(PLENTY)[0])
    assert [one.topic for one in again.newest()] == newest
