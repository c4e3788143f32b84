"""The real bridge, ended by SIGKILL at the point ``CRASH_AT`` = ``name:n`` names (n-th passing)."""

import itertools
import os
import signal
import sys
import time

from mqtt_dashboard.bridge.main import run

NAME, _, TIMES = os.environ.get("CRASH_AT", "").partition(":")
# Some points lie between two packets: what was handed over is given the time to leave.
DELAY_S = {"published": 0.05, "released": 0.05}
_passed = itertools.count(1)


def checkpoint(name: str) -> None:
    """End the process at once, as a power cut would, when its point is reached."""
    if name == NAME and next(_passed) >= int(TIMES):
        time.sleep(DELAY_S.get(name, 0.0))
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(run(checkpoint))
