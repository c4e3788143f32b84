"""Nobody pushes out of the audit record what others did: by number, by size, or by asking often."""

from collections.abc import Iterator
from typing import Any

import pytest

from mqtt_dashboard.bus.dashboard_orders import Bounds, DashboardOrders, Sender
from mqtt_dashboard.bus.durability import Durability
from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.contract.audit import AuditEntry
from mqtt_dashboard.contract.commands import CommandState
from mqtt_dashboard.contract.orders import Order
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.audit_pace import DEEDS_PER_MINUTE
from mqtt_dashboard.dashboard.audit_sweep import PER_TURN
from mqtt_dashboard.dashboard.auth.permissions import ROUTES, Permission
from mqtt_dashboard.dashboard.counters import Counters
from tests.integration.test_audit_chain import dashboard_store
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.orders import NAMES
from tests.support.servers import RedisServer, wait_for
from tests.support.visitors import PASSWORD, Visitor, add_user, make_token, store_of

PUBLISHES = 30
LONG = "x" * 64_000
AUDITED = sorted(
    route
    for route, permission in ROUTES.items()
    if not route.startswith("GET") and permission is not Permission.PUBLIC
)
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/messages/publish": {"topic": "hall/x"},
    "POST /api/commands": {"topic": "hall/x"},
    "POST /api/users": {"name": "nobody", "password": PASSWORD, "role": "viewer"},
    "PATCH /api/users/<name>": {"role": "viewer"},
    "POST /api/tokens": {"label": "x", "role": "viewer", "lifetime_s": 60},
    "POST /api/auth/password": {"old": "not the right one", "new": PASSWORD},
}
QUERIES = {"DELETE /api/sessions": "/api/sessions?account=nobody"}
# What does nothing writes nothing: no other session, a wrong password.
SILENT = {"DELETE /api/auth/sessions", "POST /api/auth/password"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard on which one user may publish little."""
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD}
    folder = tmp_path_factory.mktemp("pace")
    with running_stack(folder, PUBLISHES_PER_MINUTE=str(PUBLISHES), **environ) as running_one:
        port = running_one.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        add_user(port, "otto", "operator")
        add_user(port, "vera", "viewer")
        yield running_one


def entries(stack: Stack) -> int:
    return int(stack.redis.client().hget(NAMES.audit_head, "seq") or 0)


def ask(visitor: Visitor, route: str) -> int:
    method, _, path = route.partition(" ")
    path = path.replace("<name>", "nobody").replace("<identity>", "nothing")
    path = QUERIES.get(route, path)
    return visitor.ask(method, path, BODIES.get(route))[0]


def test_who_ends_nothing_writes_nothing(stack: Stack) -> None:
    """A viewer who ends none of its sessions, and a token that has none, leave the record alone."""
    vera = Visitor(stack.dashboard).login("vera")
    program = Visitor(stack.dashboard, make_token(stack.redis.port, "viewer"))
    before = entries(stack)
    for _ in range(5):
        assert vera.ask("DELETE", "/api/auth/sessions")[0] == 200
        assert program.ask("DELETE", "/api/auth/sessions")[0] == 403
    assert entries(stack) == before


def test_what_is_not_valid_is_not_written_down(stack: Stack) -> None:
    """A refused body costs no entry, however long it is; a long topic is kept by its beginning."""
    otto, client = Visitor(stack.dashboard).login("otto"), stack.redis.client()
    before = entries(stack)
    for topic in ("a/#", "\u4e00" * 65_000):
        for path in ("/api/commands", "/api/messages/publish"):
            assert otto.ask("POST", path, {"topic": topic})[0] == 422
    assert entries(stack) == before
    status, record = otto.ask("POST", "/api/commands", {"topic": f"hall/{LONG}", "qos": 1})
    assert status == 202
    assert len(record["topic"]) == 1024
    assert len(record["topic_sha256"]) == 64
    key = NAMES.order_record(record["id"])
    wait_for(lambda: client.hget(key, "s") == b"acked", "it is done")
    assert client.memory_usage(key, samples=0) < 4000
    for stream in (NAMES.audit, NAMES.order_results):
        assert max(len(str(row)) for _, row in client.xrange(stream)) < 4000
    assert otto.get(f"/api/commands/{record['id']}")[0] == 200


def test_no_route_lets_one_user_push_out_the_others(stack: Stack) -> None:
    """Each route that is written down has an end for one user, and refusals cost no entry."""
    admin, otto = Visitor(stack.dashboard).login("admin"), Visitor(stack.dashboard).login("otto")
    before, answers = entries(stack), dict.fromkeys(AUDITED, 0)
    loud = [route for route in AUDITED if route not in SILENT]
    for _ in range(DEEDS_PER_MINUTE):
        answers |= {route: ask(admin, route) for route in loud if answers[route] != 429}
        if {answers[route] for route in loud} == {429}:
            break
    assert {route: answers[route] for route in loud} == dict.fromkeys(loud, 429)
    written = entries(stack) - before
    assert written <= 2 * (DEEDS_PER_MINUTE + PUBLISHES)
    settled = entries(stack)
    for route in AUDITED:
        ask(admin, route)
    admin.connect()
    reply = admin.call("publish", {"topic": "hall/x"})
    admin.close()
    assert (reply["ok"], "a minute" in reply["reason"]) == (False, True)
    assert entries(stack) == settled
    assert admin.get("/api/audit")[0] == 200
    assert ask(otto, "POST /api/commands") == 202
    assert admin.ask("POST", "/api/auth/logout", {})[0] == 200


@pytest.fixture
def orders(redis_server: RedisServer) -> DashboardOrders:
    """Return an empty Redis as a dashboard sees it."""
    return dashboard_store(redis_server.port).orders


def accept(
    orders: DashboardOrders, name: str, bounds: Bounds, key: str | None = None
) -> tuple[str, str]:
    order, sender = Order(topic=LONG, payload=b"x"), Sender("user:ada")
    found = orders.accept(name, order, 0.001, key, bounds, Durability(True, ""), sender)
    return found.verdict, found.told


def test_records_keep_to_their_bytes(orders: DashboardOrders, redis_server: RedisServer) -> None:
    """Records without a key give way by bytes, too; those with a key fill up and say so."""
    client, bounds = redis_server.client(), Bounds(100, 10_000_000, 60, record_bytes=30_000)
    for number in range(40):
        assert accept(orders, f"c{number}", bounds)[0] == "new"
        client.hset(NAMES.order_record(f"c{number}"), "t", 1)
        assert orders.sweep(only=f"c{number}").ended == 1
    assert 5 < client.zcard(NAMES.orders_recent) < 20
    assert int(client.get(NAMES.orders_kept_bytes)) <= 30_000
    verdicts = [accept(orders, f"k{number}", bounds, f"key {number}")[0] for number in range(20)]
    assert verdicts[0] == "new"
    assert verdicts[-1] == "full"
    assert int(client.get(NAMES.orders_kept_bytes)) <= 30_000


def test_records_go_when_their_time_is_over(
    orders: DashboardOrders, redis_server: RedisServer
) -> None:
    """With their key, their count and their bytes; never before they have a result."""
    client, bounds = redis_server.client(), Bounds(100, 10_000_000, 60)
    assert accept(orders, "c", bounds, "a key")[0] == "new"
    client.zadd(NAMES.orders_kept, {"c": 1})
    client.zadd(NAMES.orders_open, {"c": 9e15})
    orders.sweep()
    assert client.exists(NAMES.order_record("c"))
    wait_for(lambda: orders.sweep(only="c").ended, "it ends")
    client.zadd(NAMES.orders_kept, {"c": 1})
    orders.sweep()
    left = set(client.keys("*")) - {NAMES.order_results.encode(), NAMES.orders.encode()}
    assert left == {NAMES.order_bytes.encode()}
    assert int(client.get(NAMES.order_bytes)) == 0


def test_one_worker_at_a_time_tells_what_is_open(redis_server: RedisServer) -> None:
    """Many outcomes are told part by part, by the worker that took this on; the others wait."""
    clock, store = ManualClock(), dashboard_store(redis_server.port)
    client, dead = redis_server.client(), store.audit(None, 10_000)
    for number in range(PER_TURN + 50):
        _leave_open(client, dead.append, f"c{number}", "acked")
    first, second = (
        Auditor(store.audit(None, 10_000), store.orders, clock, Counters()) for _ in range(2)
    )
    first.sweep()
    second.sweep()
    assert len(dead.open_commands()) == 50
    first.sweep()
    assert dead.open_commands() == {}
    newest = dead.back_from(None, 1)[0].entry
    assert (newest.action, newest.outcome) == ("result", "acked")
    store.close()


def _leave_open(client: Any, append: Any, name: str, state: CommandState) -> None:
    append(
        lambda seq: AuditEntry(seq=seq, at=1.0, action="publish", outcome="asked", who="ada"),
        opens=name,
    )
    summary = b'{"topic":"t","qos":1,"retain":false,"mode":"at-most-once","size":0}'
    fields = {"d": summary, "s": state, "p": "done", "t": 1, "b": 1, "f": 1}
    client.hset(NAMES.order_record(name), mapping=fields)
