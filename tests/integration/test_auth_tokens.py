"""What API tokens may not do, and with whom they end."""

from collections.abc import Iterator

import pytest

from tests.support.dashboard_server import DashboardServer
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, Visitor, add_user, forgive_all, store_of

ACCOUNT_ROUTES = ("users", "tokens", "sessions")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard that asks for sign-in."""
    folder = tmp_path_factory.mktemp("tokens")
    with running_stack(folder, AUTH_MODE="required", ADMIN_PASSWORD=PASSWORD) as running_one:
        port = running_one.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        yield running_one


@pytest.fixture
def server(stack: Stack) -> DashboardServer:
    """Return the dashboard, with no failed sign-ins remembered."""
    forgive_all(stack.redis.client())
    return stack.dashboard


def made(visitor: Visitor, label: str, role: str = "operator", **fields: object) -> Visitor:
    """Return a program with a new token that somebody made."""
    status, answer = visitor.ask("POST", "/api/tokens", {"label": label, "role": role, **fields})
    assert status == 201, answer
    return Visitor(visitor.server, answer["token"])


def test_tokens_are_not_for_users_and_tokens(server: DashboardServer) -> None:
    """An administrator's token reaches accounts only when it was made for that."""
    boss = Visitor(server).login("admin")
    plain = made(boss, "plain", "administrator")
    for route in ACCOUNT_ROUTES:
        status, answer = plain.get(f"/api/{route}")
        assert (status, answer["error"]) == (403, "forbidden"), route
        assert "accounts" in answer["message"]
    assert plain.ask("POST", "/api/tokens", {"label": "more"})[0] == 403
    assert plain.ask("POST", "/api/users", {"name": "eve", "password": PASSWORD})[0] == 403
    assert plain.ask("DELETE", "/api/users/admin")[0] == 403
    assert plain.get("/api/audit")[0] == 200
    keeper = made(boss, "keeper", "administrator", accounts=True)
    for route in ACCOUNT_ROUTES:
        assert keeper.get(f"/api/{route}")[0] == 200, route
    status, answer = boss.ask("POST", "/api/tokens", {"label": "x", "accounts": True})
    assert (status, answer["field"]) == (422, "accounts")
    for one in boss.get("/api/tokens")[1]["tokens"]:
        assert one["accounts"] is (one["label"] == "keeper")


@pytest.mark.parametrize("deed", ["disable", "demote", "remove"])
def test_tokens_end_with_who_made_them(stack: Stack, server: DashboardServer, deed: str) -> None:
    """Out with an administrator are all tokens that one made, and those made by these."""
    add_user(stack.redis.port, "ada", "administrator")
    boss, ada = Visitor(server).login("admin"), Visitor(server).login("ada")
    job = made(ada, "job")
    keeper = made(ada, "keeper", "administrator", accounts=True)
    child = made(keeper, "child")
    others = made(boss, "others")
    early = made(ada, "early")
    # As a release wrote it that kept no more than the maker's name.
    client = stack.redis.client()
    identity = str(early.token).split("_")[1]
    record = client.hget("mqtt:auth:tokens", identity) or b""
    assert b'"maker":"user:ada"' in record
    client.hset("mqtt:auth:tokens", identity, record.replace(b',"maker":"user:ada"', b""))
    child.connect()
    mine = [job, keeper, child, early]
    assert [one.get("/api/topics")[0] for one in mine] == [200] * 4
    if deed == "remove":
        status, answer = boss.ask("DELETE", "/api/users/ada")
    else:
        change = {"disabled": True} if deed == "disable" else {"role": "operator"}
        status, answer = boss.ask("PATCH", "/api/users/ada", change)
    assert status == 200, answer
    assert sorted(answer["ended_tokens"]) == ["child", "early", "job", "keeper"]
    assert child.is_cut(2)
    assert [one.get("/api/topics")[0] for one in mine] == [401] * 4
    assert others.get("/api/topics")[0] == 200
    told = str(boss.get("/api/audit?limit=20")[1]["entries"])
    assert "ends the tokens" in told
    if deed != "remove":
        back = {"disabled": False, "role": "administrator"}
        status, answer = boss.ask("PATCH", "/api/users/ada", back)
        assert (status, answer["ended_tokens"]) == (200, [])
        assert job.get("/api/topics")[0] == 401
        assert boss.ask("DELETE", "/api/users/ada")[0] == 200


def test_other_changes_and_refused_ones_end_no_token(server: DashboardServer) -> None:
    """A new password, filters or a change that is refused leave tokens as they are."""
    boss = Visitor(server).login("admin")
    kept = made(boss, "kept")
    assert boss.ask("PATCH", "/api/users/admin", {"role": "viewer"})[0] == 409
    assert boss.ask("DELETE", "/api/users/admin")[0] == 409
    assert kept.get("/api/topics")[0] == 200
    status, answer = boss.ask("PATCH", "/api/users/admin", {"read": None})
    assert (status, answer["ended_tokens"]) == (200, [])
    assert kept.get("/api/topics")[0] == 200


def test_a_revoked_token_takes_those_along_that_it_made(server: DashboardServer) -> None:
    """Tokens made by a token end with it, and the answer names them."""
    boss = Visitor(server).login("admin")
    keeper = made(boss, "keeper", "administrator", accounts=True)
    child = made(keeper, "child")
    identity = str(keeper.token).split("_")[1]
    status, answer = boss.ask("DELETE", f"/api/tokens/{identity}")
    assert (status, answer["ended_tokens"]) == (200, ["child"])
    assert child.get("/api/topics")[0] == 401
