"""What is kept by topic is bounded in bytes, however long the names are."""

import sys

from mqtt_dashboard.contract.name_cache import LONGEST, NameCache


def test_the_bytes_of_all_names_are_bounded() -> None:
    """Ten thousand names of 64 to 1,024 characters leave no more behind than the limit."""
    cache: NameCache[int] = NameCache(100_000)
    for number in range(10_000):
        cache.keep(f"{number:08}/" * (7 + number % 100), number)
        assert sum(map(sys.getsizeof, cache)) <= 100_000
    assert cache


def test_a_very_long_name_is_not_kept() -> None:
    """A name of 64 KiB does not displace all the others; its answer is simply not remembered."""
    cache: NameCache[int] = NameCache()
    cache.keep("short", 1)
    assert cache.keep("x" * 65_535, 2) == 2
    assert cache.keep("y" * LONGEST, 3) == 3
    assert set(cache) == {"short", "y" * LONGEST}
