"""What one benchmark measured: kept as JSON, so that a report can be written again."""

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import msgspec

from bench.flood import Flood
from bench.load import Load
from bench.measure import Idle, Run
from bench.million import Million
from bench.plan import Options
from bench.single import Single
from bench.viewers import Watching


class Figures(msgspec.Struct):
    """Everything a report is written from."""

    options: Options
    machine: dict[str, str]
    taken_on: str
    runs: list[Run] = []
    idle: list[Idle] = []
    viewers: list[Watching] = []
    apart: list[Watching] = []
    floods: list[Flood] = []
    millions: list[Million] = []
    singles: list[Single] = []
    skipped: dict[str, str] = {}
    failed: list[str] = []
    sender_alone: float = 0.0
    took_s: float = 0.0

    def of(self, part: str, contestant: str, load: Load) -> "Medians | None":
        """Return the medians of a contestant at a point, whatever the number of messages was."""
        same = [
            run
            for run in self.runs
            if (run.part, run.contestant) == (part, contestant) and _point(run.load) == _point(load)
        ]
        return Medians(same) if same else None


class Medians:
    """Several rounds of one contestant at one point."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = list(runs)
        rates = [run.rate for run in self._runs]
        self.rate = statistics.median(rates)
        self.lowest, self.highest = min(rates), max(rates)
        self.p50_ms = statistics.median(run.p50_ms for run in self._runs)
        self.p99_ms = statistics.median(run.p99_ms for run in self._runs)
        self.sent = sum(run.load.count for run in self._runs)
        self.lost = sum(run.lost for run in self._runs)
        self.copies = sum(run.copies for run in self._runs)

    def cpu(self, process: str) -> float | None:
        """Return CPU seconds per 100,000 messages of ``bridge``, ``broker``, ``redis``, ..."""
        values = [run.cpu[process] for run in self._runs if process in run.cpu]
        return statistics.median(values) if values else None

    def busy(self, process: str) -> float | None:
        """Return how much of one core a process used while messages flowed, 1.0 being all."""
        values = [run.rate * run.cpu[process] for run in self._runs if process in run.cpu]
        return statistics.median(values) / 100_000 if values else None

    @property
    def cores(self) -> float:
        """Return how many cores all processes of the path kept busy, the sender included."""
        return statistics.median(run.rate * sum(run.cpu.values()) / 100_000 for run in self._runs)


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    cpu = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": f"{os.cpu_count()} x {cpu[1].strip() if cpu else platform.machine()}",
        "Linux": platform.release().split("-")[0],
        "Python": platform.python_version(),
        "mosquitto": _said(["mosquitto", "-h"], r"version (\S+)"),
        "Redis": _said(["redis-server", "--version"], r"v=(\S+)"),
        "paho-mqtt": version("paho-mqtt"),
        "redis-py": version("redis"),
    }


def _said(command: list[str], pattern: str) -> str:
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"


def _point(load: Load) -> tuple[int, int, int, int]:
    return load.qos, load.topics, load.size, load.rate
