"""Delays between attempts to connect (P34, P41)."""

from mqtt_dashboard.mqtt.backoff import Backoff
from mqtt_dashboard.mqtt.client import Loss

LOST = Loss("gone")
FINAL = Loss("bad password", final=True)
TAKEN = Loss("taken", taken_over=True)


def test_doubles_to_its_limit() -> None:
    """Delays double from 0.2 s to 30 s."""
    backoff = Backoff(lambda: 1.0)
    delays = [backoff.after(LOST, None) for _ in range(10)]
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_only_a_stable_connection_resets() -> None:
    """A connection that dies young does not reset the delay."""
    backoff = Backoff(lambda: 1.0)
    assert [backoff.after(LOST, lived) for lived in (None, 1.0, 9.9, 10.0)] == [0.2, 0.4, 0.8, 0.2]


def test_jitter_spreads_over_half() -> None:
    """Jitter takes away up to half of the delay."""
    assert Backoff(lambda: 0.0).after(LOST, None) == 0.1
    assert 0.1 <= Backoff().after(LOST, None) <= 0.2


def test_refused_for_good_is_tried_slowly() -> None:
    """What only new settings can cure is tried every 10 to 60 s."""
    backoff = Backoff(lambda: 1.0)
    assert [backoff.after(FINAL, None) for _ in range(4)] == [10.0, 20.0, 40.0, 60.0]


def test_taken_over_is_not_fought() -> None:
    """A take-over waits 30 s, doubling to 5 min; taking turns does not reset it."""
    backoff = Backoff(lambda: 1.0)
    delays = [backoff.after(TAKEN, lived) for lived in (1.0, 30.0, 60.0, 120.0, 240.0, 300.0)]
    assert delays == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]
    assert backoff.after(TAKEN, 600.0) == 30.0
