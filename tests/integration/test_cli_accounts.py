"""`users`, `tokens` and `audit` on a running dashboard, and how all of them say what is wrong."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mqtt_dashboard.contract.auth import TokenCreate
from tests.support.command_line import Done, invoke
from tests.support.dashboard_server import DashboardServer
from tests.support.servers import RedisServer, free_port, running, wait_for
from tests.support.visitors import PASSWORD, Visitor, accounts_of, make_token, served, store_of


@dataclass
class Office:
    """A Redis, a dashboard on it, and a token for its accounts."""

    redis: RedisServer
    dashboard: DashboardServer
    token: str

    def run(self, *words: str, given: str = "", **extra: str) -> Done:
        """Run a command where the environment names Redis only."""
        here = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.redis.port)}
        return invoke({**here, **extra}, *words, given=given)

    def ask(self, *words: str, given: str = "", **extra: str) -> Done:
        """Run a command where the environment names the dashboard, and no Redis that is there."""
        there = {"MQTT_DASHBOARD_URL": self.dashboard.url, "MQTT_DASHBOARD_TOKEN": self.token}
        return self.run(*words, given=given, **{"REDIS_PORT": "1", **there, **extra})


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Run Redis and a dashboard that asks for sign-in."""
    folder = tmp_path_factory.mktemp("office")
    redis = RedisServer(folder)
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD}
    with running(redis), served(folder, redis.port, **environ) as dashboard:
        wait_for(lambda: store_of(redis.port).has_users(), "the first user")
        request = TokenCreate(label="keeper", role="administrator", accounts=True)
        token, _ = accounts_of(redis.port).create_token(request, "test")
        yield Office(redis, dashboard, token)


def test_the_environment_names_the_dashboard_for_accounts_too(office: Office) -> None:
    """MQTT_DASHBOARD_URL counts as for pub and tail, and it is said; --redis works on Redis."""
    for words in (["users", "list"], ["tokens", "list"], ["audit", "tail"]):
        done = office.ask(*words)
        assert done.status == 0, done.err
        assert office.dashboard.url in done.err
        assert office.run(*words).err == ""
        direct = office.run(*words, "--redis", MQTT_DASHBOARD_URL="http://127.0.0.1:1")
        assert (direct.status, direct.err) == (0, "")
        both = office.run(*words, "--redis", "--url", office.dashboard.url)
        assert both.status == 2
    assert "admin" in office.ask("users", "list").out


def test_the_audit_record_is_read_through_the_dashboard(office: Office) -> None:
    """Tail, verify and export say the same over HTTP as from Redis; roles count there."""
    office.run("users", "add", "lena", "--generate")
    direct, asked = office.run("audit", "tail"), office.ask("audit", "tail")
    assert "user_add" in direct.out
    assert direct.out == asked.out
    few = office.ask("audit", "tail", "-n", "1", "--action", "user_add", "--json")
    assert json.loads(few.out)["entry"]["target"] == "lena"
    # More than one page of the interface.
    whole = office.run("audit", "tail", "-n", "700")
    assert office.ask("audit", "tail", "-n", "700").out == whole.out
    whole = office.ask("audit", "verify")
    assert (whole.status, whole.out[:6]) == (0, "whole:")
    link = whole.out.split("--kept ")[1].split()[0]
    assert office.ask("audit", "verify", "--kept", link).status == 0
    number = link.partition(":")[0]
    wrong = office.ask("audit", "verify", "--kept", f"{number}:{'0' * 64}")
    assert (wrong.status, "kept elsewhere" in wrong.out) == (1, True)
    gone = office.ask("audit", "verify", "--kept", f"999999:{'0' * 64}", "--json")
    assert (gone.status, json.loads(gone.out)["ok"]) == (1, False)
    for kind in ("jsonl", "csv"):
        exported = [office.run, office.ask]
        one, other = (run("audit", "export", "--format", kind).out for run in exported)
        assert one == other
        assert "lena" in one
    viewer = make_token(office.redis.port, "viewer")
    assert office.ask("audit", "tail", MQTT_DASHBOARD_TOKEN=viewer).status == 4
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert office.ask("audit", "verify", MQTT_DASHBOARD_URL=nowhere).status == 3
    assert office.ask("audit", "export", MQTT_DASHBOARD_URL=nowhere).status == 3
    office.run("users", "remove", "lena")


def test_no_number_of_lines_is_refused(office: Office) -> None:
    """Less than one entry cannot be asked for."""
    for wrong in ("-5", "0"):
        done = office.run("audit", "tail", "-n", wrong)
        assert (done.status, done.out) == (2, "")


@pytest.mark.parametrize("way", ["run", "ask"])
def test_refusals_are_in_words(office: Office, way: str) -> None:
    """No pattern and no type of Python, from here or from the dashboard."""
    run = office.run if way == "run" else office.ask
    for words, told in (
        (["users", "add", "../x", "--generate"], "name: 1 to 64 letters"),
        (["users", "add", "x" * 70, "--generate"], "name: at most 64 characters"),
        (["tokens", "create", "a\nb"], "label: control characters"),
        (["tokens", "create", "ab", "--for", "900d"], "--for"),
        (["tokens", "create", "ab", "--for", "soon"], "--for"),
        (["tokens", "create", "ab", "--accounts"], "administrator"),
    ):
        done = run(*words)
        assert (done.status, done.out) == (1, ""), done
        assert told in done.err
        assert "regex" not in done.err
        assert "`" not in done.err
    # What the interface itself says.
    boss = Visitor(office.dashboard).login("admin")
    status, answer = boss.ask("POST", "/api/users", {"name": "../x", "password": PASSWORD})
    assert (status, answer["field"]) == (422, "name")
    assert answer["message"].startswith("1 to 64 letters")


def test_a_shared_subscription_is_wrong_usage_everywhere() -> None:
    """Known before anybody is asked: status 2, as for other wrong filters."""
    nowhere = ["--url", f"http://127.0.0.1:{free_port()}"]
    for words in (["tail", "$share/g/a"], ["tail", "a/#/b"], ["topics", "$share/g/a"]):
        done = invoke({}, *words, *nowhere)
        assert done.status == 2, done.err
        assert done.err.count("\n") == 1


@pytest.mark.parametrize("way", ["run", "ask"])
def test_sessions_are_listed_and_ended(office: Office, way: str) -> None:
    """By account, one or all; what a removed administrator's tokens were is told."""
    run = office.run if way == "run" else office.ask
    assert run("users", "add", "kim", "--role", "administrator", given=f"{PASSWORD}\n").status == 0
    first, second = Visitor(office.dashboard).login("kim"), Visitor(office.dashboard).login("kim")
    made = first.ask("POST", "/api/tokens", {"label": "kim's job"})
    assert made[0] == 201
    listed = json.loads(run("users", "sessions", "--json").out)["sessions"]
    mine = [one for one in listed if one["account"] == "kim"]
    assert len(mine) == 2
    assert "kim\tkim\tadministrator\t" in run("users", "sessions").out
    oldest = min(mine, key=lambda one: float(one["created_at"]))
    assert run("users", "sign-out", "kim", "--id", oldest["id"]).status == 0
    assert first.get("/api/topics")[0] == 401
    assert second.get("/api/topics")[0] == 200
    assert run("users", "sign-out", "kim").status == 0
    assert second.get("/api/topics")[0] == 401
    none = run("users", "sign-out", "kim")
    assert (none.status, "no such session" in none.err) == (1, True)
    removed = run("users", "remove", "kim")
    assert (removed.status, "kim's job" in removed.out) == (0, True)
    assert Visitor(office.dashboard, made[1]["token"]).get("/api/topics")[0] == 401


def test_a_token_for_accounts_is_asked_for_by_name(office: Office) -> None:
    """--accounts makes one; without it an administrator's token cannot change users."""
    words = ["tokens", "create", "keeper", "--role", "administrator"]
    plain, keeper = (
        office.run(*words).out.strip(),
        office.run(*words, "--accounts").out.strip(),
    )
    assert office.ask("users", "list", MQTT_DASHBOARD_TOKEN=plain).status == 4
    assert office.ask("users", "list", MQTT_DASHBOARD_TOKEN=keeper).status == 0
    assert "accounts" in office.run("tokens", "list").out
