"""Writes the figures down: tables, ratios, goals and a chart. Every number comes from the run.

python -m bench.report [FIGURES.json]      # write the documents again from kept figures
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from bench import chart, goals, installs, page_report
from bench.contestants import ALL, MQ_BRIDGE, NAIVE, NODE, OURS, RAW
from bench.figures import Figures, Medians
from bench.load import Load
from bench.measure import LATER_S
from bench.plan import EASY_RATE, HARD_RATE, MAIN, MATRIX, PACED
from bench.single import MASTER, WORKER
from bench.tables import table

DOCUMENT: Final = "docs/reference/benchmarks.md"
CHART: Final = "docs/images/benchmark.svg"
NONE: Final = "-"


def write(figures: Figures) -> list[Path]:
    """Write the reference page and its chart; return their paths."""
    document, picture = installs.ROOT / DOCUMENT, installs.ROOT / CHART
    parts = [_introduction(figures), tables(figures), _method(figures)]
    document.write_text("\n\n".join(parts) + "\n")
    picture.write_text(chart.draw(figures))
    return [document, picture]


def tables(figures: Figures) -> str:
    """Return every table that has a row."""
    sections = (
        ("Throughput, QoS 0", _main(figures, 0)),
        ("Throughput, QoS 1", _main(figures, 1)),
        ("A broker that sends each packet at once", _nodelay(figures)),
        ("mqtt-bridge at other sizes and numbers of topics", _matrix(figures)),
        ("Steady load on default limits", _paced(figures)),
        ("Nothing to do", _idle(figures)),
        ("Many viewers", page_report.viewers(figures.viewers, figures.apart)),
        ("The page in a flood", page_report.flood(figures.floods)),
        ("The page with very many topics", page_report.million(figures.millions)),
        ("One message on an idle system", page_report.single(figures.singles)),
        ("Goals", goals.table([*goals.of_bridge(figures), *page_report.goals(figures)])),
    )
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in sections if text)


def _introduction(figures: Figures) -> str:
    where = ", ".join(f"{name} {value}" for name, value in figures.machine.items())
    return (
        "# Benchmarks\n\n"
        "Written by `make bench ARGS=--report`; do not edit. Absolute figures are of the machine "
        "it ran on, and on a busy one they wander: the ratios within one run are what counts.\n\n"
        f"Taken on {figures.taken_on} in {figures.took_s / 60:.0f} minutes, medians of "
        f"{figures.options.rounds} rounds. {where}. The sender, the broker, the bridge, Redis and "
        "the counter share these cores.\n\n"
        "![Messages per second of each bridge](../images/benchmark.svg)"
    )


def _main(figures: Figures, qos: int) -> str:
    known = _at_main(figures, "main", qos)
    if not known:
        return ""
    legend = "\n".join(f"- *{name}*: {ALL[name].about}." for name in known)
    missing = [f"- *{name}* was left out: {why}." for name, why in figures.skipped.items()]
    parts = [_point_text(qos), _throughput(known)]
    return "\n\n".join(parts if qos else [*parts, "\n".join([legend, *missing])])


def _nodelay(figures: Figures) -> str:
    """Return the main point once more, on a broker with the other setting of its sockets."""
    parts = []
    for qos in figures.options.qos:
        known = _at_main(figures, "nodelay", qos)
        if known:
            parts += [_point_text(qos), _throughput(known)]
    if not parts:
        return ""
    text = (
        "Everywhere else mosquitto is set up as it comes: while data is on its way to a "
        "subscriber, TCP joins the next packets. With `set_tcp_nodelay true` each packet is a "
        "transmission of its own, unless the subscriber is so slow that its window is full. That "
        "costs the broker most where the subscriber is fastest."
    )
    return "\n\n".join([text, *parts])


def _at_main(figures: Figures, part: str, qos: int) -> dict[str, Medians]:
    point = msgspec.structs.replace(MAIN, qos=qos)
    return {name: found for name in ALL if (found := figures.of(part, name, point))}


def _throughput(known: Mapping[str, Medians]) -> str:
    bases = [name for name in (NAIVE, NODE, MQ_BRIDGE, RAW) if name in known]
    header = ["", "msg/s", "lowest to highest", *(f"x {name}" for name in bases)]
    header += ["bridge CPU", "broker CPU", "Redis CPU", "broker busy", "cores busy", "lost"]
    rows = [
        [
            _name(name),
            f"{found.rate:,.0f}",
            f"{found.lowest:,.0f} to {found.highest:,.0f}",
            *(_ratio(found, known[base]) for base in bases),
            *(_cpu(found, process) for process in ("bridge", "broker", "redis")),
            NONE if (busy := found.busy("broker")) is None else f"{busy:.0%}",
            f"{found.cores:.1f}",
            _lost(found),
        ]
        for name, found in known.items()
    ]
    return table(header, rows)


def _matrix(figures: Figures) -> str:
    """Return a table for each QoS: ours at every point, beside who else was measured there."""
    tables = [_matrix_at(figures, qos) for qos in figures.options.qos]
    return "\n\n".join(one for one in tables if one)


def _matrix_at(figures: Figures, qos: int) -> str:
    options, rows = figures.options, []
    bases = [name for name in MATRIX if name != OURS and name in options.only]
    for topics in options.topics:
        for size in options.sizes:
            point = Load(count=0, topics=topics, size=size, qos=qos)
            ours = figures.of("matrix", OURS, point)
            if ours is None:
                continue
            others = [figures.of("matrix", name, point) for name in bases]
            ratios = [NONE if other is None else _ratio(ours, other) for other in others]
            volume = f"{ours.rate * size / 1e6:.0f}"
            cells = [f"{ours.rate:,.0f}", volume, *ratios, _cpu(ours, "bridge"), _lost(ours)]
            rows.append([f"{topics:,}", f"{size:,} B", *cells])
    header = [f"topics, QoS {qos}", "payload", "msg/s", "MB/s of payload"]
    header += [*(f"x {name}" for name in bases), "bridge CPU", "lost"]
    return table(header, rows) if rows else ""


def _paced(figures: Figures) -> str:
    rows = []
    for rate in (EASY_RATE, HARD_RATE):
        for qos in figures.options.qos:
            for name in ALL:
                point = msgspec.structs.replace(MAIN, qos=qos, rate=rate)
                found = figures.of("latency", name, point)
                if found is None:
                    continue
                delays = [f"{found.p50_ms:.1f} ms", f"{found.p99_ms:.1f} ms"]
                cells = [f"{qos}", _name(name), *delays, _cpu(found, "bridge"), _lost(found)]
                rows.append([f"{rate:,}/s", *cells])
    if not rows:
        return ""
    text = (
        f"{MAIN.size} B on {MAIN.topics:,} topics. mosquitto, Redis and the bridge keep their "
        "default limits. Latency is from handing the message to the sender's socket to its arrival "
        "at a subscriber in Redis; of lost messages there is none."
    )
    header = ["load", "QoS", "", "p50", "p99", "bridge CPU", "lost"]
    return f"{text}\n\n{table(header, rows)}"


def _idle(figures: Figures) -> str:
    rows = [
        [_name(one.contestant), f"{one.cpu_percent:.1f} % of a core", f"{one.rss_mb:.0f} MB"]
        for one in figures.idle
    ]
    return table(["", "CPU", "memory"], rows) if rows else ""


def _method(figures: Figures) -> str:
    others = ", ".join(f"*{name}*" for name in PACED)
    failed = "".join(f"\n- Failed in this run: {reason}" for reason in figures.failed)
    return (
        "## How it is measured\n\n"
        "- *Flat out* means: the sender writes as fast as the broker takes it, the broker queues "
        "without limit, Redis never cuts off a slow subscriber, and mqtt-bridge may queue 1 GB. "
        "A run is over when everything has arrived, or nothing more came for 4 s.\n"
        "- Each payload bears the mark of its run and a sequence number. One process, the same for "
        "all, follows the channel (or stream) in large reads; afterwards it looks for every single "
        "number. What is missing is lost, and a run with losses is marked, not left out.\n"
        "- The rate is of messages received, from the first one sent to the last one there.\n"
        "- CPU is seconds per 100,000 messages sent, of all threads of a process, until "
        f"{LATER_S} s after the last message: so work put off to later counts too. For the limits, "
        "*bridge* is the counter itself. *Cores busy* is the same of every process, sender and "
        "counter included, while messages flowed: where it is near the number of cores the machine "
        "is the limit, and only less work per message would carry more. *Broker busy* is the "
        "broker's share of one core: mosquitto has a single thread, so near 100 % it is the "
        "limit.\n"
        "- Rounds are interleaved; each time with fresh servers and a load to warm up.\n"
        f"- The load generator alone writes {figures.sender_alone:,.0f} msg/s into a socket that "
        "discards them; packets are built before the clock starts.\n"
        f"- Sizes, numbers of topics and steady loads are measured for {others}.{failed}\n\n"
        "## Once more, on your machine\n\n"
        "    make bench                                     # everything, prints the tables\n"
        "    make bench ARGS=--report                       # and writes this page\n"
        '    make bench ARGS="--only naive,mqtt-bridge --parts main --rounds 1"\n'
        '    make bench ARGS="--size 100 --topics 1000 --qos 0 --everyone"\n\n'
        "Every run of the last benchmark is kept in `bench/.cache/figures.json`; "
        "`.venv/bin/python -m bench.report` writes this page from it."
    )


def _point_text(qos: int) -> str:
    return f"QoS {qos}, {MAIN.size} B of JSON, {MAIN.topics:,} topics, flat out."


def _name(name: str) -> str:
    if name in {OURS, WORKER, MASTER}:
        return f"**{name}**"
    return name if ALL[name].kind == "bridge" else f"*{name}*"


def _ratio(found: Medians, base: Medians) -> str:
    return f"{found.rate / base.rate:.2f}" if base.rate else NONE


def _cpu(found: Medians, process: str) -> str:
    spent = found.cpu(process)
    return NONE if spent is None else f"{spent:.2f}"


def _lost(found: Medians) -> str:
    twice = f", {found.copies:,} twice" if found.copies else ""
    if not found.lost:
        return f"0{twice}"
    return f"**{found.lost / found.sent:.2%} ({found.lost:,})**{twice}"


def main() -> None:
    """Write the documents again from kept figures."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else installs.CACHE / "figures.json"
    figures = msgspec.json.decode(path.read_bytes(), type=Figures)
    for written in write(figures):
        print(f"written: {written.relative_to(installs.ROOT)}")


if __name__ == "__main__":
    main()
