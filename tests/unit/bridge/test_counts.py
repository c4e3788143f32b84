"""Counts may be read while other threads add to them."""

import threading

from mqtt_dashboard.bridge.counts import Counts


def test_reading_never_meets_a_change() -> None:
    """New names appear all the while, and no reader trips over them."""
    counts, stop = Counts(), threading.Event()

    def add() -> None:
        number = 0
        while not stop.is_set() and number < 3_000:
            counts.add(f"name {number}")
            number += 1

    writer = threading.Thread(target=add)
    writer.start()
    try:
        for _ in range(100):
            everything = counts.all() + counts.all()
            assert all(everything.values())
    finally:
        stop.set()
        writer.join()
