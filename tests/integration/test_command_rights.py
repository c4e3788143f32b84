"""Whose commands are whose: rights that end, keys of one's own, what others may see and take."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from mqtt_dashboard.bus.bridge_orders import BridgeOrders
from mqtt_dashboard.bus.dashboard_orders import Bounds, DashboardOrders, Sender
from mqtt_dashboard.bus.durability import Durability
from mqtt_dashboard.contract.auth import TokenCreate, UserChange
from mqtt_dashboard.contract.messages import MessageProperties
from mqtt_dashboard.contract.orders import Order, check
from mqtt_dashboard.contract.policy import CommandPolicy, Grant
from mqtt_dashboard.dashboard.auth.principal import ForbiddenError
from mqtt_dashboard.dashboard.results import MAX_WAITING_EACH
from mqtt_dashboard.dashboard.routes.audit import LOOK_EVERY, while_allowed
from mqtt_dashboard.errors import FieldRefusedError
from tests.support.dashboard_server import BeatingBridge, DashboardServer
from tests.support.orders import NAMES, left_in_stream
from tests.support.servers import RedisServer, running, wait_for
from tests.support.visitors import PASSWORD, Visitor, accounts_of, add_user, store_of

WITHDRAWN = "the sender's rights were withdrawn"


@dataclass
class House:
    """A dashboard that asks for sign-in, and a bridge only where a test starts one."""

    redis: RedisServer
    dashboard: DashboardServer
    client: Any
    admin: Visitor

    def visitor(self, name: str) -> Visitor:
        return Visitor(self.dashboard).login(name)

    def token(self, label: str) -> tuple[str, Visitor]:
        request = TokenCreate(label=label, role="operator", lifetime_s=600)
        text, info = accounts_of(self.redis.port).create_token(request, "admin")
        return info.id, Visitor(self.dashboard, text)

    def state(self, command_id: str) -> str:
        return str((self.client.hget(NAMES.order_record(command_id), "s") or b"").decode())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Run the dashboard once for the module, below a path."""
    folder = tmp_path_factory.mktemp("rights")
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD}
    redis = RedisServer(folder, aof=True)
    with running(redis):
        dashboard = DashboardServer(
            folder, redis.port, DASHBOARD_BASE_PATH="/tools/mqtt", **environ
        )
        with running(dashboard):
            wait_for(lambda: store_of(redis.port).has_users(), "the first user")
            add_user(redis.port, "hall", "operator", read=["hall/#"], publish=["hall/#"])
            add_user(redis.port, "otto", "operator")
            admin = Visitor(dashboard).login("admin")
            wait_for(lambda: admin.get("/health")[1]["redis"]["durable"], "Redis is seen")
            yield House(redis, dashboard, redis.client(), admin)


def send(who: Visitor, key: str | None = None, **fields: Any) -> tuple[int, Any]:
    """Post a command that may wait long."""
    body = {"topic": "hall/valve", "qos": 1, "deadline_s": 300, **fields}
    headers = {} if key is None else {"Idempotency_Key": key}
    return who.ask("POST", "/api/commands", body, **headers)


def accepted(who: Visitor, **fields: Any) -> str:
    status, record = send(who, **fields)
    assert status == 202, record
    return str(record["id"])


WAYS: dict[str, Callable[[House, str], Any]] = {
    "removed": lambda house, name: house.admin.ask("DELETE", f"/api/users/{name}"),
    "disabled": lambda house, name: house.admin.ask(
        "PATCH", f"/api/users/{name}", {"disabled": True}
    ),
    "demoted": lambda house, name: house.admin.ask(
        "PATCH", f"/api/users/{name}", {"role": "viewer"}
    ),
    "narrowed": lambda house, name: house.admin.ask(
        "PATCH", f"/api/users/{name}", {"publish": ["roof/#"]}
    ),
    "command line": lambda house, name: accounts_of(house.redis.port).remove(name),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_waits_ends_with_the_rights_of_its_sender(house: House, way: str) -> None:
    """Whoever lost the right to publish has nothing sent any more; others' commands go on."""
    name = f"sender-{list(WAYS).index(way)}"
    add_user(house.redis.port, name, "operator")
    gone, stays = accepted(house.visitor(name)), accepted(house.visitor("otto"))
    WAYS[way](house, name)
    wait_for(lambda: house.state(gone) == "failed", "its command has ended")
    record = house.admin.get(f"/api/commands/{gone}")[1]
    assert (record["reason"], record["attempts"]) == (WITHDRAWN, 0)
    assert house.state(stays) == "accepted"


def test_rights_that_grow_or_a_new_password_end_nothing(house: House) -> None:
    """What is still allowed is still sent."""
    add_user(house.redis.port, "grows", "operator", publish=["hall/#"])
    kept = accepted(house.visitor("grows"))
    accounts = accounts_of(house.redis.port)
    accounts.change("grows", UserChange(publish=["hall/#", "roof/#"]))
    accounts.change("grows", UserChange(publish=["#"], password="another passphrase"))
    # A later change that does end something shows that the earlier ones were looked at.
    accounts.change("otto", UserChange(publish=["hall/#"]))
    wait_for(lambda: not house.client.scard(NAMES.orders_withdrawing), "all was looked through")
    assert house.state(kept) == "accepted"
    accounts.change("otto", UserChange(publish=None))


def test_the_bridge_takes_nothing_of_a_revoked_sender(house: House) -> None:
    """With every dashboard frozen the bridge itself ends what was withdrawn, and sends the rest."""
    identity, program = house.token("frozen")
    gone, stays = accepted(program), accepted(house.visitor("otto"))
    house.dashboard.freeze()
    try:
        accounts_of(house.redis.port).revoke_token(identity)
        bridge = BeatingBridge(house.redis).start()
        try:
            wait_for(lambda: house.state(stays) == "acked", "the other one is sent")
            wait_for(lambda: house.state(gone) == "failed", "the withdrawn one is not")
            assert gone not in [getattr(one, "id", None) for one in bridge.commands]
        finally:
            bridge.stop()
    finally:
        house.dashboard.thaw()
    assert house.admin.get(f"/api/commands/{gone}")[1]["reason"] == WITHDRAWN


def test_nothing_is_accepted_by_rights_of_a_moment_ago(house: House) -> None:
    """A socket that is about to be cut publishes nothing more; a stale judgement is told."""
    add_user(house.redis.port, "quick", "operator")
    quick = house.visitor("quick")
    live = quick.connect()
    bridge = BeatingBridge(house.redis).start()
    try:
        house.dashboard.wait_ready()
        wait_for(lambda: left_in_stream(house.redis) == 0, "all before is settled")
        bridge.commands.clear()
        accounts_of(house.redis.port).remove("quick")
        live.emit("publish", {"topic": "hall/valve", "qos": 1})
        assert quick.is_cut(within=10)
        assert bridge.commands == []
    finally:
        bridge.stop()
    orders = DashboardOrders(house.client, NAMES, "the test's Redis")
    before = orders.rights()
    add_user(house.redis.port, "later", "viewer")
    for rights, verdict in ((before, "rights"), (orders.rights(), "new"), (None, "new")):
        answer = orders.accept(
            f"stale-{rights}",
            Order(topic="t", payload=b""),
            0.1,
            None,
            Bounds(1000, 10_000, 60),
            Durability(True, ""),
            Sender("user:quick", rights),
        )
        assert answer.verdict == verdict


def test_keys_are_ones_own(house: House) -> None:
    """The same key of somebody else, or of a token of the same label, is another command."""
    (_, first), (_, second) = house.token("same"), house.token("same")
    found = [send(who, "order-17") for who in (house.visitor("hall"), house.admin, first, second)]
    assert [status for status, _ in found] == [202] * 4
    assert len({record["id"] for _, record in found}) == 4
    assert not any(record["repeated"] for _, record in found)
    again = send(first, "order-17")[1]
    assert (again["id"], again["repeated"]) == (found[2][1]["id"], True)


def test_one_sender_does_not_take_the_room_for_keys_of_all(house: House) -> None:
    """Who keeps too many keys is told so; the others, and commands without a key, are accepted."""
    hall = house.visitor("hall")
    house.client.hset("mqtt:order:senders", "user:hall", 10_000)
    try:
        status, answer = send(hall, "one too many")
        assert (status, answer["error"]) == (503, "full")
        assert "your commands" in answer["message"]
        assert send(hall)[0] == 202
        assert send(house.admin, "one of mine")[0] == 202
    finally:
        house.client.hdel("mqtt:order:senders", "user:hall")


def test_an_answer_is_not_sent_where_the_asker_may_not_publish(house: House) -> None:
    """Reading everywhere is not enough: the device that answers might write for the asker."""
    add_user(house.redis.port, "reader", "operator", read=["#"], publish=["hall/#"])
    reader = house.visitor("reader")
    assert send(reader, response_topic="vault/set")[0] == 403
    assert send(reader, response_topic="hall/answers")[0] == 202
    assert send(reader, response_topic="mqtt-dashboard/reply/7f3a")[0] == 202
    policy = CommandPolicy(who="reader", publish=Grant(filters=("hall/#",)))
    slipped = MessageProperties(response_topic="vault/set")
    with pytest.raises(FieldRefusedError, match="hall/#"):
        check(Order(topic="hall/x", payload=b"", policy=policy, properties=slipped))


def test_a_list_is_full_of_what_one_may_see(house: House) -> None:
    """Commands of others between one's own neither shorten the list nor show in its numbers."""
    hall = house.visitor("hall")
    own = [accepted(hall, topic=f"hall/{n}") for n in range(3)]
    for number in range(20):
        accepted(house.admin, topic=f"vault/{number}")
    for limit in (1, 2, 3):
        listed = hall.get(f"/api/commands?limit={limit}")[1]
        assert [one["id"] for one in listed["commands"]] == own[::-1][:limit]
        assert (listed["queued"], listed["queued_bytes"]) == (None, None)
    assert house.admin.get("/api/commands?limit=1")[1]["queued"] >= 23


def test_a_long_poll_does_not_answer_who_was_disabled_meanwhile(house: House) -> None:
    """P67: who may not ask any more gets no answer to what was asked before."""
    add_user(house.redis.port, "vera", "viewer")
    vera, command_id = house.visitor("vera"), accepted(house.admin)

    def looks() -> int:
        return int(house.client.info("commandstats")["cmdstat_hgetall"]["calls"])

    before = looks()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(vera.get, f"/api/commands/{command_id}?wait=20")
        wait_for(lambda: looks() >= before + 3, "it waits, and looks each second")
        accounts_of(house.redis.port).change("vera", UserChange(disabled=True))
        house.client.hset(NAMES.order_record(command_id), "t", "1")
        status, answer = asked.result(30)
    assert status == 401, answer


def test_where_it_can_be_asked_for_is_below_the_path(house: House) -> None:
    """The Location of an accepted command is right below DASHBOARD_BASE_PATH, too."""
    hall = house.visitor("hall")
    assert send(hall)[0] == 202
    assert hall.got["location"].startswith("/tools/mqtt/api/commands/")
    assert hall.get(hall.got["location"])[0] == 200


def test_one_user_does_not_take_all_places_to_wait(house: House) -> None:
    """So many requests of one user wait for results; the next is refused, others are not."""
    command_id = accepted(house.admin)
    hall, otto = house.visitor("hall"), house.visitor("otto")
    request = f"GET /api/commands/{command_id}?wait=30 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with ExitStack() as stack:

        def waits() -> None:
            connection = socket.create_connection(("127.0.0.1", house.dashboard.port))
            stack.enter_context(connection)
            connection.sendall(f"{request}Cookie: {otto.headers['Cookie']}\r\n\r\n".encode())

        for _ in range(MAX_WAITING_EACH):
            waits()

        def refused() -> bool:
            waits()
            status, answer = otto.get(f"/api/commands/{command_id}?wait=0.01")
            return status == 503 and "of your requests" in answer["message"]

        wait_for(refused, "the places of one user are taken", 20)
        assert hall.get(f"/api/commands/{command_id}?wait=0.01")[0] == 200


def test_a_begun_command_goes_on(house: House) -> None:
    """What a bridge has begun is not called back: it may be at the device already."""
    add_user(house.redis.port, "begun", "operator")
    command_id = accepted(house.visitor("begun"))
    store = BridgeOrders(house.client, NAMES, "the test's Redis")
    house.client.set(NAMES.bridge_epoch, 1)
    position = house.client.hget(NAMES.order_record(command_id), "e").decode()
    assert store.take(1, [(command_id, position, 0)], commit=True)[0] is not None
    accounts_of(house.redis.port).remove("begun")
    wait_for(lambda: not house.client.scard(NAMES.orders_withdrawing), "all was looked through")
    assert house.state(command_id) == "accepted"
    (taken,) = store.take(1, [(command_id, position, 0)], commit=True)
    assert taken is not None


def test_a_download_breaks_off_with_the_rights_of_who_asked() -> None:
    """A long file goes on only while whoever asked for it may have it."""
    answers = [False, True, True]
    lines = while_allowed(iter([b"x"] * (3 * LOOK_EVERY)), answers.pop)
    assert len([next(lines) for _ in range(2 * LOOK_EVERY)]) == 2 * LOOK_EVERY
    with pytest.raises(ForbiddenError):
        next(lines)
