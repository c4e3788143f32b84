"""From where somebody comes: proxies, IPv4 in IPv6, and addresses that are held back."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis

from mqtt_dashboard.dashboard.auth.addresses import bucket_of
from tests.support.dashboard_server import DashboardServer
from tests.support.oidc_browser import START
from tests.support.oidc_house import environ_of
from tests.support.oidc_provider import OidcProvider
from tests.support.servers import RedisServer, running, wait_for
from tests.support.visitors import PASSWORD, Visitor, add_user, forgive_all, served, store_of

HOST, PROXY, STRANGER = "127.0.0.1", "127.0.0.2", "127.0.0.3"
LOGIN = {"name": "admin", "password": PASSWORD}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DashboardServer, int]]:
    """Run a dashboard that believes one proxy, which is not on its own address."""
    folder = tmp_path_factory.mktemp("behind")
    redis = RedisServer(folder)
    provider = OidcProvider().start()
    environ = {**environ_of(provider), "TRUSTED_PROXIES": PROXY}
    try:
        with running(redis), served(folder, redis.port, **environ) as dashboard:
            wait_for(lambda: store_of(redis.port).has_users(), "the first user")
            add_user(redis.port, "vera", "viewer")
            yield dashboard, redis.port
    finally:
        provider.stop()


@pytest.fixture
def server(behind: tuple[DashboardServer, int]) -> DashboardServer:
    """Return that dashboard, with no failed sign-ins remembered."""
    forgive_all(_client(behind[1]))
    return behind[0]


def _client(port: int) -> redis.Redis:
    return redis.Redis(port=port)


def test_a_proxy_elsewhere_speaks_for_https(server: DashboardServer) -> None:
    """By the listed proxy's word: own origin, a Secure `__Host-` cookie, the live channel, OIDC."""
    origin = f"https://127.0.0.1:{server.port}"
    browser = Visitor(server, source=PROXY)
    said = {"X_Forwarded_Proto": "https", "Origin": origin}
    status, answer = browser.ask("POST", "/api/auth/login", LOGIN, **said)
    assert status == 200, answer
    assert browser.cookie is not None
    assert browser.cookie.startswith("__Host-mqtt-dashboard=")
    assert "Secure" in browser.attributes
    assert browser.ask("GET", "/api/topics", **said)[0] == 200
    assert browser.get("/api/topics")[0] == 401
    assert server.upgrade(PROXY, Cookie=browser.cookie, **said) == 101
    # What some proxies call the scheme of a websocket.
    assert (
        server.upgrade(PROXY, Cookie=browser.cookie, **{**said, "X_Forwarded_Proto": "wss"}) == 101
    )
    assert server.upgrade(PROXY, Cookie=browser.cookie, Origin=origin) == 403
    asked = Visitor(server, source=PROXY)
    assert asked.ask("GET", START, X_Forwarded_Proto="https")[0] == 302
    query = parse_qs(urlsplit(asked.got["location"]).query)
    assert query["redirect_uri"][0].startswith(f"{origin}/")


@pytest.mark.parametrize("source", [None, STRANGER])
def test_nobody_else_speaks_for_https(server: DashboardServer, source: str | None) -> None:
    """Not even this machine's own address is believed unless it is listed."""
    visitor = Visitor(server, source=source)
    said = {"X_Forwarded_Proto": "https", "X_Forwarded_Ssl": "on", "X_Forwarded_Protocol": "ssl"}
    origin = f"127.0.0.1:{server.port}"
    answer = visitor.ask("POST", "/api/auth/login", LOGIN, Origin=f"https://{origin}", **said)
    assert answer[0] == 403
    status, _ = visitor.ask("POST", "/api/auth/login", LOGIN, Origin=f"http://{origin}", **said)
    assert status == 200
    assert visitor.cookie is not None
    assert visitor.cookie.startswith(f"mqtt-dashboard-{server.port}=")
    assert "Secure" not in visitor.attributes


def test_a_proxys_word_is_not_drowned_by_what_it_passes_on(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """A stale cookie or the proxy's own credentials do not hide whom the proxy names."""
    environ = {"AUTH_MODE": "required", "PROXY_USER_HEADER": "X-Remote-User"}
    environ |= {"TRUSTED_PROXIES": PROXY, "ADMIN_PASSWORD": PASSWORD}
    with served(tmp_path, redis_server.port, **environ) as dashboard:
        wait_for(lambda: store_of(redis_server.port).has_users(), "the first user")
        proxied = Visitor(dashboard, source=PROXY)
        stale = f"mqtt-dashboard-{dashboard.port}={'A' * 43}"
        for passed in (
            {},
            {"Cookie": stale},
            {"Authorization": "Basic YWRhOnB3"},
            {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
            {"Cookie": stale, "Authorization": "Negotiate YII="},
        ):
            me = proxied.ask("GET", "/api/auth/me", X_Remote_User="mona", **passed)[1]
            assert (me["name"], me["kind"]) == ("mona", "proxy"), passed
            assert proxied.ask("GET", "/api/topics", **passed)[0] == 401, passed
        token = f"Bearer mqd_{'0' * 16}_{'A' * 43}"
        # Whoever shows a token of ours means it.
        wrong = proxied.ask("GET", "/api/topics", X_Remote_User="mona", Authorization=token)
        assert wrong[0] == 401
        visitor = Visitor(dashboard).login("admin")
        assert visitor.ask("GET", "/api/topics", Authorization="Basic YWRhOnB3")[0] == 200
        # The administrator's way to keep a proxy's user out.
        assert proxied.ask("GET", "/api/topics", X_Remote_User="mona")[0] == 200
        add_user(redis_server.port, "mona", "viewer")
        assert visitor.ask("PATCH", "/api/users/mona", {"disabled": True})[0] == 200
        assert proxied.ask("GET", "/api/topics", X_Remote_User="mona")[0] == 401
        assert "mqd_" in Visitor(dashboard, "nonsense").get("/api/topics")[1]["message"]


def test_ipv4_clients_of_an_ipv6_listener_are_told_apart(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """One who guesses holds nobody else back; lists and sessions know addresses as people do."""
    try:
        socket.create_server(("::", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD, "DASHBOARD_HOST": "::"}
    with served(tmp_path, redis_server.port, TRUSTED_PROXIES=PROXY, **environ) as dashboard:
        wait_for(lambda: store_of(redis_server.port).has_users(), "the first user")
        _hold_back(redis_server.port, HOST)
        assert Visitor(dashboard).ask("POST", "/api/auth/login", LOGIN)[0] == 429
        visitor = Visitor(dashboard, source=STRANGER).login("admin")
        sessions = visitor.get("/api/auth/sessions")[1]["sessions"]
        assert [one["address"] for one in sessions] == [STRANGER]
        proxied = Visitor(dashboard, source=PROXY)
        said = {"X_Forwarded_For": "::ffff:203.0.113.7"}
        assert proxied.ask("POST", "/api/auth/login", LOGIN, **said)[0] == 200
        sessions = proxied.get("/api/auth/sessions")[1]["sessions"]
        assert "203.0.113.7" in [one["address"] for one in sessions]


def test_an_address_that_is_held_back_counts_against_no_name(
    behind: tuple[DashboardServer, int], server: DashboardServer
) -> None:
    """Who guesses from one place cannot lock somebody out who signs in from another."""
    _hold_back(behind[1], HOST)
    for _ in range(10):
        assert _try(Visitor(server), "vera", "wrong password") == 429
    assert _try(Visitor(server, source=STRANGER), "vera", PASSWORD) == 200


def test_ones_own_sign_in_does_not_pardon_guesses(server: DashboardServer) -> None:
    """Signing in between the guesses does not make an address good again."""
    answers = []
    for turn in range(3):
        answers += [_try(Visitor(server), f"n{turn}-{n}", "wrong password") for n in range(9)]
        answers.append(_try(Visitor(server), "vera", PASSWORD))
    assert answers[:10] == [401] * 9 + [200]
    assert 429 in answers


def test_sign_ins_that_work_hold_nobody_back(server: DashboardServer) -> None:
    """An office behind one address may sign in as often as it has people."""
    assert {_try(Visitor(server), "vera", PASSWORD) for _ in range(25)} == {200}


def _hold_back(port: int, address: str) -> None:
    key = f"mqtt:auth:failures:{bucket_of('address', address)}"
    _client(port).hset(key, mapping={"count": 30, "till": int(time.time()) + 120})


def _try(visitor: Visitor, name: str, password: str) -> int:
    return visitor.ask("POST", "/api/auth/login", {"name": name, "password": password})[0]
