"""The log's entries and bytes are known with little memory."""

from mqtt_dashboard.bridge.retention import PORTIONS, Retention


def test_the_limit_is_kept_by_dropping_the_oldest() -> None:
    """So many entries may stay that their bytes and the new one's are within the limit."""
    retention = Retention(10_000)
    for size in (4_000, 3_000, 2_000):
        assert retention.entries_after(size) <= 3
        retention.added(size)
    assert retention.entries_after(1_000) == 4
    assert retention.entries_after(4_500) == 3


def test_what_was_there_before_counts_by_its_average() -> None:
    """A log taken over from another bridge gives way entry by entry."""
    retention = Retention(10_000)
    retention.begin(10, 8_000)
    assert retention.entries_after(2_000) == 11
    assert retention.entries_after(3_600) == 9


def test_it_stays_small_however_many_entries_there_are() -> None:
    """A log of a million small entries is counted in portions."""
    retention = Retention(64 * 1024 * 1024)
    for _ in range(1_000_000):
        retention.added(64)
    assert len(retention._portions) <= 2 * PORTIONS
    kept = retention.entries_after(64)
    assert 1_000_000 < kept + 1 <= 64 * 1024 * 1024 // 64


def test_entries_that_have_grown_old_are_gone() -> None:
    """What was trimmed by age is not counted twice, and never below nothing."""
    retention = Retention(10_000)
    for _ in range(4):
        retention.added(2_000)
    retention.trimmed(3)
    assert retention.entries_after(8_000) == 2
    retention.trimmed(50)
    assert retention.entries_after(10_000) == 1
