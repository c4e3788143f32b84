"""Tables of what was measured at the dashboard: viewers without a browser, and pages in one."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from bench.figures import Figures
from bench.flood import Flood
from bench.goals import Goal
from bench.million import Million
from bench.single import Single
from bench.tables import table
from bench.viewers import Watching

T = TypeVar("T")

FRAMES: Final = 50
LONGEST_MS: Final = 100
# What a heap may seem to grow by from one measurement to the next without growing.
FLAT_MB_PER_MINUTE: Final = 1.0


def viewers(same: Sequence[Watching], apart: Sequence[Watching]) -> str:
    """Return what many viewers on one worker got, with the same filter and with different ones."""
    columns = [runs for runs in (same, apart) if runs]
    if not columns:
        return ""
    first = columns[0][0]
    rows = [
        [name, *(value(runs) for runs in columns)]
        for name, value in (
            ("frames delivered", lambda runs: f"{_middle(runs, lambda one: one.delivered):.1%}"),
            ("fewest frames of one viewer", _fewest),
            (
                "from writing to the viewer, p50",
                lambda runs: _ms(runs, lambda one: one.watched.p50_ms),
            ),
            ("p99", lambda runs: _ms(runs, lambda one: one.watched.p99_ms)),
            ("messages left out", lambda runs: f"{sum(one.watched.left_out for one in runs):,}"),
            (
                "worker's CPU",
                lambda runs: f"{_middle(runs, lambda one: one.worker_cpu):.1f} % of a core",
            ),
            ("worker's memory", lambda runs: f"{_middle(runs, lambda one: one.rss_mb):.0f} MB"),
        )
    ]
    text = (
        f"{first.viewers} viewers of one worker, each with a credit of frames as the page gives "
        f"it; {first.rate} frames of {_middle(columns[0], lambda one: one.frame_kb):.0f} KB a "
        f"second for {first.seconds:.0f} s. A frame is put together once for all viewers with the "
        "same filters: so all have the same, or each of the given number of sets, all of which "
        f"match every message, is that of some. Median of {_rounds(columns[0])}."
    )
    header = ["", *("the same filter" if runs[0].sets == 1 else _sets(runs) for runs in columns)]
    return f"{text}\n\n{table(header, rows)}"


def _sets(runs: Sequence[Watching]) -> str:
    return f"{runs[0].sets} sets of filters"


def flood(runs: Sequence[Flood]) -> str:
    """Return what a page did while everything came."""
    if not runs:
        return ""
    last = runs[-1]
    rows = [
        [
            str(number),
            f"{minute.frames_per_s:.1f}",
            _longest(minute.longest_ms),
            f"{minute.long_tasks}",
            f"{minute.heap_mb:.1f} MB",
            f"{minute.browser_cpu:.0f} %",
            f"{minute.bridge_cpu:.0f} %",
            f"{minute.dashboard_cpu:.0f} %",
        ]
        for number, minute in enumerate(last.minutes, 1)
    ]
    header = ["minute", "frames/s", "longest task", "above 50 ms", "heap after collection"]
    header += ["browser CPU", "bridge CPU", "dashboard CPU"]
    missing = last.published - last.received - last.skipped
    text = (
        f"{last.rate:,} messages a second on 1,000 topics, all watched with the filter `#` in "
        f"Chromium without a graphics card. Of {last.published:,} messages the page says it "
        f"received {last.received:,} and that {last.skipped:,} were skipped for it; "
        f"{missing:,} are in neither number."
    )
    return f"{text}\n\n{table(header, rows)}"


def million(runs: Sequence[Million]) -> str:
    """Return what the tree of a million topics costs."""
    if not runs:
        return ""
    rows = [
        ["first rows of a level of 100,000", _ms(runs, lambda one: one.first_rows_ms)],
        ["scrolling", f"{_middle(runs, lambda one: one.scroll_frames_per_s):.0f} frames/s"],
        ["longest task while scrolling", _longest(max(one.scroll_longest_ms for one in runs))],
        ["search for one topic by its name", _ms(runs, lambda one: one.search_ms)],
        ["a page of 200 rows from the API, p50", _ms(runs, lambda one: one.page_p50_ms)],
        ["p99", _ms(runs, lambda one: one.page_p99_ms)],
        ["heap of the page", _mb(runs, lambda one: one.heap_mb)],
        ["memory of the page's process", _whole(runs)],
        ["memory of the bridge", _mb(runs, lambda one: one.bridge_mb)],
        ["memory of the dashboard", _mb(runs, lambda one: one.dashboard_mb)],
        ["memory of Redis", _mb(runs, lambda one: one.redis_mb)],
        ["from the first publish to the last topic listed", _s(runs, lambda one: one.listed_s)],
    ]
    text = f"{runs[0].topics:,} topics, each with a value. Median of {_rounds(runs)}."
    return f"{text}\n\n{table(['', 'measured'], rows)}"


def single(runs: Sequence[Single]) -> str:
    """Return how long one message takes into a page."""
    if not runs:
        return ""
    rows = [
        [
            "to the event in the page",
            _ms(runs, lambda one: one.event_p50_ms),
            _ms(runs, lambda one: one.event_p99_ms),
        ],
        [
            "to the frame that shows it",
            _ms(runs, lambda one: one.drawn_p50_ms),
            _ms(runs, lambda one: one.drawn_p99_ms),
        ],
    ]
    seen, sent = sum(one.seen for one in runs), sum(one.messages for one in runs)
    text = (
        "One message at a time while nothing else happens, from handing it to the publisher's "
        f"socket. Median of {_rounds(runs)}; {seen:,} of {sent:,} messages were seen."
    )
    return f"{text}\n\n{table(['', 'p50', 'p99'], rows)}"


def goals(figures: Figures) -> Iterator[Goal]:
    """Return the goals of the dashboard, met or not."""
    viewing, floods = figures.viewers, figures.floods
    millions, singles = figures.millions, figures.singles
    if viewing:
        rate = _middle(viewing, lambda one: one.delivered)
        p99, cpu = (
            _middle(viewing, lambda one: one.watched.p99_ms),
            _middle(viewing, lambda one: one.worker_cpu),
        )
        yield Goal(
            f"{viewing[0].viewers} viewers on one worker",
            "all frames, p99 at most 100 ms, at most 25 % of a core",
            rate,
            f"{rate:.1%}, p99 {p99:.0f} ms, {cpu:.0f} %",
            rate > 0.999 and p99 <= 100 and cpu <= 25,
        )
    for one in floods[-1:]:
        frames = statistics.median(minute.frames_per_s for minute in one.minutes)
        longest = max(minute.longest_ms for minute in one.minutes)
        slope = _slope([minute.heap_mb for minute in one.minutes])
        yield Goal(
            f"page at {one.rate:,} msg/s on `#`",
            f"{FRAMES} frames/s, no task above {LONGEST_MS} ms, heap flat",
            frames,
            f"{frames:.1f} frames/s, {_longest(longest)}, {slope:+.2f} MB a minute",
            frames >= FRAMES and longest <= LONGEST_MS and slope < FLAT_MB_PER_MINUTE,
        )
    if millions:
        bridge, p99, page = (
            _middle(millions, lambda one: one.bridge_mb),
            _middle(millions, lambda one: one.page_p99_ms),
            # The whole process, where that was measured: its heap is the smaller part.
            _middle(millions, lambda one: one.renderer_mb or one.heap_mb),
        )
        yield Goal(
            f"{millions[0].topics:,} topics",
            "bridge at most 400 MB, API p99 at most 50 ms, page at most 300 MB",
            bridge,
            f"{bridge:.0f} MB, {p99:.0f} ms, {page:.0f} MB",
            bridge <= 400 and p99 <= 50 and page <= 300,
        )
    if singles:
        p50 = _middle(singles, lambda one: one.event_p50_ms)
        p99 = _middle(singles, lambda one: one.event_p99_ms)
        yield Goal(
            "one message on an idle system to the page's event",
            "p50 at most 25 ms, p99 at most 60 ms",
            p50,
            f"{p50:.1f} ms, {p99:.1f} ms",
            p50 <= 25 and p99 <= 60,
        )


def _slope(values: Sequence[float]) -> float:
    """Return the growth per step of the line through the values that fits best."""
    if len(values) < 2:
        return 0.0
    return statistics.linear_regression(range(len(values)), values).slope


def _middle(runs: Sequence[T], value: Callable[[T], float]) -> float:
    return statistics.median(map(value, runs))


def _ms(runs: Sequence[T], value: Callable[[T], float]) -> str:
    return f"{_middle(runs, value):.1f} ms"


def _s(runs: Sequence[T], value: Callable[[T], float]) -> str:
    return f"{_middle(runs, value):.0f} s"


def _mb(runs: Sequence[T], value: Callable[[T], float]) -> str:
    return f"{_middle(runs, value):.0f} MB"


def _whole(runs: Sequence[Million]) -> str:
    known = [one.renderer_mb for one in runs if one.renderer_mb is not None]
    return f"{statistics.median(known):.0f} MB" if known else "not measured"


def _longest(ms: float) -> str:
    # The browser reports no shorter ones.
    return f"{ms:.0f} ms" if ms else "below 50 ms"


def _fewest(runs: Sequence[Watching]) -> str:
    worst = min(runs, key=lambda one: one.watched.fewest / one.batches)
    return f"{worst.watched.fewest} of {worst.batches}"


def _rounds(runs: Sequence[object]) -> str:
    return "one run" if len(runs) == 1 else f"{len(runs)} runs"
