"""`mqtt-dashboard up` as people use it: one command, a page, and nothing left behind."""

import contextlib
import http.server
import os
import re
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from paho.mqtt import publish

from tests.support.servers import Broker, Child, free_port, wait_for

COMMAND = str(Path(sys.executable).with_name("mqtt-dashboard"))
OTHERS = ("MQTT_", "REDIS_", "DASHBOARD_", "BRIDGE_")
STOP_S = 5.0


class Up(Child):
    """A running `mqtt-dashboard up` on a port of its own."""

    def __init__(self, folder: Path, *options: str, **environ: str) -> None:
        self.http_port = free_port()
        self.logs = folder / "logs"
        env = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
        # No port of the machine is taken for granted.
        env |= {"MQTT_BROKER_PORT": str(free_port()), "BRIDGE_HTTP_PORT": str(free_port())}
        words = ["--port", str(self.http_port), "--log-dir", str(self.logs), *options]
        super().__init__([COMMAND, "up", *words], folder / "up.log", env | environ)

    def wait_ready(self) -> None:
        """Wait for the one line that says where the page is."""
        wait_for(lambda: "Ready: " in self.output() or not self.alive(), "ready or dead", 40)
        assert f"Ready: http://127.0.0.1:{self.http_port}/" in self.output(), self.output()

    def part(self, mark: str) -> int:
        """Return the pid of the direct child with ``mark`` in its command."""
        parents = _parents()
        commands = {
            pid: Path(f"/proc/{pid}/cmdline").read_bytes().decode()
            for pid, parent in parents.items()
            if parent == self.pid
        }
        return next(pid for pid, command in commands.items() if mark in command)


def _parents() -> dict[int, int]:
    """Return every process' parent."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            found[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    return found


def _descendants(pid: int) -> set[int]:
    parents = _parents()
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def _any_left(pids: set[int]) -> list[int]:
    left = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            left.append(pid)
    return left


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
        return str(reply.read().decode())


def _answers(port: int) -> bool:
    try:
        return bool(_get(port, "/healthz"))
    except OSError:
        return False


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Start a whole stack with nothing configured and wait for its page."""
    stack = Up(tmp_path)
    stack.start()
    try:
        stack.wait_ready()
        yield stack
    finally:
        if stack.alive():
            stack.terminate(15)


def test_one_command_shows_live_demo_data_and_stops_in_time(up: Up) -> None:
    """P16, P42, P86: both services start, demo topics arrive, SIGTERM ends all within 5 s."""
    assert _get(up.http_port, "/")
    wait_for(lambda: "demo/" in _get(up.http_port, "/api/topics"), "demo topics are known", 15)
    everything = _descendants(up.pid)
    assert len(everything) >= 5
    started = time.monotonic()
    assert up.terminate() == 0, up.output()
    assert time.monotonic() - started < STOP_S
    assert _any_left(everything) == []
    assert "killed" not in up.output()


def test_a_killed_supervisor_leaves_nothing_behind(up: Up) -> None:
    """SIGKILL on `up` ends broker, Redis, bridge, dashboard and demo as well."""
    everything = _descendants(up.pid)
    up.kill()
    wait_for(lambda: not _any_left(everything), "all children are gone", 10)


def test_a_dying_part_is_named_and_started_again(up: Up) -> None:
    """When the bridge is killed the page lives on and says so, and the bridge comes back."""
    first = up.part("/mqtt-bridge")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: '"alive":false' in _get(up.http_port, "/api/broker/status"), "it is said", 6)
    wait_for(lambda: "Started again: bridge" in up.output(), "it is started again", 10)
    assert "bridge was ended by SIGKILL; starting it again in 5 s" in up.output()
    wait_for(lambda: '"alive":true' in _get(up.http_port, "/api/broker/status"), "it works", 10)
    assert up.part("/mqtt-bridge") != first


def test_a_dying_dashboard_gets_its_port_back(up: Up) -> None:
    """Workers of a killed dashboard do not keep the new one from its port."""
    os.kill(up.part("gunicorn"), signal.SIGKILL)
    wait_for(lambda: "Started again: dashboard" in up.output(), "it is started again", 10)
    wait_for(lambda: _answers(up.http_port), "it answers", 15)


def test_a_taken_port_is_refused_in_plain_words(tmp_path: Path) -> None:
    """Before anything starts: which port, who has it, how to take another."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        stack = Up(tmp_path, "--port", str(server.server_port))
        stack.start()
        assert stack.process is not None
        assert stack.process.wait(10) == 1
        assert f"Port {server.server_port} on 127.0.0.1 is taken" in stack.output()
        assert f"(process {os.getpid()})" in stack.output()
        assert "--port" in stack.output()
        assert not stack.logs.exists()
    finally:
        server.shutdown()
        server.server_close()


def test_somebody_elses_broker_gets_no_demo_data(tmp_path: Path, broker: Broker) -> None:
    """With a configured broker nothing is invented, and no other broker is started."""
    where = {"MQTT_BROKER_HOST": "127.0.0.1", "MQTT_BROKER_PORT": str(broker.port)}
    stack = Up(tmp_path, **where)
    stack.start()
    try:
        stack.wait_ready()
        assert "Broker     as configured" in stack.output()
        assert "demo" not in stack.output()
        clients = re.findall(r"New client connected from \S+ as (\S+)", broker.output())
        assert clients == ["mqtt-bridge-service"]
    finally:
        stack.terminate(15)


def test_unusable_settings_end_with_status_2(tmp_path: Path) -> None:
    """A wrong value is named before anything starts."""
    stack = Up(tmp_path, AUTH_MODE="sometimes")
    stack.start()
    assert stack.process is not None
    assert stack.process.wait(10) == 2
    assert "AUTH_MODE" in stack.output()


def test_data_survives_when_a_folder_is_given(tmp_path: Path) -> None:
    """With --data-dir a retained message is still there after a restart."""
    for returning in (False, True):
        folder = tmp_path / str(returning)
        folder.mkdir()
        stack = Up(folder, "--no-demo", "--data-dir", str(tmp_path / "data"))
        stack.start()
        try:
            stack.wait_ready()
            if not returning:
                _publish_retained(stack, "kept/topic")
            wait_for(partial(_knows, stack, "kept/topic"), f"topic known, {returning=}", 15)
        finally:
            assert stack.terminate(15) == 0, stack.output()


def _publish_retained(stack: Up, topic: str) -> None:
    found = re.search(r"mqtt://127\.0\.0\.1:(\d+)", stack.output())
    assert found is not None
    publish.single(topic, "x", qos=1, retain=True, hostname="127.0.0.1", port=int(found.group(1)))


def _knows(stack: Up, topic: str) -> bool:
    return topic.partition("/")[0] in _get(stack.http_port, "/api/topics")
