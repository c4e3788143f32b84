"""What every long-running process does with its memory; glibc decides in a process of its own."""

import subprocess
import sys

MEASURE = """
import resource, sys, threading
from mqtt_dashboard.service import settle_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def batches():
    for number in range(60):
        if number == 20:
            before = faults()
        batch = [b"x" * 65_536 for _ in range(24)]
    print(faults() - before)

if sys.argv[1] == "settled":
    settle_memory()
thread = threading.Thread(target=batches)
thread.start()
thread.join()
"""
PAGES_OF_A_BATCH = 24 * 65_536 // 4096


def _faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_a_batch_reuses_the_memory_of_the_one_before() -> None:
    """Forty batches on a thread of their own have fewer pages cleared than two of them hold."""
    assert _faults("settled") < 2 * PAGES_OF_A_BATCH
