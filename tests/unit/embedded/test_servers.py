"""The embedded broker and Redis, started for real, and the ports they choose."""

import sys
from pathlib import Path

import pytest
import redis

from mqtt_dashboard.embedded import broker, mosquitto, ports, redis_server
from mqtt_dashboard.embedded.children import Child, Supervisor
from tests.support.servers import free_port, port_open, wait_for


def _silent(_line: str) -> None:
    return None


def test_redis_refuses_strangers_and_never_evicts(tmp_path: Path) -> None:
    """Anonymous access fails, the password file is private, nothing is evicted (P75, P76)."""
    server = redis_server.prepare(tmp_path, tmp_path)
    supervisor = Supervisor()
    supervisor.start(server.child)
    try:
        wait_for(lambda: port_open(server.port), "Redis listens")
        stranger = redis.Redis(port=server.port)
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()
        stranger.close()
        password_file = Path(server.environ["REDIS_PASSWORD_FILE"])
        assert password_file.stat().st_mode & 0o077 == 0
        friend = redis.Redis(port=server.port, password=password_file.read_text())
        assert friend.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert friend.config_get("appendonly") == {"appendonly": "yes"}
        assert friend.config_get("bind") == {"bind": "127.0.0.1"}
        friend.close()
    finally:
        supervisor.stop([(("redis",), 2.0)], 3.0)


def test_mosquitto_starts_from_our_configuration(tmp_path: Path) -> None:
    """The installed mosquitto accepts every line and listens on loopback only."""
    found = mosquitto.find(tmp_path, _silent)
    assert found is not None
    server = broker.prepare(found, tmp_path, tmp_path, keep=True, preferred=free_port())
    supervisor = Supervisor()
    child = supervisor.start(server.child)
    try:
        wait_for(lambda: port_open(server.port), "mosquitto listens")
        assert "Error" not in "\n".join(child.last_lines(50))
        assert server.environ["MQTT_BROKER_PORT"] == str(server.port)
    finally:
        supervisor.stop([(("broker",), 2.0)], 3.0)


def test_amqtt_stands_in_when_there_is_no_mosquitto(tmp_path: Path) -> None:
    """Without mosquitto the limited broker starts, and its title says that it is limited."""
    server = broker.prepare(None, tmp_path, tmp_path, keep=False, preferred=free_port())
    supervisor = Supervisor()
    supervisor.start(server.child)
    try:
        wait_for(lambda: port_open(server.port), "amqtt listens", 20)
        assert "limited demo broker" in server.title
        assert server.environ["MQTT_PROTOCOL"] == "3.1.1"
    finally:
        supervisor.stop([(("broker",), 2.0)], 3.0)


def test_settings_for_another_broker_do_not_reach_the_embedded_one(tmp_path: Path) -> None:
    """Credentials and TLS of the environment are blanked for the embedded broker."""
    server = broker.prepare(None, tmp_path, tmp_path, keep=False, preferred=None)
    assert {server.environ[name] for name in ("MQTT_TLS", "MQTT_USERNAME", "MQTT_URL")} == {""}


def test_a_taken_port_has_a_holder_and_a_replacement(tmp_path: Path) -> None:
    """A port in use is seen as taken, its holder is named, and another port is offered."""
    port = free_port()
    assert ports.can_listen("127.0.0.1", port)
    code = f"import http.server as h; h.test(port={port}, bind='127.0.0.1')"
    supervisor = Supervisor()
    child = supervisor.start(Child("web", [sys.executable, "-c", code], tmp_path / "log"))
    try:
        wait_for(lambda: port_open(port), "something listens")
        assert not ports.can_listen("127.0.0.1", port)
        assert ports.free_port(port) != port
        assert child.process is not None
        assert f"(process {child.process.pid})" in (ports.holder(port) or "")
    finally:
        supervisor.stop([], 0.1)
