"""Which connections the processes behind a port hold, read from /proc; Linux only."""

from pathlib import Path
from typing import Final

_ESTABLISHED: Final = "01"
_LISTEN: Final = "0A"


def connections_to(listening_port: int, remote_port: int) -> int | None:
    """Count established connections to ``remote_port`` of whoever listens on ``listening_port``.

    Return None when no such process can be seen (another host, another user, no /proc).
    """
    sockets = _tcp_sockets()
    listeners = {
        inode
        for inode, (state, local, _remote) in sockets.items()
        if state == _LISTEN and local == listening_port
    }
    owners = [pid for pid in _processes() if listeners & _inodes(pid)]
    if not owners:
        return None
    held = set().union(*(_inodes(pid) for pid in owners))
    return sum(
        1
        for inode, (state, _local, remote) in sockets.items()
        if inode in held and state == _ESTABLISHED and remote == remote_port
    )


def _tcp_sockets() -> dict[str, tuple[str, int, int]]:
    found: dict[str, tuple[str, int, int]] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            local, remote = (int(fields[n].rsplit(":", 1)[1], 16) for n in (1, 2))
            found[fields[9]] = (fields[3], local, remote)
    return found


def _processes() -> list[int]:
    try:
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except OSError:
        return []


def _inodes(pid: int) -> set[str]:
    inodes = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = str(link.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    except OSError:
        # The process ended meanwhile, or belongs to somebody else.
        return inodes
    return inodes
