"""Children are tied to their supervisor, stop in its order and never outlive it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mqtt_dashboard.embedded import tether
from mqtt_dashboard.embedded.children import Child, LogFollower, Supervisor, describe_end
from tests.support.servers import wait_for

_STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('up', flush=True); time.sleep(60)"
)


def _child(folder: Path, name: str, code: str) -> Child:
    return Child(name, [sys.executable, "-c", code], folder / f"{name}.log")


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_an_ended_child_is_noticed_with_its_status_and_last_words(tmp_path: Path) -> None:
    """The supervisor names the child that ended, how, and what it said last."""
    supervisor = Supervisor()
    supervisor.start(_child(tmp_path, "steady", "import time; time.sleep(60)"))
    supervisor.start(_child(tmp_path, "fragile", "print('no more'); raise SystemExit(3)"))
    child = wait_for(supervisor.ended, "the end is noticed")
    assert child is not None
    assert describe_end(child) == "fragile ended with status 3"
    assert child.last_lines() == ["no more"]
    supervisor.stop([], 0.1)


def test_a_missing_program_is_told_in_words(tmp_path: Path) -> None:
    """A command that does not exist ends as a child with a plain sentence."""
    supervisor = Supervisor()
    child = supervisor.start(Child("ghost", ["/nowhere/ghost"], tmp_path / "ghost.log"))
    wait_for(lambda: child.status() is not None, "it ended")
    assert child.last_lines() == ["cannot start /nowhere/ghost: No such file or directory"]


def test_children_stop_by_stages_and_a_late_one_is_killed(tmp_path: Path) -> None:
    """Later stages get their signal only when the earlier ones are gone; the late are named."""
    supervisor = Supervisor()
    record = tmp_path / "order"
    polite = (
        "import signal, sys, time\n"
        "def leave(*_):\n"
        f"    open({str(record)!r}, 'a').write(sys.argv[1] + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, leave); print('up', flush=True); time.sleep(60)"
    )
    for name in ("base", "top"):
        child = _child(tmp_path, name, polite)
        child.command = [*child.command, name]
        supervisor.start(child)
    stubborn = supervisor.start(_child(tmp_path, "stubborn", _STUBBORN))
    for child in supervisor.children:
        wait_for(child.last_lines, f"{child.name} is up")
    late = supervisor.stop([(("top", "stubborn"), 0.5), (("base",), 2.0)], 1.0)
    assert late == ["stubborn"]
    assert record.read_text() == "top base "
    assert stubborn.status() == -signal.SIGKILL


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    """A grandchild that its parent left behind is ended by the supervisor."""
    supervisor = Supervisor()
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)"
    )
    child = supervisor.start(_child(tmp_path, "careless", code))
    wait_for(lambda: child.status() is not None, "the parent ended")
    grandchild = int(child.last_lines()[0])
    assert not _gone(grandchild)
    supervisor.stop([], 0.1)
    wait_for(lambda: _gone(grandchild), "the grandchild is gone")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent-death signal")
def test_children_die_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    """SIGKILL on the supervisor leaves no child behind, not even one that ignores SIGTERM."""
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from mqtt_dashboard.embedded.children import Child, Supervisor\n"
        f"log = Path({str(tmp_path)!r}, 'log')\n"
        f"child = Child('stubborn', [sys.executable, '-c', {_STUBBORN!r}], log)\n"
        "Supervisor().start(child)\n"
        "while not child.last_lines(): time.sleep(0.02)\n"
        "print(child.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not _gone(pid)
        parent.kill()
    wait_for(lambda: _gone(pid), "the child died with its supervisor")


def test_an_orphan_from_birth_does_not_start(tmp_path: Path) -> None:
    """A parent that died before the tie was made leaves nothing running."""
    mark = tmp_path / "mark"
    not_our_parent = str(os.getpid() + 1)
    command = [sys.executable, str(tether.__file__), not_our_parent, "9", "touch", str(mark)]
    assert subprocess.run(command, check=False, timeout=10).returncode == 1
    assert not mark.exists()


def test_followed_logs_come_line_by_line_with_the_name(tmp_path: Path) -> None:
    """Only complete new lines are shown, each once."""
    child = Child("bridge", [], tmp_path / "log")
    follower = LogFollower()
    child.log.write_bytes(b"one\ntw")
    assert follower.new_lines(child) == ["bridge          | one"]
    with child.log.open("ab") as stream:
        stream.write(b"o\n")
    assert follower.new_lines(child) == ["bridge          | two"]
    assert follower.new_lines(child) == []
