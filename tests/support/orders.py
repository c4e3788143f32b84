"""Asks a real dashboard for durable commands; a bridge that dies where it is told to."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
import psutil

from mqtt_dashboard.contract.channels import RedisChannels
from tests.support.dashboard_server import DashboardServer
from tests.support.servers import Broker, RedisServer, wait_for
from tests.support.services import BridgeProcess, Device

NAMES = RedisChannels()
# Nothing is dropped for want of room.
ROOMY = "max_queued_messages 0\nmax_queued_bytes 0\n"
HEADERS = {"Content-Type": "application/json"}


def post(
    dashboard: DashboardServer, key: str | None = None, **fields: object
) -> tuple[int, dict[str, Any]]:
    """Post a command; return the status and the record."""
    headers = {**HEADERS, **({"Idempotency-Key": key} if key is not None else {})}
    status, body, _ = dashboard.request(
        "POST", "/api/commands", msgspec.json.encode(fields), headers
    )
    return status, msgspec.json.decode(body)


def post_again(
    dashboard: DashboardServer, key: str, timeout: float = 60, **fields: object
) -> dict[str, Any]:
    """Post a command until it is accepted, as whoever got no answer does: with the same key."""
    until = time.monotonic() + timeout
    while True:
        status, record = 0, {"message": "no answer"}
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, record = post(dashboard, key, **fields)
        if status in {200, 202}:
            return record
        assert status in {0, 503}, record
        assert time.monotonic() < until, record
        time.sleep(0.1)


def ask(dashboard: DashboardServer, command_id: str, wait: float = 0) -> dict[str, Any]:
    """Return the record of a command, at once or when it has its result."""
    status, record = dashboard.get(f"/api/commands/{command_id}?wait={wait}")
    assert status == 200, record
    return dict(record)


def finished(dashboard: DashboardServer, command_id: str, timeout: float = 20) -> dict[str, Any]:
    """Wait for the result of a command."""
    until = time.monotonic() + timeout
    while True:
        record = ask(dashboard, command_id, wait=5)
        if record["state"] != "accepted":
            return record
        assert time.monotonic() < until, f"no result: {record}"


class CrashingDashboard(DashboardServer):
    """Two workers that end by SIGKILL where a request says so: see `crashing_dashboard`."""

    def __init__(self, folder: Path, redis_port: int, **environ: str) -> None:
        super().__init__(folder, redis_port, **environ)
        assert self.env is not None
        self.env["PYTHONPATH"] = str(Path(__file__).parents[2])
        self.command = [sys.executable, "-m", "gunicorn", "--workers", "2"]
        self.command += ["--config", "python:tests.support.crashing_dashboard"]
        self.command += ["--bind", f"127.0.0.1:{self.port}"]

    def crash(self, point: str, key: str, **fields: object) -> tuple[int, dict[str, Any]]:
        """Post a command during which the worker ends; status 0 when there was no answer."""
        headers = {**HEADERS, "Idempotency-Key": key, "X-Crash-At": point}
        body = msgspec.json.encode(fields)
        try:
            status, answer, _ = self.request("POST", "/api/commands", body, headers)
        except (OSError, http.client.HTTPException):
            return 0, {}
        return status, msgspec.json.decode(answer)


class Nursery:
    """A process that has loaded what a bridge needs; bridges are forked from it at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.crashing_bridge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )

    def bear(self, env: dict[str, str], log: Path) -> int:
        """Start a bridge; return its process id."""
        pipes = self._process
        assert pipes.stdin is not None
        assert pipes.stdout is not None
        pipes.stdin.write(json.dumps({"env": env, "log": str(log)}) + "\n")
        pipes.stdin.flush()
        return int(pipes.stdout.readline())

    def close(self) -> None:
        """End the process, and with it all bridges that are left."""
        self._process.kill()
        self._process.communicate()


class CrashingBridge(BridgeProcess):
    """A bridge that ends by SIGKILL when it comes to a named point for the n-th time."""

    def __init__(
        self, nursery: Nursery, folder: Path, broker_port: int, redis: RedisServer, **extra: str
    ) -> None:
        super().__init__(folder, broker_port, redis, **extra)
        self._nursery = nursery
        self._born: psutil.Process | None = None

    def start(self) -> Self:
        """Fork it from the nursery."""
        assert self.env is not None
        self._born = psutil.Process(self._nursery.bear(self.env, self.log))
        return self

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._born is not None and self._born.is_running()

    def kill(self) -> None:
        """End it at once."""
        if self._born is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._born.kill()
            self._born.wait(10)

    def crash_at(self, point: str | None, times: int = 1) -> None:
        """Choose where the next start ends; None: nowhere."""
        assert self.env is not None
        self.env["CRASH_AT"] = "" if point is None else f"{point}:{times}"

    def wait_crash(self, idle: Callable[[], bool], timeout: float = 30) -> bool:
        """Wait for the end, or until there is nothing left to do; return whether it ended."""
        until = time.monotonic() + timeout
        while self.alive() and time.monotonic() < until and not idle():
            time.sleep(0.02)
        return not self.alive()


def deliveries(device: Device, topic: str) -> Counter[bytes]:
    """Return how often each payload arrived on a topic."""
    return Counter(device.heard(topic))


def left_in_stream(redis: RedisServer) -> int:
    """Return how many commands have no result."""
    return int(redis.client().xlen(NAMES.orders))


__all__ = [
    "NAMES",
    "ROOMY",
    "Broker",
    "CrashingBridge",
    "Device",
    "ask",
    "deliveries",
    "finished",
    "left_in_stream",
    "post",
    "wait_for",
]
