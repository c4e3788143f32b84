"""The doctor finds nothing wrong with a sound system, and names what is wrong with a sick one."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard_server import DashboardServer
from tests.support.servers import Broker, RedisServer, running
from tests.support.services import BIN, BridgeProcess


@pytest.fixture
def dashboard(
    tmp_path: Path, bridge: BridgeProcess, redis_server: RedisServer
) -> Iterator[DashboardServer]:
    """Run a dashboard beside the bridge, on a Redis that keeps what it accepts."""
    redis_server.client().config_set("appendonly", "yes")
    server = DashboardServer(tmp_path, redis_server.port)
    with running(server):
        server.wait_ready()
        yield server


def examine(
    broker: Broker, redis: RedisServer, dashboard: DashboardServer
) -> tuple[int, dict[str, Any]]:
    environ = {
        **os.environ,
        "MQTT_BROKER_HOST": "127.0.0.1",
        "MQTT_BROKER_PORT": str(broker.port),
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis.port),
        "DASHBOARD_PORT": str(dashboard.port),
    }
    done = subprocess.run(
        [str(BIN / "mqtt-dashboard"), "doctor", "--json"],
        env=environ,
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.stderr == b"", done.stderr
    return done.returncode, {one["name"]: one for one in json.loads(done.stdout)}


def built() -> bool:
    static = Path(__file__).parents[2] / "src/mqtt_dashboard/dashboard/static/index.html"
    return static.exists()


def test_a_sound_system_passes(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer, dashboard: DashboardServer
) -> None:
    """P59, P86: from the broker to the page every check passes, with exit status 0."""
    assert built(), "the page is not built; `make test` builds it"
    status, findings = examine(broker, redis_server, dashboard)
    assert {name: one["detail"] for name, one in findings.items() if one["ok"] is not True} == {}
    assert len(findings) == 10
    assert status == 0


def test_a_dead_bridge_is_named(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer, dashboard: DashboardServer
) -> None:
    """P84: without a bridge the checks that claim it fail, and say what to do."""
    bridge.kill()
    status, findings = examine(broker, redis_server, dashboard)
    failed = {name for name, one in findings.items() if one["ok"] is False}
    assert failed == {
        "bridge fresh",
        "exactly one bridge client",
        "statistics through Redis",
        "probe: broker to Redis",
        "probe: Redis to broker",
        "dashboard serves",
    }
    assert "mqtt-bridge" in findings["bridge fresh"]["advice"]
    assert status == 1


def test_a_dead_broker_is_named(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer, dashboard: DashboardServer
) -> None:
    """P77: without a broker the first line says so, with the variables to look at.

    A Redis that keeps nothing on disk is named, too, with what to switch on.
    """
    broker.kill()
    redis_server.client().config_set("appendonly", "no")
    status, findings = examine(broker, redis_server, dashboard)
    assert findings["broker reachable"]["ok"] is False
    assert "MQTT_BROKER_HOST" in findings["broker reachable"]["advice"]
    assert findings["Redis reachable"]["ok"] is True
    assert findings["accepted commands are kept"]["ok"] is False
    assert "appendonly yes" in findings["accepted commands are kept"]["advice"]
    assert status == 1
