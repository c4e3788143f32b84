"""Read filters: hidden topics behave like unknown ones, over HTTP and on the live channel."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mqtt_dashboard.contract.messages import ClientInfo, ClientsUpdate, TopicChange, TopicsUpdate
from mqtt_dashboard.contract.offers import AccountInfo, HeldFilter
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, Visitor, add_user, store_of

TOPICS = (
    "hall/lamp/1",
    "hall/lamp/2",
    "hall",
    "hallway/x",
    "site/1/temp",
    "site/1/door",
    "site/2/temp",
    "site/2/door",
    "vault",
    "vault/door",
)
READ = ["hall/#", "site/+/temp"]
READABLE = {"hall", "hall/lamp/1", "hall/lamp/2", "site/1/temp", "site/2/temp"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard with a restricted viewer and a filled index."""
    folder = tmp_path_factory.mktemp("topics")
    with running_stack(folder, AUTH_MODE="required", ADMIN_PASSWORD=PASSWORD) as running_one:
        port = running_one.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        add_user(port, "guest", "viewer", read=READ)
        add_user(port, "blind", "viewer", read=[])
        running_one.bridge.feed.topics(*((one, b"21 degrees") for one in TOPICS))
        yield running_one


@pytest.fixture
def guest(stack: Stack) -> Iterator[Visitor]:
    """Return somebody who may read `READ`."""
    visitor = Visitor(stack.dashboard).login("guest")
    yield visitor
    visitor.close()


def _all(visitor: Visitor, query: str) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        status, page = visitor.get(f"/api/topics?{query}{after}")
        assert status == 200, page
        found += [one["topic"] for one in page["topics"]]
        if page["next"] is None:
            return found
        named = page["next"].partition(":")[2] if "search=" in query else page["next"]
        assert named in READABLE | {""}, "a cursor names a hidden topic"
        after = f"&after={page['next']}"


def test_the_list_holds_readable_topics_only(guest: Visitor) -> None:
    """Pages of any size, search, filter and prefix: nothing hidden, nothing readable missing."""
    for limit in (1, 2, 100):
        assert sorted(_all(guest, f"limit={limit}")) == sorted(READABLE)
    assert guest.get("/api/topics")[1]["count"] == len(READABLE)
    assert _all(guest, "search=door") == []
    assert _all(guest, "search=21&values=1") == sorted(READABLE, key=lambda one: one.split("/"))
    assert _all(guest, "filter=site/%2B/%23") == ["site/1/temp", "site/2/temp"]
    assert _all(guest, "filter=vault/%23") == []
    assert _all(guest, "prefix=va") == []
    assert _all(guest, "prefix=site/1") == ["site/1/temp"]


def test_levels_count_readable_topics_only(guest: Visitor) -> None:
    """The tree shows branches with something readable, with counts of that alone."""

    def level(parent: str | None, limit: int = 100) -> dict[str, tuple[int, bool]]:
        found: dict[str, tuple[int, bool]] = {}
        after = ""
        while True:
            query = f"limit={limit}{after}" + (f"&parent={parent}" if parent else "")
            page = guest.get(f"/api/topics/levels?{query}")[1]
            for one in page["children"]:
                found[one["name"]] = (one["topics"], one["info"] is not None)
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"

    for limit in (1, 100):
        assert level(None, limit) == {"hall": (3, True), "site": (2, False)}
        assert level("site", limit) == {"1": (1, False), "2": (1, False)}
        assert level("site/1", limit) == {"temp": (1, True)}
        assert level("vault", limit) == {}


def test_single_topics_are_hidden_like_unknown_ones(guest: Visitor) -> None:
    """One topic and its bytes: the same answer for hidden and for unknown."""
    for route in ("one", "payload"):
        assert guest.get(f"/api/topics/{route}?topic=hall/lamp/1")[0] == 200
        hidden = guest.get(f"/api/topics/{route}?topic=vault/door")
        assert hidden == guest.get(f"/api/topics/{route}?topic=never/seen")
        assert hidden[0] == 404


def test_nothing_may_mean_nothing(stack: Stack) -> None:
    """An empty list of filters hides every topic."""
    blind = Visitor(stack.dashboard).login("blind")
    assert _all(blind, "") == []
    assert blind.get("/api/topics")[1]["count"] == 0
    assert blind.get("/api/topics/levels")[1]["children"] == []
    blind.connect()
    assert blind.call("subscribe", {"filter": "a"})["ok"] is False
    blind.close()


@pytest.mark.parametrize("wanted", ["#", "+/#", "vault/#", "vault", "site/#", "hall+/x", "$SYS/#"])
def test_filters_that_reach_beyond_are_refused_in_words(guest: Visitor, wanted: str) -> None:
    """A subscription must be contained in what may be read; the refusal names that."""
    guest.connect()
    reply = guest.call("subscribe", {"filter": wanted})
    assert reply["ok"] is False
    if "+" not in wanted[1:]:
        assert "hall/#" in reply["message"]


def test_frames_and_replays_hold_readable_topics_only(stack: Stack, guest: Visitor) -> None:
    """Live and replayed messages: what others watch on the same worker does not reach the guest."""
    feed = stack.bridge.feed
    boss = Visitor(stack.dashboard).login("admin")
    boss.connect()
    assert boss.call("subscribe", {"filter": "#"})["ok"]
    feed.messages(*((one, "before") for one in TOPICS))
    wait_for(lambda: set(TOPICS) <= boss.topics_received(), "the administrator sees all")
    guest.connect()
    for wanted in ("hall/+/+", "site/1/temp", "hall"):
        assert guest.call("subscribe", {"filter": wanted})["ok"]
    feed.messages(*((one, "after") for one in TOPICS))
    feed.messages(("hall/lamp/1", "last"))
    wait_for(
        lambda: any(
            message["payload"] == "last"
            for frame in guest.named("mqtt_messages")
            for message in frame["messages"]
        ),
        "the last message",
    )
    assert guest.topics_received() == {"hall", "hall/lamp/1", "hall/lamp/2", "site/1/temp"}
    boss.close()


def test_state_events_hold_readable_names_only(stack: Stack, guest: Visitor) -> None:
    """topics_update, clients_update and broker_status leave out names of hidden topics."""
    feed = stack.bridge.feed
    stack.bridge.filters = ("hall/#", "vault/#")
    changes = [
        TopicChange(topic=one, message_count=1, last_seen=1.0, rate=1.0, retained=False)
        for one in TOPICS
    ]
    topics = TopicsUpdate(
        timestamp=1.0, count=10, new=10, changed_count=10, changed=changes, limit=100, left_out=0
    )
    held = [HeldFilter(filter=one, qos=0) for one in ("hall/lamp/+", "vault/door", "#")]
    clients = ClientsUpdate(
        timestamp=1.0,
        clients=[ClientInfo(client_id="c", connected=True, subscriptions=held)],
        connected=1,
        known=1,
    )
    boss = Visitor(stack.dashboard).login("admin")
    try:
        for visitor in (guest, boss):
            visitor.connect()
        feed.announce(feed.channels.TOPIC_LIST, topics)
        feed.announce(feed.channels.CLIENT_LIST, clients)

        def newest(visitor: Visitor, event: str) -> Any:
            wait_for(lambda: visitor.named(event), event)
            return visitor.named(event)[-1]

        wait_for(lambda: newest(boss, "topics_update")["count"] == 10, "all is told to some")
        wait_for(lambda: newest(guest, "topics_update")["changed_count"] == 5, "less to others")
        update = newest(guest, "topics_update")
        assert {one["topic"] for one in update["changed"]} == READABLE
        assert (update["count"], update["new"]) == (None, None)

        def told() -> Any:
            listed = newest(guest, "clients_update")["clients"]
            return next((one for one in listed if one["client_id"] == "c"), None)

        client = wait_for(told, "the client is told")
        assert [one["filter"] for one in client["subscriptions"]] == ["hall/lamp/+", "#"]
        assert client["subscriptions_left_out"] == 1
        rest = guest.get("/api/clients")[1]["clients"][0]
        assert rest["subscriptions"] == client["subscriptions"]
        wait_for(
            lambda: len(boss.get("/api/broker/status")[1]["bridge"]["subscriptions"]) == 2,
            "the bridge's filters",
        )
        for status in (guest.get("/api/broker/status")[1], newest(guest, "broker_status")):
            assert "vault/#" not in str(status["bridge"]["subscriptions"])
    finally:
        stack.bridge.filters = ("#",)
        boss.close()


def test_the_brokers_accounts_are_for_operators(stack: Stack) -> None:
    """User names, roles and groups of the broker's access control: not for every viewer."""
    port, feed = stack.redis.port, stack.bridge.feed
    add_user(port, "vera", "viewer")
    add_user(port, "otto", "operator", read=["hall/#"])
    account = AccountInfo(username="plc-7", roles=["writer"], groups=["plant"])
    update = ClientsUpdate(
        timestamp=2.0,
        clients=[ClientInfo(client_id="meter", connected=True)],
        connected=1,
        known=1,
        accounts=[account],
        accounts_total=1,
    )
    visitors = [Visitor(stack.dashboard).login(name) for name in ("vera", "guest", "otto")]
    try:
        for one in visitors:
            one.connect()
        feed.announce(feed.channels.CLIENT_LIST, update)
        for one, sees in zip(visitors, (False, False, True), strict=True):
            wait_for(_hears(one, "meter"), "the clients")
            for shown in (one.named("clients_update")[-1], one.get("/api/clients")[1]):
                assert "meter" in str(shown)
                assert ("plc-7" in str(shown)) is sees
                assert ("plant" in str(shown)) is sees
                assert shown["accounts_total"] == (1 if sees else None)
                if not sees:
                    assert "operators" in shown["accounts_hint"]
        system = visitors[2].get("/api/system")[1]
        assert system["redis"]["topics"] is None
        boss = Visitor(stack.dashboard).login("admin")
        assert boss.get("/api/system")[1]["redis"]["topics"] == len(TOPICS)
    finally:
        for one in visitors:
            one.close()


def _hears(visitor: Visitor, client_id: str) -> Callable[[], bool]:
    return lambda: client_id in str(visitor.named("clients_update"))


def test_no_position_is_before_the_first(guest: Visitor) -> None:
    """A cursor that Redis knows no place for is refused, not passed on."""
    path = "/api/topics/history?topic=hall&before="
    for wrong in ("0-0.0", "00-000.5", "18446744073709551616-0.0"):
        status, answer = guest.get(path + wrong)
        assert (status, answer.get("field")) == (400, "before"), answer
    assert guest.get(f"{path}0-1.0")[0] == 200
    assert guest.get(f"{path}18446744073709551615-18446744073709551615.0")[0] == 200
