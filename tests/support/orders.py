"""Asks a real dashboard for durable commands; a bridge that dies where it is told to."""

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

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


class CrashingBridge(BridgeProcess):
    """A bridge that ends by SIGKILL when it comes to a named point for the n-th time."""

    def __init__(self, folder: Path, broker_port: int, redis: RedisServer, **extra: str) -> None:
        super().__init__(folder, broker_port, redis, **extra)
        self.command = [sys.executable, "-m", "tests.support.crashing_bridge"]
        assert self.env is not None
        self.env["PYTHONPATH"] = str(Path(__file__).parents[2])

    def crash_at(self, point: str | None, times: int = 1) -> None:
        """Choose where the next start ends; None: nowhere."""
        assert self.env is not None
        self.env["CRASH_AT"] = "" if point is None else f"{point}:{times}"

    def wait_crash(self, timeout: float = 15) -> bool:
        """Wait for the end; return whether it came."""
        until = time.monotonic() + timeout
        while self.alive() and time.monotonic() < until:
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
