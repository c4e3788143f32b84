"""Ports for the servers of a test run: handed out one after the other, to nobody twice.

The kernel takes the ports of outgoing connections from a range of its own. Below it a port that is
free now is still free when a server that needs seconds to start takes it, and a client that asks
too early does not get itself for a partner.
"""

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

LOWEST: Final = 10_240
FEWEST: Final = 1000
COUNTER: Final = Path(tempfile.gettempdir()) / f"mqtt-dashboard-ports-{os.getuid()}"
KERNELS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port(counter: Path = COUNTER) -> int:
    """Return a TCP port of the loopback interface that nobody else is handed out."""
    end = int(KERNELS.read_text().split()[0])
    if end - LOWEST < FEWEST:
        return _any()
    with counter.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        port = _next(int(text) if text.isdigit() else LOWEST, end)
        file.truncate(0)
        file.write(str(port))
    return port


def _next(before: int, end: int) -> int:
    for step in range(1, end - LOWEST + 1):
        port = LOWEST + (before - LOWEST + step) % (end - LOWEST)
        if _is_free(port):
            return port
    raise OSError("no port is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
