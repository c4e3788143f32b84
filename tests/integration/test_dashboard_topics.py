"""The topic index over HTTP: pages, search, levels of the tree, one topic, its bytes."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from mqtt_dashboard import config
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.bus.topic_history import SCAN_S
from mqtt_dashboard.config import RedisSettings
from tests.support.dashboard_server import BeatingBridge, DashboardServer
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import wait_for


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run Redis, a bridge that only writes, and a dashboard."""
    with running_stack(tmp_path_factory.mktemp("topics")) as running_one:
        yield running_one


@pytest.fixture
def bridge(stack: Stack) -> BeatingBridge:
    """Return the bridge, as new."""
    stack.reset()
    return stack.bridge


@pytest.fixture
def dashboard(stack: Stack, bridge: BeatingBridge) -> DashboardServer:
    """Return the dashboard, which has seen the bridge."""
    return stack.dashboard


def test_p20_topics_are_paged_and_filtered(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P20: pages in byte order; `+` is MQTT's, prefix and filter combine."""
    bridge.feed.topics(
        *((f"page/{number:03}/x", str(number).encode()) for number in range(25)),
        ("page/y", b"\xff"),
        ("pagex", b""),
    )
    seen: list[str] = []
    after = ""
    while True:
        page = dashboard.get(f"/api/topics?prefix=page/&limit=10&after={after}")[1]
        seen += [one["topic"] for one in page["topics"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == [f"page/{number:03}/x" for number in range(25)] + ["page/y"]
    wild = dashboard.get("/api/topics?filter=page/%2B/x&limit=1000")[1]
    assert len(wild["topics"]) == 25
    assert [one["topic"] for one in dashboard.get("/api/topics?filter=pagex/%23")[1]["topics"]] == [
        "pagex"
    ]
    short = dashboard.get("/api/topics?filter=page/%2B/x&limit=3")[1]
    assert [one["topic"] for one in short["topics"]] == [f"page/00{n}/x" for n in range(3)]
    assert short["next"] == "page/002/x"
    binary = dashboard.get("/api/topics?prefix=page/y")[1]["topics"][0]
    assert (binary["encoding"], binary["last_payload"]) == ("base64", "/w==")


def test_the_tree_is_read_level_by_level(dashboard: DashboardServer, bridge: BeatingBridge) -> None:
    """A level names its children with the size of their subtrees; a topic shows its last value."""
    bridge.feed.topics(("tree/a/x", b"1"), ("tree/a/y", b"2"), ("tree/b", b"\xff\x00"))
    top = dashboard.get("/api/topics/levels?parent=tree&limit=1")[1]
    assert [(one["name"], one["topics"], one["info"]) for one in top["children"]] == [
        ("a", 2, None)
    ]
    rest = dashboard.get(f"/api/topics/levels?parent=tree&after={top['next']}")[1]
    assert [(one["topic"], one["topics"]) for one in rest["children"]] == [("tree/b", 1)]
    assert rest["next"] is None
    root = dashboard.get("/api/topics/levels")[1]
    assert "tree" in [one["name"] for one in root["children"]]
    assert dashboard.get("/api/topics/one?topic=tree/a/y")[1]["last_payload"] == "2"
    assert dashboard.get("/api/topics/one?topic=tree/a")[0] == 404
    assert dashboard.get("/api/topics/one")[1]["field"] == "topic"
    found = dashboard.get("/api/topics?search=TREE%20Y")[1]
    assert [one["topic"] for one in found["topics"]] == ["tree/a/y"]


def test_a_payload_is_downloaded_never_rendered(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """The bytes come exactly, as an attachment no browser takes for a page."""
    bridge.feed.topics(("raw/html", b"<script>1</script>\xff"))
    status, body, headers = dashboard.request("GET", "/api/topics/payload?topic=raw/html")
    assert (status, body) == (200, b"<script>1</script>\xff")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"


def test_a_search_says_how_much_it_looked_at(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """A whole search looked at every name that can match, a full page only at some of them."""
    bridge.feed.topics(*((f"looked/{number:02}", b"x") for number in range(20)))
    whole = dashboard.get("/api/topics?filter=looked/%23&search=17")[1]
    assert (len(whole["topics"]), whole["next"]) == (1, None)
    assert (whole["looked_at"], whole["candidates"]) == (20, 20)
    part = dashboard.get("/api/topics?filter=looked/%23&limit=5")[1]
    assert (part["looked_at"], part["candidates"], part["next"]) == (5, 20, "looked/04")
    assert part["next_in"] is None


def test_the_likeliest_answers_come_first(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """A request ends with the first step that found something; the next one goes on from there."""
    bridge.feed.topics(
        ("deep/likely", b"1"),
        ("likely/b", b"2"),
        ("likely", b"3"),
        ("other/x", b"likely"),
        ("other/y", b"no"),
    )
    found: list[tuple[list[str], str | None]] = []
    names = values = 0
    after = ""
    while True:
        page = dashboard.get(f"/api/topics?search=likely&values=1{after}")[1]
        found.append(([one["topic"] for one in page["topics"]], page["next_in"]))
        names, values = names + page["looked_at"], values + page["looked_at_values"]
        if page["next"] is None:
            break
        after = f"&after={quote(page['next'], safe='')}"
    assert found == [
        (["likely", "likely/b"], "names"),
        (["deep/likely"], "values"),
        (["other/x"], None),
    ]
    assert names == values == page["candidates"]
    status, refused = dashboard.get("/api/topics?search=likely&after=likely/b")
    assert (status, refused["field"]) == (400, "after")


def test_a_search_has_a_few_different_words(dashboard: DashboardServer) -> None:
    """Each word costs Redis: more than eight are refused, and one that repeats counts once."""
    status, refused = dashboard.get("/api/topics?search=1+2+3+4+5+6+7+8+9")
    assert (status, refused["field"]) == (400, "search")
    assert "8 words" in refused["message"]
    assert dashboard.get("/api/topics?search=" + "+".join("12345678" * 3))[0] == 200


def test_one_visitor_has_two_searches_at_a_time(dashboard: DashboardServer, stack: Stack) -> None:
    """While two of them take long the others wait, and are told so; then all is well again."""
    stack.redis.freeze()
    try:
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(dashboard.get, ["/api/topics?search=x"] * 10))
    finally:
        stack.redis.thaw()
    told = [answer["message"] for status, answer in answers if status != 200]
    assert len(told) == 10
    assert sum("of yours at once" in one for one in told) >= 4
    wait_for(lambda: dashboard.get("/api/topics?search=x")[0] == 200, "it is served again")


def test_the_last_messages_of_a_topic_come_from_the_log(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """Newest first, this topic's alone, each once, across batches, and page by page to the end."""
    feed = bridge.feed
    for number in range(30):
        feed.messages(
            ("past/one", f"{number}a"), ("past/one/more", "no"), ("past/one", f"{number}b")
        )
    feed.seq -= 3  # the bridge writes a batch again when Redis answered too late
    feed.messages(("past/one", "29a"), ("past/one/more", "no"), ("past/one", "29b"))
    feed.messages(("past/other", b"past/one"))
    wanted = [f"{number}{letter}" for number in range(29, -1, -1) for letter in "ba"]
    whole = dashboard.get("/api/topics/history?topic=past/one&limit=100")[1]
    assert [one["payload"] for one in whole["messages"]] == wanted
    assert (whole["cut"], whole["next"]) == (None, None)
    assert whole["looked_at"] >= 32
    assert whole["back_to"] <= whole["messages"][-1]["timestamp"] + 1
    paged: list[str] = []
    before = ""
    while True:
        page = dashboard.get(f"/api/topics/history?topic=past/one&limit=7{before}")[1]
        paged += [one["payload"] for one in page["messages"]]
        if page["next"] is None:
            break
        assert page["cut"] == "limit"
        before = f"&before={page['next']}"
    # Paging may meet the batch that was written twice on two pages.
    assert list(dict.fromkeys(paged)) == wanted
    assert dashboard.get("/api/topics/history?topic=never/seen")[1]["messages"] == []


def test_the_log_is_read_backwards_within_bounds(stack: Stack, bridge: BeatingBridge) -> None:
    """Reading ends after its time and says so; going on from there reaches the rest."""
    bridge.feed.messages(("deep/below", "at last"))
    for _ in range(40):
        bridge.feed.messages(("noise", "x" * 1000))
    settings = config.load(RedisSettings, {"REDIS_PORT": str(stack.redis.port)})
    store = DashboardStore(settings)
    clock = itertools.count(step=SCAN_S / 10)
    history = store.topic_history.read("deep/below", 10, monotonic=lambda: next(clock))
    assert (history.found, history.cut) == ([], "time")
    assert history.entries < 20
    assert history.cursor is not None
    rest = store.topic_history.read("deep/below", 10, history.cursor)
    assert [one.message.payload for one in rest.found] == [b"at last"]
    store.close()


@pytest.mark.parametrize(
    "query",
    ["limit=501", "limit=0", "topic=", "before=x", "before=1-1", f"before={'9' * 20}-0.1"],
)
def test_bad_history_queries_name_the_field(dashboard: DashboardServer, query: str) -> None:
    """What cannot be served is refused with the field's name."""
    topic = "" if query == "topic=" else "topic=a&"
    status, body = dashboard.get(f"/api/topics/history?{topic}{query}")
    assert (status, body["field"]) == (400, query.partition("=")[0])


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=", "filter=a%23", "filter=%23/a"]
)
def test_bad_topic_queries_name_the_field(dashboard: DashboardServer, query: str) -> None:
    """A query that cannot be served is refused with the field's name."""
    status, body = dashboard.get(f"/api/topics?{query}")
    assert status == 400
    assert body["field"] == query.partition("=")[0]
