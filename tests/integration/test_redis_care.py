"""Whether Redis is kept as it has to be: its door, its memory, an account for each service."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.dashboard_server import DashboardServer
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device

ROOT = Path(__file__).parents[2]
OPEN = "asks for no password"


def _warnings(dashboard: DashboardServer) -> list[str]:
    facts = dashboard.get("/api/system")[1]["redis"]
    return [] if facts is None else list(facts["warnings"])


@pytest.mark.parametrize("guarded", [True, False])
def test_p75_a_password_that_nobody_needs_is_told(tmp_path: Path, *, guarded: bool) -> None:
    """P75: a Redis that lets anybody in, although a password is set here: log and page say so."""
    server = RedisServer(tmp_path, password="a good one" if guarded else None)
    dashboard = DashboardServer(tmp_path, server.port, REDIS_PASSWORD="a good one")
    with running(server, dashboard):
        wait_for(lambda: dashboard.get("/health")[1]["redis"]["status"] == "up", "Redis answers")
        if guarded:
            assert _warnings(dashboard) == []
            assert OPEN not in dashboard.output()
            return
        wait_for(lambda: any(OPEN in one for one in _warnings(dashboard)), "the page says so")
        assert OPEN in dashboard.output()
        assert "a good one" not in dashboard.output()


def test_p75_a_guarded_redis_by_its_address_is_asked_without_the_password(tmp_path: Path) -> None:
    """P75: the password may stand in REDIS_URL; it is left out to see whether it is needed."""
    server = RedisServer(tmp_path)
    url = f"redis://:secret@127.0.0.1:{server.port}/0?password=secret"
    dashboard = DashboardServer(tmp_path, server.port, REDIS_URL=url)
    with running(server, dashboard):
        wait_for(lambda: any(OPEN in one for one in _warnings(dashboard)), "the page says so")
        assert "secret" not in dashboard.output()


def test_p76_memory_is_told_before_it_is_full(tmp_path: Path) -> None:
    """P76: from 70 % of maxmemory on the page warns, while there is time to do something."""
    server = RedisServer(tmp_path)
    dashboard = DashboardServer(tmp_path, server.port)
    with running(server, dashboard):
        client = server.client()
        client.config_set("maxmemory-policy", "noeviction")
        # So much that a connection more or less changes no share.
        client.set("ballast", b"x" * 32_000_000)

        def limited_to(share: float) -> list[str]:
            used = int(client.info("memory")["used_memory"])
            client.config_set("maxmemory", int(used / share))
            return _warnings(dashboard)

        assert limited_to(0.6) == []
        (told,) = limited_to(0.8)
        assert "70 %" in told
        client.config_set("maxmemory", 0)
        assert _warnings(dashboard) == []


def _documented_accounts() -> dict[str, str]:
    """Return the accounts of the reference by name, each with its rules."""
    text = (ROOT / "docs/reference/redis.md").read_text()
    return dict(re.findall(r"^    user (mqtt-\S+) (.+)$", text, re.MULTILINE))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Any, Broker, DashboardServer]]:
    """Run both services, each with its own account and its password in a file."""
    rules = _documented_accounts()
    assert set(rules) == {"mqtt-bridge", "mqtt-dashboard"}
    server, broker = RedisServer(tmp_path, password="of admin", aof=True), Broker(tmp_path)
    accounts = {}
    for name in rules:
        file = tmp_path / name
        file.write_text(f"password of {name}\n")
        accounts[name] = {"REDIS_USERNAME": name, "REDIS_PASSWORD_FILE": str(file)}
    with running(server, broker):
        client = server.client()
        for name, rule in rules.items():
            words = rule.replace(">PASSWORD", f">password of {name}")
            split = re.findall(r">password of \S+|\S+", words)
            client.execute_command("ACL", "SETUSER", name, *split)
        bridge = BridgeProcess(tmp_path, broker.port, server, **accounts["mqtt-bridge"])
        dashboard = DashboardServer(tmp_path, server.port, **accounts["mqtt-dashboard"])
        with running(bridge, dashboard):
            bridge.wait_ready()
            dashboard.wait_ready()
            yield client, broker, dashboard


def test_p78_each_service_has_an_account_that_can_do_no_more(
    guarded: tuple[Any, Broker, DashboardServer],
) -> None:
    """P78: with the documented accounts everything works and Redis logs no refusal; others fail."""
    client, broker, dashboard = guarded
    with Device(broker.port, topics=("lamp/#",)) as device:
        device.publish("hall/temp", "21", retain=True)
        assert dashboard.publish(topic="lamp/1", payload="on", qos=1)[0] == 200
        wait_for(lambda: device.heard("lamp/1") == [b"on"], "the command arrives")
        for path in (
            "/api/topics", "/api/topics/levels", "/api/clients", "/api/broker/stats", "/api/system",
            "/api/broker/story", "/api/broker/stats/history?span=hour", "/api/commands", "/metrics",
            "/api/topics/history?topic=hall/temp", "/api/topics?search=21&values=1",
        ):  # fmt: skip
            wait_for(lambda path=path: dashboard.get(path)[0] == 200, path)  # type: ignore[misc]
    wait_for(lambda: dashboard.get("/api/topics")[1]["count"], "the index is written")
    # Asked for and done without: Redis' settings hold passwords.
    assert {(one["username"], one["object"]) for one in client.acl_log()} <= {
        ("mqtt-dashboard", "config|get")
    }
    assert dashboard.get("/api/commands")[1]["durable"] is True
    for name in ("mqtt-bridge", "mqtt-dashboard"):
        own = redis.Redis(port=client.get_connection_kwargs()["port"], username=name,
                          password=f"password of {name}")  # fmt: skip
        for words in (
            ("CONFIG", "GET", "*"), ("KEYS", "*"), ("FLUSHALL",), ("FLUSHDB",), ("SHUTDOWN",),
            ("MODULE", "LIST"), ("ACL", "LIST"), ("LATENCY", "RESET"),
            ("REPLICAOF", "NO", "ONE"), ("MONITOR",), ("GET", "other:key"),
            ("SET", "other:key", "x"), ("SUBSCRIBE", "other"),
            ("SCRIPT", "FLUSH"), ("CLIENT", "KILL", "ID", "1"),
        ):  # fmt: skip
            with pytest.raises(redis.exceptions.NoPermissionError):
                own.execute_command(*words)  # type: ignore[no-untyped-call]
