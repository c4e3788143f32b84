"""Start child processes, watch them, stop them in order.

Children run in sessions of their own, so that Ctrl-C reaches only the supervisor and it can stop
them in its order. They are tied to it: when it is killed, they die too.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mqtt_dashboard.embedded import tether

_POLL = 0.02


@dataclass
class Child:
    """A command, where its output goes, and how it dies when its parent is killed."""

    name: str
    command: Sequence[str]
    log: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    orphan_signal: signal.Signals = signal.SIGKILL
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; call this from the main thread, for the kernel watches the thread."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        again = self.process is not None
        tie = [sys.executable, "-I", "-S", str(tether.__file__)]
        with self.log.open("ab" if again else "wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 - commands are our own
                [*tie, str(os.getpid()), str(int(self.orphan_signal)), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environ},
                start_new_session=True,
            )

    def status(self) -> int | None:
        """Return the exit status, or None while it runs."""
        return self.process.poll() if self.process else None

    def running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Signal the child and everything it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def terminate(self) -> None:
        """Ask the child itself to stop; it stops what it started."""
        if self.running() and self.process is not None:
            self.process.terminate()

    def last_lines(self, count: int = 12) -> list[str]:
        """Return the end of its output."""
        try:
            with self.log.open("rb") as stream:
                stream.seek(max(0, self.log.stat().st_size - 65536))
                text = stream.read().decode("utf-8", errors="replace")
        except OSError:
            return []
        return text.splitlines()[-count:]


def describe_end(child: Child) -> str:
    """Say how a child ended."""
    status = child.status()
    if status is None:
        return f"{child.name} is running"
    if status < 0:
        return f"{child.name} was ended by {signal.Signals(-status).name}"
    return f"{child.name} ended with status {status}"


class Supervisor:
    """Holds the children in the order they were started."""

    def __init__(self) -> None:
        self.children: list[Child] = []

    def start(self, child: Child) -> Child:
        """Start a child and watch it from now on."""
        self.children.append(child)
        child.start()
        return child

    def ended(self) -> Child | None:
        """Return a child that is no longer running, if there is one."""
        return next((child for child in self.children if not child.running()), None)

    def stop(self, stages: Sequence[tuple[Sequence[str], float]], limit: float) -> list[str]:
        """Ask stage by stage, going on when a stage takes longer than its seconds.

        Who still runs ``limit`` seconds after the first request is killed, and named.
        """
        last_moment = time.monotonic() + limit
        for names, seconds in stages:
            group = [child for child in self.children if child.name in names]
            for child in group:
                child.terminate()
            _await_end(group, min(last_moment, time.monotonic() + seconds))
        _await_end(self.children, last_moment)
        late = [child.name for child in self.children if child.running()]
        for child in self.children:
            # Also what a child left behind in its session.
            child.send(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()
        return late


def _await_end(group: Sequence[Child], deadline: float) -> None:
    while any(child.running() for child in group) and time.monotonic() < deadline:
        time.sleep(_POLL)


class LogFollower:
    """Copies what children write to the screen, each line with its child's name in front."""

    def __init__(self) -> None:
        self._offsets: dict[Path, int] = {}

    def new_lines(self, child: Child) -> list[str]:
        """Return the complete lines written since the last call."""
        start = self._offsets.get(child.log, 0)
        try:
            with child.log.open("rb") as stream:
                stream.seek(start)
                data = stream.read(1 << 20)
        except OSError:
            return []
        end = data.rfind(b"\n") + 1
        self._offsets[child.log] = start + end
        text = data[:end].decode("utf-8", errors="replace")
        return [f"{child.name:15} | {line}" for line in text.splitlines()]
