"""Who did what is written down before it is done: publishes, sign-ins, users and tokens."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, Visitor, add_user, forgive_all, store_of

SECRET_PAYLOAD = "the door code is 4711"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run two workers that ask for sign-in."""
    folder = tmp_path_factory.mktemp("audit")
    environ = {
        "AUTH_MODE": "required",
        "ADMIN_PASSWORD": PASSWORD,
        "WEB_CONCURRENCY": "2",
        "AUDIT_KEY": "sixteen letters or more",
    }
    with running_stack(folder, **environ) as running_one:
        port = running_one.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        add_user(port, "ada", "operator", read=["hall/#"], publish=["hall/#"])
        yield running_one


@pytest.fixture
def admin(stack: Stack) -> Visitor:
    forgive_all(stack.redis.client())
    return Visitor(stack.dashboard).login("admin")


def entries(admin: Visitor, **query: str) -> list[dict[str, Any]]:
    """Return what the record holds, the newest first."""
    text = "&".join(f"{name}={value}" for name, value in query.items())
    status, answer = admin.get(f"/api/audit?{text}")
    assert status == 200, answer
    return [one["entry"] for one in answer["entries"]]


def outcome_of(admin: Visitor, seq: int) -> str | None:
    return next((one["outcome"] for one in entries(admin) if one.get("of") == seq), None)


@pytest.mark.parametrize("way", ["route", "command", "socket"])
def test_a_publish_and_its_result_are_written_down(stack: Stack, admin: Visitor, way: str) -> None:
    """Who, from where, what topic, how much, and what became of it; never the payload."""
    ada = Visitor(stack.dashboard).login("ada")
    body = {"topic": "hall/door", "payload": SECRET_PAYLOAD, "qos": 1}
    if way == "socket":
        ada.connect()
        assert ada.call("publish", body)["ok"]
        ada.close()
    else:
        path = "/api/commands" if way == "command" else "/api/messages/publish"
        assert ada.ask("POST", path, body)[0] in {200, 202}
    asked = entries(admin, who="ada", action="publish")[0]
    assert (asked["who"], asked["role"], asked["address"]) == ("ada", "operator", "127.0.0.1")
    assert (asked["topic"], asked["qos"], asked["size"]) == ("hall/door", 1, len(SECRET_PAYLOAD))
    assert len(asked["sha256"]) == 64
    wait_for(lambda: outcome_of(admin, asked["seq"]) == "acked", "the result is written down")
    assert admin.get("/api/audit/verify")[1]["ok"]


def test_a_refused_publish_is_written_down(stack: Stack, admin: Visitor) -> None:
    """An attempt at a foreign topic leaves a trace with the reason."""
    ada = Visitor(stack.dashboard).login("ada")
    assert ada.ask("POST", "/api/commands", {"topic": "vault/door"})[0] == 403
    body = {"topic": "hall/door", "response_topic": "vault/answers"}
    assert ada.ask("POST", "/api/commands", body)[0] == 403
    answers, told = entries(admin, who="ada", action="publish", outcome="refused")
    assert (told["topic"], told["role"]) == ("vault/door", "operator")
    assert "may publish to" in told["detail"]
    assert "may read" in answers["detail"]


def test_what_needs_another_role_is_written_down(stack: Stack, admin: Visitor) -> None:
    """Asking for an administrator's route or an operator's event leaves a trace."""
    ada = Visitor(stack.dashboard).login("ada")
    assert ada.ask("POST", "/api/users", {"name": "eve", "password": PASSWORD})[0] == 403
    add_user(stack.redis.port, "vic", "viewer")
    vic = Visitor(stack.dashboard).login("vic")
    vic.connect()
    assert not vic.call("publish", {"topic": "hall/door"})["ok"]
    vic.close()
    found = [(one["who"], one["target"]) for one in entries(admin, action="forbidden")]
    assert found[:2] == [("vic", "event publish"), ("ada", "POST /api/users")]


def test_a_key_that_was_known_is_told_as_repeated(stack: Stack, admin: Visitor) -> None:
    """The second request with a key did nothing; the record says for which command it stands."""
    ada = Visitor(stack.dashboard).login("ada")
    first, second = (
        ada.ask("POST", "/api/commands", {"topic": "hall/x"}, Idempotency_Key="once")[1]["id"]
        for _ in range(2)
    )
    assert first == second
    newest = entries(admin, outcome="repeated")[0]
    assert first in newest["detail"]


def test_people_and_tokens(stack: Stack, admin: Visitor) -> None:
    """Sign-ins, refused ones too, changes of users and tokens; and no secret in any of it."""
    bob = {"name": "bob", "password": "a passphrase for bob", "role": "viewer"}
    assert admin.ask("POST", "/api/users", bob)[0] == 201
    assert admin.ask("PATCH", "/api/users/bob", {"password": "another one for bob"})[0] == 200
    token = admin.ask("POST", "/api/tokens", {"label": "ci", "role": "viewer", "lifetime_s": 60})[1]
    assert admin.ask("DELETE", f"/api/tokens/{token['info']['id']}")[0] == 200
    assert admin.ask("POST", "/api/users", bob)[0] == 409
    Visitor(stack.dashboard).login("bob", "another one for bob").ask("POST", "/api/auth/logout", {})
    stranger = Visitor(stack.dashboard)
    for name in ("bob", "my secret in the wrong field"):
        login = {"name": name, "password": "a wrong password"}
        assert stranger.ask("POST", "/api/auth/login", login)[0] == 401
    assert admin.ask("DELETE", "/api/users/bob")[0] == 200

    told = [(one["action"], one["outcome"], one["who"]) for one in entries(admin)]
    for wanted in (
        ("user_add", "done", "admin"),
        ("user_add", "refused", "admin"),
        ("user_change", "done", "admin"),
        ("token_add", "done", "admin"),
        ("token_revoke", "done", "admin"),
        ("sign_in", "done", "bob"),
        ("sign_out", "done", "bob"),
        ("sign_in", "refused", "bob"),
        ("sign_in", "refused", ""),
        ("user_remove", "done", "admin"),
    ):
        assert wanted in told, wanted
    raw = str(stack.redis.client().xrange("mqtt:audit"))
    for secret in (
        SECRET_PAYLOAD,
        PASSWORD,
        "a passphrase for bob",
        "another one for bob",
        "a wrong password",
        "my secret in the wrong field",
        token["token"],
        "sixteen letters or more",
    ):
        assert secret not in raw


def test_what_cannot_be_written_down_is_not_done(stack: Stack, admin: Visitor) -> None:
    """With the record out of order a publish answers 503 and nothing is sent; so does the rest."""
    client = stack.redis.client()
    kept = client.dump("mqtt:audit:head")
    client.set("mqtt:audit:head", "no hash")
    stack.bridge.commands.clear()
    try:
        body = {"topic": "hall/door", "qos": 1}
        for path in ("/api/messages/publish", "/api/commands"):
            status, answer = admin.ask("POST", path, body)
            assert status == 503
            assert "audit" in answer["message"]
        bob = {"name": "carl", "password": "a passphrase for carl", "role": "viewer"}
        assert admin.ask("POST", "/api/users", bob)[0] == 503
        login = {"name": "ada", "password": PASSWORD}
        assert Visitor(stack.dashboard).ask("POST", "/api/auth/login", login)[0] == 503
    finally:
        client.delete("mqtt:audit:head")
        client.restore("mqtt:audit:head", 0, kept)
    assert stack.bridge.commands == []
    assert admin.ask("POST", "/api/commands", body)[0] == 202
    assert "carl" not in [one["name"] for one in admin.get("/api/users")[1]["users"]]


def test_search_pages_and_files(stack: Stack, admin: Visitor) -> None:
    """Pages join without a hole, searches narrow, a file holds all and no formula."""
    for number in range(7):
        topic = f"=cmd|'/c calc'!A{number}"
        assert admin.ask("POST", "/api/commands", {"topic": topic})[0] == 202
    everything = [one["seq"] for one in entries(admin, limit="500")]
    paged: list[int] = []
    before = ""
    while True:
        answer = admin.get(f"/api/audit?limit=5{before}")[1]
        paged += [one["entry"]["seq"] for one in answer["entries"]]
        if answer["next"] is None:
            break
        before = f"&before={answer['next']}"
    assert paged == list(range(paged[0], 0, -1))
    assert set(everything) <= set(paged)
    assert entries(admin, until="1") == []

    for bad in (
        "limit=0",
        "limit=x",
        "before=0",
        "action=x",
        "outcome=",
        "since=nan",
        "since=-1",
        "until=1e99",
    ):
        assert admin.get(f"/api/audit?{bad}")[0] == 400, bad

    _, body, _ = stack.dashboard.request("GET", "/api/audit/export", headers=admin.headers)
    lines = [json.loads(line) for line in body.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert json.loads(lines[0]["entry"])["seq"] == 1
    _, body, got = stack.dashboard.request("GET", "/api/audit/export.csv", headers=admin.headers)
    assert "attachment" in got["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert any(row["topic"].startswith("'=cmd") for row in rows)
    assert not any(cell.startswith("=") for row in rows for cell in row.values() if cell)


def test_the_command_line_is_written_down_and_can_verify(stack: Stack) -> None:
    """Users changed on the command line are in the record; verify ends with 0, broken with 1."""
    script = Path(sys.executable).parent / "mqtt-dashboard"
    env = {
        **os.environ,
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(stack.redis.port),
        "AUDIT_KEY": "sixteen letters or more",
    }

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(script), *words], env={**env, **more}, capture_output=True, text=True, check=False
        )

    assert run("users", "add", "dora", "--role", "viewer", "--generate").returncode == 0
    shown = run("audit", "tail", "--action", "user_add").stdout
    assert "command line" in shown
    assert "dora" in shown
    assert len(run("audit", "export").stdout.splitlines()) >= 2
    keyless = run("users", "add", "zed", "--role", "viewer", "--generate", AUDIT_KEY="")
    assert keyless.returncode == 1
    assert "AUDIT_KEY" in keyless.stderr
    assert store_of(stack.redis.port).user("zed") is None
    assert "whole" in run("audit", "verify").stdout
    wrong = run("audit", "verify", AUDIT_KEY="another key, just as long")
    assert (wrong.returncode, "AUDIT_KEY" in wrong.stdout) == (1, True)
