"""Users as administrators and they themselves handle them: passwords, sessions, disabling."""

import time
from collections.abc import Iterator

import pytest

from mqtt_dashboard.contract.commands import PublishCommand
from tests.support.dashboard_server import DashboardServer
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, Visitor, add_user, forgive_all, store_of


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard of two workers that asks for sign-in."""
    folder = tmp_path_factory.mktemp("users")
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD, "WEB_CONCURRENCY": "2"}
    with running_stack(folder, **environ) as running_one:
        port = running_one.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        yield running_one


@pytest.fixture
def server(stack: Stack) -> DashboardServer:
    """Return the dashboard, with no failed sign-ins remembered."""
    forgive_all(stack.redis.client())
    return stack.dashboard


def test_own_password_and_own_sessions(stack: Stack, server: DashboardServer) -> None:
    """Everybody sees and ends own sessions only, and changes the own password with the old one."""
    add_user(stack.redis.port, "ada", "viewer")
    desk, phone = Visitor(server).login("ada"), Visitor(server).login("ada")
    sessions = desk.get("/api/auth/sessions")[1]["sessions"]
    assert len(sessions) == 2
    assert sum(one["current"] for one in sessions) == 1
    foreign = Visitor(server).login("admin").get("/api/auth/sessions")[1]["sessions"]
    assert not {one["id"] for one in foreign} & {one["id"] for one in sessions}
    assert desk.ask("DELETE", f"/api/auth/sessions?id={foreign[0]['id']}")[0] == 404
    assert desk.ask("DELETE", "/api/auth/sessions")[0] == 200
    assert phone.get("/api/topics")[0] == 401
    change = {"old": "not the old one", "new": "a new long password"}
    assert desk.ask("POST", "/api/auth/password", change)[0] == 422
    phone = Visitor(server).login("ada")
    assert desk.ask("POST", "/api/auth/password", {**change, "old": PASSWORD})[0] == 200
    assert desk.get("/api/topics")[0] == 200
    assert phone.get("/api/topics")[0] == 401
    login = {"name": "ada", "password": PASSWORD}
    assert Visitor(server).ask("POST", "/api/auth/login", login)[0] == 401


def test_administrators_handle_users_and_tokens(server: DashboardServer) -> None:
    """Users and tokens over HTTP: add, change, refuse in words, never show a secret again."""
    boss = Visitor(server).login("admin")
    body = {"name": "eve", "password": PASSWORD, "role": "operator", "publish": ["lamps/#"]}
    status, user = boss.ask("POST", "/api/users", body)
    assert (status, user["publish"], user["read"]) == (201, ["lamps/#"], None)
    assert "password" not in user
    assert boss.ask("POST", "/api/users", body)[0] == 409
    for wrong, field in (
        ({**body, "name": "eve2", "read": ["a/#/b"]}, "read"),
        ({**body, "name": "../eve"}, "name"),
        ({**body, "password": "short"}, "password"),
        ({**body, "name": "eve2", "role": "king"}, "role"),
    ):
        status, answer = boss.ask("POST", "/api/users", wrong)
        assert (status, answer["field"]) == (422, field)
    status, user = boss.ask("PATCH", "/api/users/eve", {"role": "viewer", "publish": None})
    assert (status, user["role"], user["publish"]) == (200, "viewer", None)
    assert boss.ask("PATCH", "/api/users/nobody", {"role": "viewer"})[0] == 404
    assert boss.ask("PATCH", "/api/users/admin", {"role": "viewer"})[0] == 409
    assert boss.ask("DELETE", "/api/users/admin")[0] == 409
    assert boss.ask("DELETE", "/api/users/eve")[0] == 200
    status, made = boss.ask("POST", "/api/tokens", {"label": "job", "role": "operator"})
    assert status == 201
    assert Visitor(server, made["token"]).get("/api/auth/me")[1]["name"] == "token:job"
    assert made["token"] not in str(boss.get("/api/tokens")[1])
    assert boss.ask("DELETE", f"/api/tokens/{made['info']['id']}")[0] == 200
    assert Visitor(server, made["token"]).get("/api/topics")[0] == 401


def test_a_disabled_user_is_out_until_enabled(stack: Stack, server: DashboardServer) -> None:
    """Disabled: cut within a second and not let in; enabled: in again. One administrator stays."""
    boss = Visitor(server).login("admin")
    assert boss.ask("POST", "/api/users", {"name": "dan", "password": PASSWORD})[0] == 201

    def listed() -> dict[str, object]:
        users = boss.get("/api/users")[1]["users"]
        return next(one for one in users if one["name"] == "dan")

    assert (listed()["disabled"], listed()["last_sign_in"]) == (False, None)
    dan = Visitor(server).login("dan")
    seen = listed()["last_sign_in"]
    assert isinstance(seen, float)
    assert abs(seen - time.time()) < 60
    dan.connect()
    assert boss.ask("PATCH", "/api/users/dan", {"disabled": True})[0] == 200
    assert dan.is_cut(2)
    assert dan.get("/api/topics")[0] == 401
    login = {"name": "dan", "password": PASSWORD}
    status, answer = Visitor(server).ask("POST", "/api/auth/login", login)
    assert (status, "disabled" in answer["message"]) == (401, True)
    assert listed()["disabled"] is True
    assert boss.ask("PATCH", "/api/users/admin", {"disabled": True})[0] == 409
    assert boss.ask("PATCH", "/api/users/dan", {"disabled": False})[0] == 200
    assert dan.get("/api/topics")[0] == 401  # the old session does not come back
    dan.login("dan")
    assert boss.ask("DELETE", "/api/users/dan")[0] == 200
    assert "dan" not in str(stack.redis.client().hgetall("mqtt:auth:seen"))


def test_an_administrator_signs_somebody_out_everywhere(server: DashboardServer) -> None:
    """All sessions end, wherever they are; the user may sign in again."""
    boss = Visitor(server).login("admin")
    assert boss.ask("POST", "/api/users", {"name": "eva", "password": PASSWORD})[0] == 201
    sessions = [Visitor(server).login("eva") for _ in range(2)]
    assert boss.ask("DELETE", "/api/users/eva/sessions")[0] == 200
    assert [one.get("/api/topics")[0] for one in sessions] == [401, 401]
    Visitor(server).login("eva")
    assert boss.ask("DELETE", "/api/users/nobody/sessions")[0] == 404
    assert boss.ask("DELETE", "/api/users/eva")[0] == 200


def test_sessions_of_everybody_are_listed_and_ended_one_by_one(
    stack: Stack, server: DashboardServer
) -> None:
    """Whose, since when, from where; ended one at a time, and only by administrators."""
    boss = Visitor(server).login("admin")
    add_user(stack.redis.port, "lea", "viewer")
    desk, phone = Visitor(server).login("lea"), Visitor(server).login("lea")
    assert desk.get("/api/sessions")[0] == 403
    listed = boss.get("/api/sessions")[1]
    assert listed["more"] is False
    mine = [one for one in listed["sessions"] if one["account"] == "lea"]
    assert len(mine) == 2
    assert {(one["name"], one["role"], one["kind"]) for one in mine} == {
        ("lea", "viewer", "password")
    }
    assert sum(one["current"] for one in listed["sessions"]) == 1
    oldest = min(mine, key=lambda one: float(one["created_at"]))
    status, left = boss.ask("DELETE", f"/api/sessions?account=lea&id={oldest['id']}")
    assert status == 200
    assert len([one for one in left["sessions"] if one["account"] == "lea"]) == 1
    assert desk.get("/api/topics")[0] == 401
    assert phone.get("/api/topics")[0] == 200
    assert boss.ask("DELETE", "/api/sessions?account=lea&id=0123456789abcdef")[0] == 404
    assert boss.ask("DELETE", "/api/users/lea")[0] == 200
    assert "lea" not in str(boss.get("/api/sessions")[1])


def test_a_record_of_an_earlier_version_can_be_changed(
    stack: Stack, server: DashboardServer
) -> None:
    """A user written without today's fields is read, changed and removed like any other."""
    boss, client = Visitor(server).login("admin"), stack.redis.client()
    assert boss.ask("POST", "/api/users", {"name": "old", "password": PASSWORD})[0] == 201
    known = client.hget("mqtt:auth:users", "old") or b""
    client.hset("mqtt:auth:users", "old", known.replace(b',"disabled":false', b""))
    assert b"disabled" not in (client.hget("mqtt:auth:users", "old") or b"")
    assert boss.ask("PATCH", "/api/users/old", {"role": "operator"})[0] == 200
    assert boss.ask("DELETE", "/api/users/old")[0] == 200


def test_control_of_the_broker_is_for_administrators(stack: Stack, server: DashboardServer) -> None:
    """P52: nobody else is given `$CONTROL`, in no spelling; nor by a change of the role alone."""
    boss = Visitor(server).login("admin")
    for filters in (["$CONTROL/#"], ["$CONTROL/+/#"], ["a", "$CONTROL/dynamic-security/v1"]):
        for field in ("publish", "read"):
            body = {"name": "cora", "password": PASSWORD, "role": "operator", field: filters}
            status, answer = boss.ask("POST", "/api/users", body)
            assert (status, answer["field"]) == (422, field), filters
            assert "administrator" in answer["message"]
            made = {"label": "cora", "role": "operator", field: filters}
            status, answer = boss.ask("POST", "/api/tokens", made)
            assert (status, answer["field"]) == (422, field), filters
    body = {"name": "cora", "password": PASSWORD, "role": "administrator"}
    assert boss.ask("POST", "/api/users", {**body, "publish": ["$CONTROL/#"]})[0] == 201
    status, answer = boss.ask("PATCH", "/api/users/cora", {"role": "operator"})
    assert (status, answer["field"]) == (422, "publish")
    topic = "$CONTROL/dynamic-security/v1"
    cora = Visitor(server).login("cora")
    assert cora.ask("POST", "/api/messages/publish", {"topic": topic, "qos": 1})[0] == 200
    sent = next(one for one in stack.bridge.commands if isinstance(one, PublishCommand))
    assert sent.policy is not None
    assert sent.policy.role == "administrator"
    # A record that was written before this was refused: the filter opens nothing.
    client = stack.redis.client()
    known = client.hget("mqtt:auth:users", "cora") or b""
    client.hset("mqtt:auth:users", "cora", known.replace(b'"administrator"', b'"operator"'))
    assert cora.ask("POST", "/api/messages/publish", {"topic": topic, "qos": 1})[0] == 403
    assert boss.ask("PATCH", "/api/users/cora", {"disabled": True})[0] == 200
    assert boss.ask("DELETE", "/api/users/cora")[0] == 200
