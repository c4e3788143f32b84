"""Sign-in end to end: modes, the first user, sessions, tokens, revocation, held-back attempts."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from mqtt_dashboard import config
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.contract.auth import LoginRequest, UserChange
from mqtt_dashboard.dashboard.auth.passwords import MEMORY_KIB, PASSES, Passwords
from mqtt_dashboard.dashboard.auth.principal import SignInError
from mqtt_dashboard.dashboard.auth.sessions import SignIn
from mqtt_dashboard.dashboard.counters import Counters
from tests.support.dashboard_server import DashboardServer
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import RedisServer, wait_for
from tests.support.visitors import (
    PASSWORD,
    Visitor,
    accounts_of,
    add_user,
    forgive_all,
    make_token,
    served,
    store_of,
)

CUT_WITHIN_S = 1.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard of two workers that asks for sign-in."""
    folder = tmp_path_factory.mktemp("signin")
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


def test_loopback_stays_as_simple_as_it_was(tmp_path: Path, redis_server: RedisServer) -> None:
    """AUTH_MODE=auto on loopback: nobody signs in, everybody is an operator."""
    with served(tmp_path, redis_server.port) as dashboard:
        me = dashboard.get("/api/auth/me")[1]
        assert (me["mode"], me["signed_in"], me["role"]) == ("anonymous", True, "operator")
        assert dashboard.get("/api/topics")[0] == 200
        assert dashboard.get("/api/users")[0] == 403
        assert "First sign-in" not in dashboard.output()
        assert not store_of(redis_server.port).has_users()


@pytest.mark.parametrize(("mode", "status"), [("auto", 401), ("required", 401), ("anonymous", 200)])
def test_p58_other_addresses_ask_for_sign_in(
    tmp_path: Path, redis_server: RedisServer, mode: str, status: int
) -> None:
    """P58: bound to the network nobody gets in unknown, unless that was said in so many words."""
    environ = {"DASHBOARD_HOST": "0.0.0.0", "AUTH_MODE": mode}
    with served(tmp_path, redis_server.port, **environ) as dashboard:
        assert dashboard.get("/api/topics")[0] == status
        assert dashboard.publish(topic="a", payload="x")[0] == (503 if status == 200 else 401)
        assert dashboard.upgrade() == (101 if status == 200 else 401)
        assert dashboard.get("/healthz")[0] == 200


def test_the_first_password_is_shown_exactly_once(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """Four workers start at once on an empty Redis: one user, one password, and it works."""
    environ = {"AUTH_MODE": "required", "WEB_CONCURRENCY": "4"}
    with served(tmp_path, redis_server.port, **environ) as dashboard:
        wait_for(lambda: "First sign-in" in dashboard.output(), "the password is shown")
        time.sleep(1.2)  # the others would have shown theirs by now
        shown = re.findall(r"user admin, password (\S+)", dashboard.output())
        assert len(shown) == 1
        Visitor(dashboard).login("admin", shown[0])
    with served(tmp_path, redis_server.port, **environ) as again:
        wait_for(lambda: again.get("/api/topics")[0] == 401, "it serves")
        assert "First sign-in" not in again.output()


def test_a_session_lives_in_a_strict_cookie_and_is_rotated(server: DashboardServer) -> None:
    """The cookie is HttpOnly and SameSite=Strict; each sign-in makes a new one and ends the old."""
    visitor = Visitor(server)
    assert visitor.get("/api/auth/me")[1]["signed_in"] is False
    visitor.login("admin")
    first = visitor.cookie
    for word in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert word in visitor.attributes
    assert "Secure" not in visitor.attributes
    me = visitor.get("/api/auth/me")[1]
    assert (me["name"], me["role"], me["kind"]) == ("admin", "administrator", "password")
    visitor.login("admin")
    assert visitor.cookie != first
    visitor.cookie, second = first, visitor.cookie
    assert visitor.get("/api/topics")[0] == 401
    visitor.cookie = second
    assert visitor.get("/api/topics")[0] == 200


def _logout(visitor: Visitor, _: int) -> None:
    assert visitor.ask("POST", "/api/auth/logout")[0] == 200


def _new_password(_: Visitor, port: int) -> None:
    accounts_of(port).change("gone", UserChange(password="another long password"))


def _new_role(_: Visitor, port: int) -> None:
    accounts_of(port).change("gone", UserChange(role="viewer"))


def _new_filters(_: Visitor, port: int) -> None:
    accounts_of(port).change("gone", UserChange(read=["hall/#"]))


def _removed(_: Visitor, port: int) -> None:
    accounts_of(port).remove("gone")


@pytest.mark.parametrize(
    "revoke",
    [_logout, _new_password, _new_role, _new_filters, _removed],
    ids=lambda one: one.__name__,
)
def test_revocation_cuts_live_sockets_within_a_second(
    stack: Stack, server: DashboardServer, revoke: Callable[[Visitor, int], None]
) -> None:
    """Whatever shrinks somebody's rights ends all open channels of that one, on every worker."""
    port = stack.redis.port
    if any(one.name == "gone" for one in accounts_of(port).users()):
        accounts_of(port).remove("gone")
    add_user(port, "gone", "operator")
    visitor = Visitor(server).login("gone")
    others = [Visitor(server) for _ in range(3)]
    for other in others:
        other.cookie = visitor.cookie
    bystander = Visitor(server).login("admin")
    everybody = [visitor, *others]
    for one in [*everybody, bystander]:
        one.connect()
    started = time.monotonic()
    revoke(visitor, port)
    assert all(one.is_cut(CUT_WITHIN_S - (time.monotonic() - started)) for one in everybody)
    assert not bystander.is_cut(0.3)
    bystander.close()


def test_a_revoked_token_cuts_its_sockets(stack: Stack, server: DashboardServer) -> None:
    """API tokens open the live channel too, until they are revoked."""
    accounts = accounts_of(stack.redis.port)
    program = Visitor(server, make_token(stack.redis.port, "viewer"))
    program.connect()
    assert program.call("subscribe", {"filter": "a/#"})["ok"]
    identity = str(program.token).split("_")[1]
    accounts.revoke_token(identity)
    assert program.is_cut(CUT_WITHIN_S)
    assert program.get("/api/topics")[0] == 401


def test_sessions_end_by_themselves(tmp_path: Path, redis_server: RedisServer) -> None:
    """Idle sessions end; used ones end at their absolute limit, live channel included."""
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD}
    with served(tmp_path, redis_server.port, SESSION_IDLE="1", **environ) as dashboard:
        wait_for(lambda: store_of(redis_server.port).has_users(), "the first user")
        idle = Visitor(dashboard).login("admin")
        assert idle.get("/api/topics")[0] == 200
        time.sleep(2.1)  # nothing may be asked meanwhile: that would be use
        assert idle.get("/api/topics")[0] == 401
    with served(tmp_path, redis_server.port, SESSION_LIFETIME="3", **environ) as dashboard:
        used = Visitor(dashboard).login("admin")
        used.connect()
        assert not used.is_cut(1.5)
        assert used.get("/api/topics")[0] == 200
        assert used.is_cut(3.5)
        assert used.get("/api/topics")[0] == 401


def test_attempts_are_held_back_and_forgiven(stack: Stack, server: DashboardServer) -> None:
    """Wrong passwords cost waiting time, for known and unknown names alike; counts are bounded."""
    for name in ("admin", "nobody-at-all"):
        forgive_all(stack.redis.client())
        answers = [_try(server, name, "wrong password") for _ in range(9)]
        assert answers[:4] == [401] * 4, name
        assert 429 in answers, name
    status, answer = Visitor(server).ask(
        "POST", "/api/auth/login", {"name": "nobody-at-all", "password": PASSWORD}
    )
    assert (status, answer["error"]) == (429, "too_many")
    keys = list(stack.redis.client().scan_iter("mqtt:auth:failures:*"))
    assert keys
    assert all(stack.redis.client().ttl(key) > 0 for key in keys)


class _CountingHasher(PasswordHasher):
    """argon2id that keeps the parameters of every hash it has compared with."""

    def __init__(self) -> None:
        super().__init__(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1)
        self.compared: list[Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        self.compared.append(extract_parameters(str(hash)))
        return super().verify(hash, password)


def test_unknown_names_cost_as_much_as_known_ones(stack: Stack) -> None:
    """The time of an answer does not tell whether a user exists: one full hash either way."""
    hasher = _CountingHasher()
    store = store_of(stack.redis.port)
    settings = config.load(AuthSettings, {})
    sign_in = SignIn(store, Passwords(hasher), settings, SystemClock(), Counters())
    work: dict[str, list[Parameters]] = {}
    for name in ("admin", "nobody"):
        hasher.compared.clear()
        with pytest.raises(SignInError, match="name or password is wrong"):
            sign_in.login(LoginRequest(name=name, password="wrong password"), "192.0.2.1", "")
        work[name] = list(hasher.compared)
    assert len(work["admin"]) == 1
    assert work["nobody"] == work["admin"]
    forgive_all(stack.redis.client())


def test_tokens_are_scoped_and_expire(stack: Stack, server: DashboardServer) -> None:
    """A token carries its own role and filters, and ends by itself."""
    port = stack.redis.port
    reader = Visitor(server, make_token(port, "viewer", ["hall/#"]))
    me = reader.get("/api/auth/me")[1]
    assert (me["role"], me["read"]["filters"]) == ("viewer", ["hall/#"])
    assert reader.ask("POST", "/api/messages/publish", {"topic": "hall/1"})[0] == 403
    # The shortest life is a minute: move its end into the past instead of waiting.
    late = Visitor(server, make_token(port, "viewer"))
    assert late.get("/api/topics")[0] == 200
    client = stack.redis.client()
    identity = str(late.token).split("_")[1]
    record = client.hget("mqtt:auth:tokens", identity)
    assert isinstance(record, bytes)
    past = re.sub(rb'"expires_at":[0-9.e+]+', b'"expires_at":1.0', record)
    client.hset("mqtt:auth:tokens", identity, past)
    assert late.get("/api/topics")[0] == 401
    for text in ("mqd_0123456789abcdef_" + "A" * 43, "nonsense", str(reader.token)[:-1] + "!"):
        assert Visitor(server, text).get("/api/topics")[0] == 401


def test_a_proxy_is_believed_only_when_listed(tmp_path: Path, redis_server: RedisServer) -> None:
    """The user header counts from listed addresses only; spoofed from another it is a 401."""
    environ = {"AUTH_MODE": "required", "PROXY_USER_HEADER": "X-Remote-User"}
    for proxies, status in (("127.0.0.1", 200), ("10.0.0.0/8", 401)):
        environ["TRUSTED_PROXIES"] = proxies
        with served(tmp_path, redis_server.port, **environ) as dashboard:
            visitor = Visitor(dashboard)
            assert visitor.ask("GET", "/api/topics", X_Remote_User="mona")[0] == status
            assert visitor.get("/api/topics")[0] == 401
            if status == 200:
                me = visitor.ask("GET", "/api/auth/me", X_Remote_User="mona")[1]
                assert (me["name"], me["role"], me["kind"]) == ("mona", "viewer", "proxy")


def test_no_secret_is_kept_or_told(tmp_path: Path, redis_server: RedisServer) -> None:
    """P78: password, session and token appear neither in Redis, logs, metrics nor environment."""
    canary = "canary-7f3a-password"
    environ = {"AUTH_MODE": "required", "LOG_LEVEL": "debug"}
    file = tmp_path / "admin-password"
    file.write_text(canary)
    environ["ADMIN_PASSWORD_FILE"] = str(file)
    with served(tmp_path, redis_server.port, **environ) as dashboard:
        wait_for(lambda: store_of(redis_server.port).has_users(), "the first user")
        boss = Visitor(dashboard).login("admin", canary)
        _, made = boss.ask("POST", "/api/tokens", {"label": "job"})
        metrics = boss.get("/metrics")[1]
        assert boss.cookie is not None
        secrets = [canary, boss.cookie.partition("=")[2], made["token"].split("_", 2)[2]]
        client = redis_server.client()
        kept = b"".join(client.dump(key) or b"" for key in client.scan_iter("*"))
        environment = Path(f"/proc/{dashboard.pid}/environ").read_bytes()
        for secret in secrets:
            assert secret not in dashboard.output()
            assert secret.encode() not in metrics
            assert secret.encode() not in kept
            assert secret.encode() not in environment
        assert b"$argon2id$v=19$m=19456,t=2,p=1$" in (
            client.hget("mqtt:auth:users", "admin") or b""
        )
    assert os.environ.get("ADMIN_PASSWORD") is None


def test_without_redis_nobody_is_let_in(tmp_path: Path, redis_server: RedisServer) -> None:
    """When it cannot be known who is asking, the answer is 503, not open doors."""
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD}
    with served(tmp_path, redis_server.port, **environ) as dashboard:
        wait_for(lambda: store_of(redis_server.port).has_users(), "the first user")
        visitor = Visitor(dashboard).login("admin")
        redis_server.kill()
        assert visitor.get("/api/broker/status")[0] == 503
        assert Visitor(dashboard).get("/api/broker/status")[0] == 401
        assert _try(dashboard, "admin", PASSWORD) == 503


def test_requests_are_limited_per_user_and_address(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """Who asks too often gets 429 with Retry-After; others and the probes go on."""
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD, "REQUESTS_PER_MINUTE": "30"}
    with served(tmp_path, redis_server.port, **environ) as dashboard:
        wait_for(lambda: store_of(redis_server.port).has_users(), "the first user")
        add_user(redis_server.port, "ada", "viewer")
        busy, calm = Visitor(dashboard).login("admin"), Visitor(dashboard).login("ada")
        answers = [busy.get("/api/broker/version")[0] for _ in range(35)]
        assert answers.count(200) == 30
        assert busy.get("/api/broker/version")[0] == 429
        assert int(busy.got["retry-after"]) >= 1
        assert calm.get("/api/broker/version")[0] == 200
        assert 429 in [Visitor(dashboard).get("/api/topics")[0] for _ in range(35)]
        assert {dashboard.get("/healthz")[0] for _ in range(40)} == {200}
        assert calm.get("/api/broker/version")[0] == 200


def _try(server: DashboardServer, name: str, password: str) -> int:
    body = {"name": name, "password": password}
    return Visitor(server).ask("POST", "/api/auth/login", body)[0]
