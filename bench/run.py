"""Measure the bridge beside others: the same broker, Redis and load, in turn, in one run.

Everything is counted at the far end by sequence number. Figures are medians over the rounds;
absolute numbers depend on the machine, the ratio within one run is what counts. What cannot be
installed here is left out and named. About an hour; less with --parts, --only or --rounds.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from playwright.sync_api import Error as PlaywrightError

from bench import flood, installs, million, plan, report, single, viewers
from bench.contestants import ALL
from bench.figures import Figures, machine
from bench.load import Load
from bench.measure import Run, session
from bench.plan import Block, Options
from bench.sink import sender_alone
from bench.worker import WorkerError

FIGURES: Final = installs.CACHE / "figures.json"
ALONE: Final = Load(count=500_000)
# The processes' own work after a warm-up need not be waited for.
WARM_UP_LATER_S: Final = 0.3


def main() -> None:
    """Measure, print the tables, and write the report if asked to."""
    options, parsed = _options()
    began = time.monotonic()
    figures = Figures(options, machine(), datetime.now(UTC).strftime("%Y-%m-%d"))
    figures.skipped = _unavailable(options.only)
    figures.sender_alone = sender_alone(ALONE)
    print(f"load generator alone: {figures.sender_alone:,.0f} msg/s", flush=True)
    for number in range(options.rounds):
        for block in plan.blocks(options, number):
            if block.contestant not in figures.skipped:
                _measure(block, figures, number)
        _look(figures, number)
        figures.took_s = time.monotonic() - began
        _keep(figures, parsed.json)
    print(report.tables(figures))
    if parsed.report:
        for path in report.write(figures):
            print(f"written: {path.relative_to(installs.ROOT)}")


def _measure(block: Block, figures: Figures, number: int) -> None:
    """Run one block; a contestant that fails is named and the rest goes on."""
    contestant = ALL[block.contestant]
    try:
        with session(contestant, block.qos, roomy=block.roomy, nodelay=block.nodelay) as running:
            if block.idle_s:
                figures.idle.append(running.idle(block.idle_s))
            running.run("warm-up", block.warm_up, WARM_UP_LATER_S)
            for load in block.loads:
                run = running.run(block.part, load)
                figures.runs.append(run)
                _say(number, run)
    except (WorkerError, OSError, AssertionError) as error:
        reason = f"{block.part}, {block.contestant}, QoS {block.qos}: {error}"
        figures.failed.append(reason)
        print(f"FAILED {reason}", flush=True)


def _look(figures: Figures, number: int) -> None:
    """Measure what viewers and a browser get, once per round; the long flood in the first."""
    parts = figures.options.parts
    if "idle" in parts and number == 0:
        _try("nothing to do", lambda: figures.idle.extend(single.resting()), figures)
    if "viewers" in parts:
        _try("viewers", lambda: figures.viewers.append(viewers.run()), figures)
        _try(
            "viewers with different filters",
            lambda: figures.apart.append(viewers.run(sets=viewers.SETS)),
            figures,
        )
    if "page" not in parts:
        return
    if number == 0:
        _try("page in a flood", lambda: figures.floods.append(flood.flood()), figures)
    _try("very many topics", lambda: figures.millions.append(million.million()), figures)
    _try("one message", lambda: figures.singles.append(single.single()), figures)


def _try(what: str, measure: Callable[[], None], figures: Figures) -> None:
    print(what, flush=True)
    try:
        measure()
    except (WorkerError, OSError, AssertionError, PlaywrightError) as error:
        figures.failed.append(f"{what}: {error}")
        print(f"FAILED {what}: {error}", flush=True)


def _say(number: int, run: Run) -> None:
    load = run.load
    pace = f"{load.rate:,}/s" if load.rate else "flat out"
    lost = f"  LOST {run.lost:,} of {load.count:,}" if run.lost else ""
    print(
        f"round {number + 1} {run.part:7} {run.contestant:25} QoS {load.qos} {load.size:6,} B "
        f"{load.topics:7,} topics {pace:8} {run.rate:9,.0f} msg/s  p99 {run.p99_ms:7,.1f} ms  "
        f"CPU {run.cpu.get('bridge', 0):5.2f}{lost}",
        flush=True,
    )


def _unavailable(names: Sequence[str]) -> dict[str, str]:
    reasons = {}
    for name in names:
        try:
            for need in ALL[name].needs:
                need()
        except installs.UnavailableError as error:
            reasons[name] = str(error)
            print(f"left out: {name}: {error}", flush=True)
    return reasons


def _keep(figures: Figures, copy: Path | None) -> None:
    document = msgspec.json.format(msgspec.json.encode(figures), indent=1)
    FIGURES.parent.mkdir(exist_ok=True)
    for path in (FIGURES, copy):
        if path:
            path.write_bytes(document)


def _options() -> tuple[Options, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def listed(name: str, default: Sequence[object], text: str) -> None:
        shown = ",".join(map(str, default))
        parser.add_argument(name, default=shown, help=f"{text} (default {shown})")

    listed("--qos", plan.QOS, "qualities of service")
    listed("--size", plan.SIZES, "payload bytes of the matrix")
    listed("--topics", plan.TOPICS, "numbers of topics of the matrix")
    listed("--parts", plan.PARTS, "what to measure")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--scale", type=float, default=1.0, help="scale the number of messages")
    parser.add_argument("--only", help=f"contestants or how they begin: {', '.join(ALL)}")
    parser.add_argument("--everyone", action="store_true", help="measure every part for everyone")
    parser.add_argument("--json", type=Path, help="also write every run to this file")
    parser.add_argument("--report", action="store_true", help=f"write {report.DOCUMENT}")
    parsed = parser.parse_args()
    only = _chosen(parser, parsed.only)
    options = Options(
        qos=_numbers(parsed.qos),
        sizes=_numbers(parsed.size),
        topics=_numbers(parsed.topics),
        rounds=parsed.rounds,
        only=only,
        parts=tuple(parsed.parts.split(",")),
        scale=parsed.scale,
        everyone=parsed.everyone,
    )
    return options, parsed


def _chosen(parser: argparse.ArgumentParser, text: str | None) -> tuple[str, ...]:
    if text is None:
        return tuple(ALL)
    chosen: list[str] = []
    for start in text.lower().split(","):
        found = [name for name in ALL if name.lower().startswith(start.strip())]
        if not found:
            parser.error(f"no contestant begins with {start!r}; there are: {', '.join(ALL)}")
        chosen += [name for name in found if name not in chosen]
    return tuple(chosen)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()
