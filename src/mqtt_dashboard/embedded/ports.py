"""Loopback ports: which are free, and who holds one that is not."""

import os
import socket
from pathlib import Path

_LISTEN = "0A"


def free_port(preferred: int | None = None) -> int:
    """Return the preferred port when it is free on loopback, else any free one."""
    if preferred is not None and can_listen("127.0.0.1", preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def can_listen(host: str, port: int) -> bool:
    """Tell whether a server could bind this address now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def holder(port: int) -> str | None:
    """Name the process that listens on a port, as far as the system shows it."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != str(os.getpid()) and _holds(process, inodes):
            return f"{_name(process)} (process {process.name})"
    return None


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _holds(process: Path, inodes: set[str]) -> bool:
    try:
        return any(str(link.readlink()) in inodes for link in (process / "fd").iterdir())
    except OSError:
        return False


def _name(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "?"
    names = [Path(os.fsdecode(word)).name for word in words if word and word[:1] != b"-"][:2]
    # An interpreter says little; the script it runs says more.
    interesting = names[1:] if names and names[0].startswith(("python", "node")) else names
    return (interesting or names or ["?"])[0]
