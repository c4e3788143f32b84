"""`mqtt-dashboard users` and `tokens`, against a real Redis and a running dashboard."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dashboard_server import DashboardServer
from tests.support.servers import RedisServer, wait_for
from tests.support.visitors import PASSWORD, Visitor, served, store_of


@pytest.fixture
def server(tmp_path: Path, redis_server: RedisServer) -> Iterator[DashboardServer]:
    """Run a dashboard that asks for sign-in."""
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD}
    with served(tmp_path, redis_server.port, **environ) as dashboard:
        wait_for(lambda: store_of(redis_server.port).has_users(), "the first user")
        yield dashboard


def _run(redis_port: int, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).parent / "mqtt-dashboard"
    return subprocess.run(
        [str(script), *words],
        env={**os.environ, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_port)},
        input=given,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_users_are_handled_on_the_command_line(
    server: DashboardServer, redis_server: RedisServer
) -> None:
    """Add, list, change and remove; refusals in words with status 1; sessions end at once."""
    port = redis_server.port
    done = _run(port, "users", "add", "ada", "--role", "operator", "--read", "a/#", "--generate")
    assert done.returncode == 0, done.stderr
    password = done.stdout.split("password: ")[1].strip()
    ada = Visitor(server).login("ada", password)
    assert ada.get("/api/auth/me")[1]["read"]["filters"] == ["a/#"]
    assert _run(port, "users", "add", "ada", given=f"{PASSWORD}\n").returncode == 1
    assert _run(port, "users", "add", "bob", given="short\n").returncode == 1
    assert _run(port, "users", "add", "bob", "--read", "a/#/b", "--generate").returncode == 1
    control = ("--role", "operator", "--publish", "$CONTROL/#", "--generate")
    refused = _run(port, "users", "add", "bob", *control)
    assert (refused.returncode, "administrator" in refused.stderr) == (1, True)
    listed = _run(port, "users", "list").stdout
    assert "ada\toperator\tread a/#\tpublish (role's)" in listed
    assert "argon2" not in listed
    assert _run(port, "users", "passwd", "ada", given=f"{PASSWORD}\n").returncode == 0
    assert ada.get("/api/topics")[0] == 401
    Visitor(server).login("ada")
    assert _run(port, "users", "role", "ada", "viewer").returncode == 0
    last = _run(port, "users", "remove", "admin")
    assert (last.returncode, "last administrator" in last.stderr) == (1, True)
    assert _run(port, "users", "remove", "ada").returncode == 0
    assert _run(port, "users", "remove", "ada").returncode == 1


def test_tokens_are_handled_on_the_command_line(
    server: DashboardServer, redis_server: RedisServer
) -> None:
    """The token is the one line of standard output; it works until it is revoked."""
    port = redis_server.port
    done = _run(port, "tokens", "create", "job", "--role", "viewer", "--for", "12h")
    token = done.stdout.strip()
    program = Visitor(server, token)
    assert program.get("/api/auth/me")[1]["name"] == "token:job"
    identity = token.split("_")[1]
    listed = _run(port, "tokens", "list").stdout
    assert identity in listed
    assert token not in listed
    assert _run(port, "tokens", "create", "x", "--for", "forever").returncode == 1
    assert _run(port, "tokens", "revoke", identity).returncode == 0
    assert program.get("/api/topics")[0] == 401
    assert _run(port, "tokens", "revoke", identity).returncode == 1


def test_without_redis_the_commands_say_so() -> None:
    """No traceback: a sentence and status 1."""
    done = _run(1, "users", "list")
    assert done.returncode == 1
    assert "Redis" in done.stderr
    assert "Traceback" not in done.stderr
