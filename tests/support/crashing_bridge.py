"""Real bridges that end by SIGKILL at the point ``CRASH_AT`` = ``name:n`` names (n-th passing).

Run as a program this is a nursery: what a bridge imports is loaded once, then each line of standard
input (JSON: ``env``, ``log``) becomes a process of its own, forked from it; its id is the answer.
"""

import ctypes
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable

from mqtt_dashboard.bridge.main import run

# Some points lie between two packets: what was handed over is given the time to leave.
DELAY_S = {"published": 0.05, "released": 0.05}
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def checkpoint_at(point: str) -> Callable[[str], None]:
    """Return what ends the process at once, as a power cut would, when its point is reached."""
    wanted, _, times = point.partition(":")
    passed = itertools.count(1)

    def checkpoint(name: str) -> None:
        if name == wanted and next(passed) >= int(times):
            time.sleep(DELAY_S.get(name, 0.0))
            os.kill(os.getpid(), signal.SIGKILL)

    return checkpoint


def _be_a_bridge(env: dict[str, str], log: str) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(env)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(output, number)
    os._exit(run(checkpoint_at(env.get("CRASH_AT", ""))))


def main() -> None:
    """Fork a bridge for each line until standard input ends."""
    # Nobody asks how they ended; the kernel clears them away.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        wanted = json.loads(line)
        child = os.fork()
        if child == 0:
            _be_a_bridge(wanted["env"], wanted["log"])
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
