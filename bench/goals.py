"""The figures the bridge has to beat, beside what was measured: met or not, nothing rounded up."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from bench import tables
from bench.contestants import MQ_BRIDGE, MQ_STREAM, NAIVE, NAPPING, NODE, OURS, RAW
from bench.figures import Figures, Medians
from bench.plan import EASY_RATE, HARD_RATE, MAIN
from bench.single import WORKER


@dataclass(frozen=True)
class Goal:
    """``measured`` is None when a part of it was not measured."""

    what: str
    wanted: str
    measured: float | None
    shown: str
    met: bool


def table(goals: Iterable[Goal]) -> str:
    """Return the goals as a Markdown table, without those that were not measured."""
    rows = [
        [goal.what, goal.wanted, goal.shown, "yes" if goal.met else "**no**"]
        for goal in goals
        if goal.measured is not None
    ]
    return tables.table(["what", "goal", "measured", "met"], rows) if rows else ""


def of_bridge(figures: Figures) -> Iterator[Goal]:
    """Return every goal of the bridge."""
    for qos, base, factor in (
        (0, NAIVE, 10.0),
        (0, NODE, 1.3),
        (0, MQ_BRIDGE, 1.3),
        (0, MQ_STREAM, 1.3),
        (0, RAW, 1.0),
        (0, NAPPING, 0.85),
        (1, NAIVE, 4.0),
    ):
        ratio = _ratio(figures, "main", qos, base, lambda one: one.rate)
        yield _at_least(f"throughput at QoS {qos}, against {base}", factor, ratio)
        # Measured for some of them only; the same goals hold on a broker set up otherwise.
        ratio = _ratio(figures, "nodelay", qos, base, lambda one: one.rate)
        yield _at_least(f"the same with `set_tcp_nodelay`, against {base}", factor, ratio)
    yield _nothing_lost(figures)
    for base, part in ((NAIVE, 20), (NODE, 3)):
        ratio = _ratio(figures, "main", 0, base, lambda one: one.cpu("bridge"))
        shown = "" if ratio is None else f"1/{1 / ratio:.1f}" if ratio else "0"
        met = ratio is not None and ratio <= 1 / part
        yield Goal(f"CPU per message, against {base}", f"at most 1/{part}", ratio, shown, met)
    yield from _latency(figures)
    yield from _idle(figures)


def _latency(figures: Figures) -> Iterator[Goal]:
    for qos in figures.options.qos:
        point = msgspec.structs.replace(MAIN, qos=qos, rate=HARD_RATE)
        found = figures.of("latency", OURS, point)
        what = f"{HARD_RATE:,} msg/s on default limits, QoS {qos}"
        wanted = "no loss, p99 at most 50 ms"
        if found is not None:
            shown = f"{found.lost:,} lost, p99 {found.p99_ms:.1f} ms"
            met = not found.lost and found.p99_ms <= 50
            yield Goal(what, wanted, found.p99_ms, shown, met)
        easy = msgspec.structs.replace(point, rate=EASY_RATE)
        ours, naive = (figures.of("latency", name, easy) for name in (OURS, NAIVE))
        if ours is not None and naive is not None and naive.p99_ms:
            ratio = ours.p99_ms / naive.p99_ms
            what = f"p99 at {EASY_RATE:,} msg/s, QoS {qos}, against {NAIVE}"
            yield Goal(what, "at most 0.5 x", ratio, f"{ratio:.2f} x", ratio <= 0.5)


def _idle(figures: Figures) -> Iterator[Goal]:
    for one in figures.idle:
        if one.contestant in {OURS, WORKER}:
            shown = f"{one.cpu_percent:.1f} %, {one.rss_mb:.0f} MB"
            met = one.cpu_percent < 1 and one.rss_mb < 80
            wanted = "below 1 % of a core and 80 MB"
            yield Goal(f"{one.contestant} with nothing to do", wanted, one.cpu_percent, shown, met)


def _nothing_lost(figures: Figures) -> Goal:
    mine = [run for run in figures.runs if run.contestant == OURS]
    lost = sum(run.lost for run in mine)
    shown = f"{lost:,} of {sum(run.load.count for run in mine):,}"
    return Goal("lost in all runs of mqtt-bridge", "0", lost if mine else None, shown, not lost)


def _ratio(
    figures: Figures, part: str, qos: int, base: str, value: Callable[[Medians], float | None]
) -> float | None:
    point = msgspec.structs.replace(MAIN, qos=qos)
    ours, other = figures.of(part, OURS, point), figures.of(part, base, point)
    if ours is None or other is None:
        return None
    mine, theirs = value(ours), value(other)
    return mine / theirs if mine is not None and theirs else None


def _at_least(what: str, factor: float, ratio: float | None) -> Goal:
    shown = "" if ratio is None else f"{ratio:.2f} x"
    return Goal(what, f"at least {factor:g} x", ratio, shown, ratio is not None and ratio >= factor)
