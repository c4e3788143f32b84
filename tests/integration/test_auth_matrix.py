"""G19: every route and event x everybody x own and foreign topic, generated from the tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mqtt_dashboard.contract.commands import PublishCommand
from mqtt_dashboard.contract.orders import Order, check
from mqtt_dashboard.contract.policy import CommandPolicy, Grant, Role
from mqtt_dashboard.dashboard.auth.permissions import EVENTS, ROUTES, Permission
from mqtt_dashboard.errors import FieldRefusedError
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, Visitor, add_user, store_of

OWN, FOREIGN, CONTROL = "hall/lamp", "vault/door", "$CONTROL/dynamic-security/v1"
WHO: tuple[Role | None, ...] = (None, "viewer", "operator", "administrator")
RANK = {None: -1, "viewer": 0, "operator": 1, "administrator": 2}
# Those end the session or the users under test; tests of their own show what they do.
ENDING = {"POST /api/auth/logout", "DELETE /api/auth/sessions", "POST /api/auth/password"}


@dataclass
class Cast:
    """A dashboard and one visitor per role; all but the administrator are bound to `hall/#`."""

    stack: Stack
    visitors: dict[Role | None, Visitor]
    commands: dict[str, str]


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    """Run a dashboard with users of all roles."""
    folder = tmp_path_factory.mktemp("matrix")
    with running_stack(folder, AUTH_MODE="required", ADMIN_PASSWORD=PASSWORD) as stack:
        port = stack.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        add_user(port, "viewer", "viewer", read=["hall/#"], publish=["hall/#"])
        add_user(port, "operator", "operator", read=["hall/#"], publish=["hall/#"])
        stack.bridge.feed.topics((OWN, b"1"), (FOREIGN, b"2"))
        visitors: dict[Role | None, Visitor] = {
            None: Visitor(stack.dashboard),
            "viewer": Visitor(stack.dashboard).login("viewer"),
            "operator": Visitor(stack.dashboard).login("operator"),
            "administrator": Visitor(stack.dashboard).login("admin"),
        }
        for role in ("viewer", "operator", "administrator"):
            visitors[role].connect()
        stack.bridge.feed.messages((OWN, b"1"), (FOREIGN, b"2"))
        commands = {}
        for topic in (OWN, FOREIGN, CONTROL):
            made = visitors["administrator"].ask("POST", "/api/commands", {"topic": topic})
            assert made[0] == 202
            commands[topic] = made[1]["id"]
        yield Cast(stack, visitors, commands)
        for visitor in visitors.values():
            visitor.close()


def _request(cast: Cast, route: str, topic: str) -> tuple[str, str, Any]:
    method, _, path = route.partition(" ")
    path = path.replace("<path:path>", "monitor").replace("<name>", "nobody")
    path = path.replace("<identity>", "nothing").replace("<command_id>", cast.commands[topic])
    if path.startswith("/api/topics/") and path != "/api/topics/levels":
        path += f"?topic={topic.replace('$', '%24')}"
    bodies = {
        "POST /api/messages/publish": {"topic": topic, "payload": "x", "qos": 1},
        "POST /api/commands": {"topic": topic},
        "POST /api/auth/login": {"name": "nobody", "password": "x"},
    }
    return method, path, bodies.get(route, {} if method in {"POST", "PATCH"} else None)


def _allowed(permission: Permission, role: Role | None) -> bool:
    return permission is Permission.PUBLIC or RANK[role] >= RANK[permission.role]


@pytest.mark.parametrize("topic", [OWN, FOREIGN, CONTROL])
@pytest.mark.parametrize("role", WHO, ids=str)
@pytest.mark.parametrize("route", sorted(set(ROUTES) - ENDING))
def test_g19_routes(cast: Cast, route: str, role: Role | None, topic: str) -> None:
    """G19: who lacks the role gets 401 or 403, who has it anything else, foreign topics nothing."""
    status, answer = cast.visitors[role].ask(*_request(cast, route, topic))
    if not _allowed(ROUTES[route], role):
        assert status == (401 if role is None else 403), answer
        return
    in_reach = topic == OWN or role == "administrator"
    if route == "POST /api/messages/publish":
        assert status == (200 if in_reach else 403), answer
    elif route == "POST /api/commands":
        assert status == (202 if in_reach else 403), answer
    elif route == "GET /api/commands/<command_id>":
        assert status == (200 if in_reach else 404), answer
    elif route == "GET /api/topics/history":
        seen = [one["payload"] for one in answer["messages"]]
        assert seen == ({OWN: ["1"], FOREIGN: ["2"]}.get(topic, []) if in_reach else [])
    elif "topics/" in route and "levels" not in route:
        known = topic in {OWN, FOREIGN}
        assert status == (200 if in_reach and known else 404), answer
    elif route == "POST /api/auth/login":
        assert status in {401, 429}
    else:
        assert status not in {401, 403}, answer
        if role in {"viewer", "operator"}:
            assert FOREIGN.split("/", maxsplit=1)[0] not in str(answer)


@pytest.mark.parametrize("topic", [OWN, FOREIGN, CONTROL])
@pytest.mark.parametrize("role", WHO[1:], ids=str)
@pytest.mark.parametrize("event", sorted(EVENTS))
def test_g19_events(cast: Cast, event: str, role: Role, topic: str) -> None:
    """G19: the same for what a socket may send; nobody unknown has a socket at all."""
    visitor = cast.visitors[role]
    if event == "unsubscribe":
        visitor.call("subscribe", {"filter": topic})
    bodies: dict[str, dict[str, Any]] = {
        "publish": {"topic": topic, "qos": 1},
        "credit": {"frames": 64},
        "watch_command": {"id": cast.commands[topic]},
    }
    reply = visitor.call(event, bodies.get(event, {"filter": topic}))
    in_reach = topic == OWN or role == "administrator" or event == "credit"
    assert reply["ok"] is (in_reach and _allowed(EVENTS[event], role)), reply
    if not reply["ok"]:
        assert reply.get("reason") or reply.get("message")
    visitor.call("unsubscribe", {"filter": topic})


def test_g19_no_socket_for_strangers(cast: Cast) -> None:
    """G19: an unknown visitor's upgrade is refused before anything is kept for it."""
    server = cast.stack.dashboard
    assert server.upgrade() == 401
    assert server.upgrade(Cookie=f"mqtt-dashboard-{server.port}={'A' * 43}") == 401
    assert server.upgrade(Authorization="Bearer x") == 401


def test_refused_publishes_reach_no_bridge(cast: Cast) -> None:
    """What was refused was not sent; what was sent says in whose name, for the bridge to judge."""
    commands, operator = cast.stack.bridge.commands, cast.visitors["operator"]

    def sent() -> list[PublishCommand]:
        return [one for one in commands if isinstance(one, PublishCommand)]

    boss = cast.visitors["administrator"]
    wait_for(lambda: boss.get("/api/commands")[1]["queued"] == 0, "all before is settled")
    commands.clear()
    assert operator.ask("POST", "/api/commands", {"topic": FOREIGN})[0] == 403
    elsewhere = {"topic": OWN, "response_topic": FOREIGN}
    assert operator.ask("POST", "/api/commands", elsewhere)[0] == 403
    assert operator.ask("POST", "/api/commands", {"topic": OWN})[0] == 202
    wait_for(sent, "the allowed one is sent")
    assert [one.topic for one in sent()] == [OWN]
    policy = sent()[0].policy
    assert policy is not None
    assert (policy.who, policy.publish.filters) == ("operator", ("hall/#",))


def test_the_bridge_judges_again() -> None:
    """An order that somebody slipped into the stream in another's name is refused by its policy."""
    policy = CommandPolicy(who="operator", publish=Grant(filters=("hall/#",)))
    check(Order(topic=OWN, payload=b"", policy=policy))
    with pytest.raises(FieldRefusedError, match="hall/#"):
        check(Order(topic=FOREIGN, payload=b"", policy=policy))


def test_an_idempotency_key_belongs_to_one_user(cast: Cast) -> None:
    """The same key of somebody else is that one's own, never a look at another's command."""
    body = {"topic": OWN}
    key = {"Idempotency_Key": "k-1"}
    operator, boss = cast.visitors["operator"], cast.visitors["administrator"]
    first = operator.ask("POST", "/api/commands", body, **key)[1]["id"]
    assert operator.ask("POST", "/api/commands", body, **key)[1]["id"] == first
    status, other = boss.ask("POST", "/api/commands", body, **key)
    assert (status, other["id"] != first) == (202, True)
