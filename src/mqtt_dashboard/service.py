"""How a long-running process starts, waits and stops. Signal handlers only set a flag."""

import ctypes
import gc
import signal
import threading
from types import FrameType
from typing import Final

# New containers before the youngest are looked through, and how rarely the older ones are.
GC_THRESHOLDS: Final = (100_000, 20, 20)
# mallopt(3): blocks from this size on go back to the system as soon as they are freed. Without it
# glibc learns from the first large block to keep those that follow: 45 MB with a million topics.
_M_MMAP_THRESHOLD: Final = -3
LARGE_BLOCK_BYTES: Final = 4 * 1024 * 1024
# Free memory a thread's heap may keep at its end. At glibc's 128 KiB every batch of large payloads
# gave its pages back and had them cleared again: two fifths of a busy bridge's time.
_M_TRIM_THRESHOLD: Final = -1
SPARE_BYTES: Final = 16 * 1024 * 1024


class StopSignal:
    """Set by SIGTERM or SIGINT; the process that owns it stops in its own order."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def install(self) -> None:
        """Catch SIGTERM and SIGINT; main thread only. As PID 1 nothing else would (P42)."""
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGINT, self._handle)

    def set(self) -> None:
        """Ask the process to stop."""
        self._event.set()

    def is_set(self) -> bool:
        """Tell whether the process was asked to stop."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait at most ``seconds``; return True once asked to stop."""
        return self._event.wait(seconds)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._event.set()


def settle_memory() -> None:
    """Look for garbage in cycles seldom; to be called once everything is built.

    Messages are many short-lived objects that make no cycles. At the interpreter's own thresholds
    two fifths of a busy bridge's time went into looking through them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    _give_back()


def _give_back() -> None:
    """Return to the system what loading modules needed for a moment (7 MB); glibc only."""
    library = ctypes.CDLL(None)
    trim, option = getattr(library, "malloc_trim", None), getattr(library, "mallopt", None)
    if trim is not None and option is not None:
        option(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        option(_M_TRIM_THRESHOLD, SPARE_BYTES)
        trim(0)
