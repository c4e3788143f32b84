"""`mqtt-dashboard users` and `tokens`, against a real Redis and a running dashboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import Done, invoke
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


def _run(redis_port: int, *words: str, given: str = "") -> Done:
    return invoke({"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_port)}, *words, given=given)


def test_users_are_handled_on_the_command_line(
    server: DashboardServer, redis_server: RedisServer
) -> None:
    """Add, list, change and remove; refusals in words with status 1; sessions end at once."""
    port = redis_server.port
    done = _run(port, "users", "add", "ada", "--role", "operator", "--read", "a/#", "--generate")
    assert done.status == 0, done.err
    password = done.out.split("password: ")[1].strip()
    ada = Visitor(server).login("ada", password)
    assert ada.get("/api/auth/me")[1]["read"]["filters"] == ["a/#"]
    assert _run(port, "users", "add", "ada", given=f"{PASSWORD}\n").status == 1
    assert _run(port, "users", "add", "bob", given="short\n").status == 1
    assert _run(port, "users", "add", "bob", "--read", "a/#/b", "--generate").status == 1
    control = ("--role", "operator", "--publish", "$CONTROL/#", "--generate")
    refused = _run(port, "users", "add", "bob", *control)
    assert (refused.status, "administrator" in refused.err) == (1, True)
    listed = _run(port, "users", "list").out
    assert "ada\toperator\tread a/#\tpublish (role's)" in listed
    assert "argon2" not in listed
    assert _run(port, "users", "passwd", "ada", given=f"{PASSWORD}\n").status == 0
    assert ada.get("/api/topics")[0] == 401
    Visitor(server).login("ada")
    assert _run(port, "users", "role", "ada", "viewer").status == 0
    last = _run(port, "users", "remove", "admin")
    assert (last.status, "last administrator" in last.err) == (1, True)
    assert _run(port, "users", "remove", "ada").status == 0
    assert _run(port, "users", "remove", "ada").status == 1


def test_tokens_are_handled_on_the_command_line(
    server: DashboardServer, redis_server: RedisServer
) -> None:
    """The token is the one line of standard output; it works until it is revoked."""
    port = redis_server.port
    done = _run(port, "tokens", "create", "job", "--role", "viewer", "--for", "12h")
    token = done.out.strip()
    program = Visitor(server, token)
    assert program.get("/api/auth/me")[1]["name"] == "token:job"
    identity = token.split("_")[1]
    listed = _run(port, "tokens", "list").out
    assert identity in listed
    assert token not in listed
    assert _run(port, "tokens", "create", "x", "--for", "forever").status == 1
    assert _run(port, "tokens", "revoke", identity).status == 0
    assert program.get("/api/topics")[0] == 401
    assert _run(port, "tokens", "revoke", identity).status == 1


def test_without_redis_the_commands_say_so() -> None:
    """No traceback: a sentence and status 1."""
    done = _run(1, "users", "list")
    assert done.status == 1
    assert "Redis" in done.err
    assert "Traceback" not in done.err
