"""The process: start, refuse to start, stop; what it imports and what it costs at rest."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.support.dashboard_server import DashboardServer, viewers
from tests.support.feed import Feed
from tests.support.servers import RedisServer, running, wait_for

SCRIPT = str(Path(sys.executable).parent / "mqtt-dashboard")


def _serve(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, "serve"],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_bad_settings_exit_2_with_all_problems() -> None:
    """All problems are told at once, in words, and the status is 2."""
    done = _serve(DASHBOARD_PORT="99999", REDIS_PORT="x", LOG_LEVEL="loud")
    assert done.returncode == 2
    for name in ("DASHBOARD_PORT", "REDIS_PORT", "LOG_LEVEL"):
        assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_taken_port_is_told_in_words() -> None:
    """A port in use ends the start at once with a sentence, not a traceback."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = _serve(DASHBOARD_PORT=str(port))
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "DASHBOARD_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_p65_the_worker_that_is_tested_is_the_shipped_one(tmp_path: Path) -> None:
    """P65: a worker of `mqtt-dashboard serve` runs on gevent, here as everywhere."""
    server = DashboardServer(tmp_path, 1)
    with running(server):
        (pid,) = server.children()
        assert "gevent" in Path(f"/proc/{pid}/maps").read_text()
        (facts,) = [one["process"]["libraries"] for one in server.get("/api/system")[1]["workers"]]
        assert {"gevent", "gunicorn"} <= set(facts)


def test_p30_it_starts_and_tells_the_truth_without_redis(tmp_path: Path) -> None:
    """P30: no Redis is a state to show, not a reason to die."""
    server = DashboardServer(tmp_path, 1)
    with running(server):
        wait_for(lambda: server.broker()["redis"]["status"] == "down", "redis is down", 5)
        assert server.broker()["connected"] is None
        assert server.broker()["bridge"]["alive"] is None
        assert server.get("/health")[0] == 503


def test_p42_sigterm_stops_within_five_seconds_with_open_channels(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """P42: open websockets do not hold the stop up, and the exit status is 0."""
    server = DashboardServer(tmp_path, redis_server.port, WEB_CONCURRENCY="2")
    with running(server), viewers(server, 4):
        started = time.monotonic()
        assert server.terminate(10) == 0
        assert time.monotonic() - started < 5


def test_p64_a_killed_worker_is_replaced_and_follows(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """P64: a new worker builds its own connections and loops."""
    feed = Feed(redis_server.client())
    server = DashboardServer(tmp_path, redis_server.port)
    with running(server):
        (worker,) = server.children()
        os.kill(worker, 9)
        wait_for(lambda: server.children() not in ([], [worker]), "a new worker", 10)
        wait_for(server.answers, "it answers", 10)
        feed.beat(ttl_s=60)
        wait_for(lambda: server.broker()["connected"] is True, "it follows", 5)


def test_the_dashboard_imports_no_mqtt() -> None:
    """The served application pulls in no MQTT client and nothing of the bridge."""
    code = (
        "import sys; import mqtt_dashboard.dashboard.wsgi; print('\\n'.join(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = set(done.stdout.split())
    assert "mqtt_dashboard.dashboard.app" in loaded
    forbidden = ("paho", "mqtt5", "mqtt_dashboard.mqtt", "mqtt_dashboard.bridge")
    found = [
        name
        for name in loaded
        if any(name == one or name.startswith(one + ".") for one in forbidden)
    ]
    assert found == []


def test_at_rest_it_costs_next_to_nothing(tmp_path: Path, redis_server: RedisServer) -> None:
    """Idle, master and worker together take less than 2 % of a core (1 % is the aim)."""
    feed = Feed(redis_server.client())
    server = DashboardServer(tmp_path, redis_server.port)
    with running(server):
        feed.beat(ttl_s=60)
        wait_for(lambda: server.broker()["connected"] is True, "it follows", 5)
        pids = [server.pid, *server.children()]
        before, started = sum(map(_cpu_seconds, pids)), time.monotonic()
        wait_for(lambda: time.monotonic() - started > 5, "five seconds pass", 6)
        assert (sum(map(_cpu_seconds, pids)) - before) / (time.monotonic() - started) < 0.02


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
