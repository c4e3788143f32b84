"""The report's tables about viewers and pages."""

import msgspec

from bench import page_report
from bench.million import Million
from bench.viewers import Asked, Watching
from bench.watching import Watched

WATCHED = Watched(frames=5000, fewest=10, messages=500_000, bytes=105_000_000, p50_ms=9, p99_ms=30)
SAME = Watching(500, 10, True, 1.0, 10, WATCHED, 20.0, 10.0, 1.0, 120.0)
MILLION = Million(1_000_000, 40, 400, 60, 0, 2000, 3, 6, 6.0, 320, 120, 490)


def test_viewers_with_different_filters_stand_beside_those_with_one() -> None:
    """Who shares a frame and who does not are two columns; without the second run it is one."""
    apart = msgspec.structs.replace(SAME, sets=50, worker_cpu=33.0)
    text = page_report.viewers([SAME], [apart])
    assert "|  | the same filter | 50 sets of filters |" in text
    assert "| worker's CPU | 20.0 % of a core | 33.0 % of a core |" in text
    assert "sets of filters |" not in page_report.viewers([SAME], [])
    assert page_report.viewers([], []) == ""


def test_each_set_of_filters_matches_everything_and_is_no_other() -> None:
    """Only then does every set cost a frame of its own."""
    sets = Asked(viewers=500, seconds=1, sets=50, credit=True).filters()
    assert len(set(sets)) == 50
    assert all(one.startswith("watch/#,") for one in sets)
    assert Asked(viewers=500, seconds=1, sets=1, credit=True).filters() == ["watch/#"]


def test_the_pages_process_is_reported_beside_its_heap() -> None:
    """The heap is not all a page holds; figures of before this was measured say so."""
    now = msgspec.structs.replace(MILLION, renderer_mb=190.4)
    assert "| memory of the page's process | 190 MB |" in page_report.million([now])
    assert "| memory of the page's process | not measured |" in page_report.million([MILLION])
