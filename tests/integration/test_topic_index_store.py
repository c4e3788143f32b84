"""The topic index in a real Redis: levels, pages and search agree with a plain list of topics."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqtt_dashboard.bus import readable_topics, topic_search
from mqtt_dashboard.bus.bridge_topics import BridgeTopics
from mqtt_dashboard.bus.connection import open_client
from mqtt_dashboard.bus.dashboard_topics import DashboardTopics
from mqtt_dashboard.bus.readable_topics import ReadableTopics
from mqtt_dashboard.bus.topic_names import to_member
from mqtt_dashboard.bus.topic_question import Question
from mqtt_dashboard.config import RedisSettings, load
from mqtt_dashboard.contract import topics
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.policy import Grant
from mqtt_dashboard.contract.topic_entry import TopicEntry
from mqtt_dashboard.errors import BusError, FellBackError, FieldRefusedError
from tests.support.servers import RedisServer, wait_for

NAMES = RedisChannels()
KNOWN = [
    "a",
    "a/b",
    "a/b/c",
    "a-b/x",
    "a b",
    "a\x01",
    "a/",
    "/",
    "/a",
    "//",
    "b/c/d/e",
    "B/Temp.(1)%",
    "b/temp[^x]-?*",
    "$SYS/broker/uptime",
    "$x",
    "hall/größe",
    "hall/ÄRGER",
    "日本/温度",
    "c/0",
    "c/1",
    "c/10",
]
levels = st.sampled_from(
    ["a", "b", "c", "d", "", "+", "$SYS", "$x", "hall", "größe", "B", "Temp.(1)%", "a b", "x"]
)
filters = st.lists(levels, min_size=1, max_size=4).flatmap(
    lambda parts: st.sampled_from(["/".join(parts), "/".join([*parts, "#"]), "#"])
)


def entry(topic: str, payload: bytes = b"v") -> TopicEntry:
    return TopicEntry(topic, payload, len(payload), 0, False, 1, 1.0, 2.0, 0.0)


@pytest.fixture
def bridge(redis_server: RedisServer) -> Iterator[BridgeTopics]:
    options = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_server.port)}
    client = open_client(load(RedisSettings, options), "test")
    client.set(NAMES.bridge_epoch, 7)
    yield BridgeTopics(client, NAMES, "test")
    client.close()


@pytest.fixture
def index(redis_server: RedisServer, bridge: BridgeTopics) -> Iterator[DashboardTopics]:
    bridge.write(7, [entry(topic) for topic in KNOWN if topic], set(KNOWN))
    options = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_server.port)}
    client = open_client(load(RedisSettings, options), "test")
    yield DashboardTopics(client, NAMES, "test")
    client.close()


def children(index: DashboardTopics, parent: str | None) -> dict[str, tuple[int, bool]]:
    found: dict[str, tuple[int, bool]] = {}
    after = None
    while True:
        page = index.level(parent, after, 2)
        for child in page.children:
            assert child.name not in found
            assert child.topics is not None
            found[child.name] = (child.topics, child.entry is not None)
        if not page.more:
            return found
        after = page.children[-1].name


def expected(parent: str | None) -> dict[str, tuple[int, bool]]:
    prefix = "" if parent is None else parent + "/"
    below = [topic[len(prefix) :] for topic in KNOWN if topic.startswith(prefix)]
    names = {rest.split("/")[0] for rest in below}
    return {
        name: (
            sum(rest == name or rest.startswith(name + "/") for rest in below),
            prefix + name in KNOWN,
        )
        for name in names
    }


@pytest.mark.parametrize("parent", [None, "", "/", "a", "a/b", "b", "b/c", "hall", "nothing"])
def test_a_level_holds_each_child_once(index: DashboardTopics, parent: str | None) -> None:
    """Children come once each, in pages, with the size of their subtree."""
    assert children(index, parent) == expected(parent)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(topic_filter=filters)
def test_p20_filters_match_as_mqtt_says(index: DashboardTopics, topic_filter: str) -> None:
    """P20: the search in Redis finds exactly what a plain matcher finds."""
    page = index.search(Question(topic_filter=topic_filter), None, 1000)
    plain = {topic for topic in KNOWN if topics.matches(topic_filter, topic)}
    assert {one.topic for one in page.entries} == plain
    assert page.last is None


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("TEMP",), {"B/Temp.(1)%", "b/temp[^x]-?*"}),
        (("temp", "(1)"), {"B/Temp.(1)%"}),
        (("a/b",), {"a/b", "a/b/c"}),
        (("größe",), {"hall/größe"}),
        (("%z",), set()),
        (("温度",), {"日本/温度"}),
    ],
)
def test_words_are_found_in_names(
    index: DashboardTopics, words: tuple[str, ...], wanted: set[str]
) -> None:
    """Every word must be in the name; letter case does not matter; nothing is a pattern."""
    page = index.search(Question(words=words), None, 1000)
    assert {one.topic for one in page.entries} == wanted


def test_words_are_found_in_values(index: DashboardTopics, bridge: BridgeTopics) -> None:
    """A word may be in the last value when that is asked for."""
    bridge.write(7, [entry("a/b", b'{"State": "on/off"}')], set())
    assert found(index, Question(words=("on/off",)), 10) == []
    assert found(index, Question(words=("on/OFF", "state"), in_values=True), 10) == ["a/b"]


def test_pages_go_on_where_they_ended(index: DashboardTopics) -> None:
    """Page after page gives every topic once, in the order of the tree."""
    seen: list[str] = []
    after = None
    while True:
        page = index.search(Question(), after, 3)
        seen += [one.topic for one in page.entries]
        after = page.last
        if after is None:
            break
    assert sorted(seen) == sorted(KNOWN)
    assert seen.index("a/b/c") < seen.index("a-b/x")


def found(index: DashboardTopics | ReadableTopics, question: Question, limit: int) -> list[str]:
    """Return everything a question finds, page by page, as somebody reads it."""
    topics_found: list[str] = []
    after = None
    for _ in range(1000):
        page = index.search(question, after, limit)
        topics_found += [one.topic for one in page.entries]
        after = page.last
        if after is None:
            return topics_found
    raise AssertionError("the search does not end")


texts = st.sampled_from(
    ["a", "a/", "A", "b/TEMP", "b/temp", "hall", "x", "/", "$SYS", "a b", "v", "on", "zzz", "c/1"]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=texts,
    topic_filter=st.none() | filters,
    prefix=st.sampled_from(["", "a", "hall/", "b/t", "zz"]),
    in_values=st.booleans(),
    limit=st.sampled_from([1, 3, 100]),
    readable=st.none() | st.lists(filters, min_size=1, max_size=3),
)
def test_the_likeliest_come_first_and_each_once(
    index: DashboardTopics,
    bridge: BridgeTopics,
    redis_server: RedisServer,
    text: str,
    topic_filter: str | None,
    prefix: str,
    in_values: bool,
    limit: int,
    readable: list[str] | None,
) -> None:
    """What begins with the text, then other names, then values: as a plain list gives it."""
    bridge.write(7, [entry("c/0", b"ON a/b"), entry("//", b"on x")], set())
    values = dict.fromkeys(KNOWN, "v") | {"c/0": "on a/b", "//": "on x"}
    words = text.lower().split()
    grant = Grant(filters=tuple(readable or ["#", "$SYS/#", "$x/#"]))
    possible = [
        topic
        for topic in sorted(KNOWN, key=to_member)
        if topic.startswith(prefix)
        and (topic_filter is None or topics.matches(topic_filter, topic))
        and grant.allows(topic)
    ]
    by_name = [one for one in possible if all(word in lowered(one) for word in words)]
    steps = [
        [one for one in by_name if one.startswith(text)],
        [one for one in by_name if not one.startswith(text)],
        # A value stands beside its topic: words may be found in one and in the other.
        [
            one
            for one in possible
            if in_values
            and one not in by_name
            and all(word in f"{lowered(one)} {values[one]}" for word in words)
        ],
    ]
    view: DashboardTopics | ReadableTopics = index
    if readable:
        view = ReadableTopics(index, redis_server.client(), NAMES, "test", grant)
    question = Question(
        words=tuple(text.split()),
        text=text,
        topic_filter=topic_filter,
        prefix=prefix,
        in_values=in_values,
    )
    assert found(view, question, limit) == [one for step in steps for one in step]


def lowered(text: str) -> str:
    """Fold ASCII only, as Redis does."""
    return text.encode().lower().decode()


def test_no_cursor_names_what_is_hidden(
    index: DashboardTopics, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that ends for want of time goes on from a readable name, and finds the same."""
    monkeypatch.setattr(readable_topics, "LONG_ENOUGH_S", -1.0)
    monkeypatch.setattr(topic_search, "NAMES_PER_CALL", 2)
    monkeypatch.setattr(topic_search, "VALUES_PER_CALL", 2)
    grant = Grant(filters=("a/+", "c/#", "+/größe"))
    readable = {topic for topic in KNOWN if grant.allows(topic)}
    view = ReadableTopics(index, redis_server.client(), NAMES, "test", grant)
    for question in (Question(), Question(words=("v",), text="v", in_values=True)):
        named, seen = set(), []
        after: str | None = None
        while True:
            page = view.search(question, after, 100)
            seen += [one.topic for one in page.entries]
            after = page.last
            if after is None:
                break
            named.add(after.partition(":")[2] if question.words else after)
        assert sorted(seen) == sorted(readable)
        assert named <= readable | {"", question.text}
        assert len(named) > 2


def test_a_search_says_how_far_it_has_looked(index: DashboardTopics) -> None:
    """All steps together have looked at every name once, and at every value once."""
    question = Question(words=("b",), text="b", in_values=True)
    names = values = 0
    steps = []
    after: str | None = None
    while True:
        page = index.search(question, after, 2)
        names, values = names + page.looked_at, values + page.looked_at_values
        after = page.last
        if page.between:
            steps.append(page.step)
        if after is None:
            break
    assert names == values == index.candidates(question) == len(KNOWN)
    assert steps == ["names", "values", None]


def test_a_call_compares_a_bounded_number_of_bytes(
    bridge: BridgeTopics, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long names, long values and many words: each call looks at fewer, and all are looked at."""
    value, words = b"a" * 4000, tuple("a" * length + "b" for length in range(10, 18))
    long = ["n/" + "a" * 60_000 + str(number) for number in range(20)]
    many = [*long, *(f"v/{number}" for number in range(300))]
    bridge.write(7, [entry(topic, value) for topic in many], set(many))
    client = redis_server.client()
    index = DashboardTopics(client, NAMES, "test")
    question = Question(words=words, text=" ".join(words), in_values=True)
    looked: dict[str, list[int]] = {"names": [], "values": []}
    after: str | None = None
    while True:
        page = index.search(question, after, 100)
        looked["names"].append(page.looked_at)
        looked["values"].append(page.looked_at_values)
        after = page.last
        if after is None:
            break
    assert (sum(looked["names"]), sum(looked["values"])) == (len(many), len(many))
    # 9 comparisons with 4,000 bytes, or with 60,000: half a megabyte is one call's work.
    assert max(looked["values"]) < 20
    assert looked["names"].count(1) >= len(long) - 1
    view = ReadableTopics(index, client, NAMES, "test", Grant(filters=("+/1", "v/+")))
    assert view.count() == 300
    # With no time left a number is unknown, but what holds nothing readable is still not shown.
    monkeypatch.setattr(readable_topics, "LONG_ENOUGH_S", -1.0)
    assert [child.name for child in view.level(None, None, 10).children] == ["v"]


@pytest.mark.parametrize("after", ["a/b", "x:a", "v:a", "n", ":"])
def test_a_foreign_cursor_is_refused(index: DashboardTopics, after: str) -> None:
    """A search goes on from its own cursors only; a filter alone goes on from a topic's name."""
    with pytest.raises(FieldRefusedError):
        index.search(Question(words=("a",), text="a"), after, 10)
    assert index.search(Question(topic_filter="#"), "a/b", 1).entries[0].topic == "a/b/c"


def test_forgotten_topics_are_gone(index: DashboardTopics, bridge: BridgeTopics) -> None:
    """What the bridge forgets is neither listed nor counted, and has no value."""
    before = index.count()
    bridge.forget(7, ["a/b", "unknown"])
    assert index.count() == before - 1
    assert index.one("a/b") is None
    assert children(index, "a")["b"] == (1, False)


def test_the_index_is_read_back_whole(bridge: BridgeTopics) -> None:
    """A new bridge reads every entry; one that cannot be read is left out."""
    many = [entry(f"many/{number}") for number in range(3000)]
    bridge.write(7, many, {one.topic for one in many})
    bridge._client.hset(NAMES.topic_values, "broken", b"\xc1")
    pieces = list(bridge.load())
    found = [one for piece in pieces for one in piece.entries]
    assert {one.topic for one in found} == {one.topic for one in many}
    assert sum(piece.unreadable for piece in pieces) == 1
    assert bridge.values(["many/7", "nothing"]) == {"many/7": b"v"}


def test_a_redis_that_fell_back_takes_no_part_for_the_whole(
    bridge: BridgeTopics, redis_server: RedisServer
) -> None:
    """Writes are numbered: one is refused when Redis has forgotten the one before it."""
    redis = redis_server.client()
    assert bridge.begin() is None
    bridge.write(7, [entry("a")], {"a"}, (7, 10))
    older = redis.dump(NAMES.topic_state)
    bridge.write(7, [entry("b")], {"b"}, (7, 20))
    bridge.forget(7, ["b"])
    redis.restore(NAMES.topic_state, 0, older, replace=True)
    with pytest.raises(FellBackError):
        bridge.write(7, [entry("c")], {"c"}, (7, 30))
    with pytest.raises(FellBackError):
        bridge.forget(7, ["a"])
    assert redis.hget(NAMES.topic_values, "c") is None
    assert bridge.begin() == (7, 10)
    bridge.write(7, [entry("c")], {"c"})
    assert bridge.begin() == (7, 10)
    bridge.write(7, [], set(), (8, 0))
    assert bridge.begin() == (8, 0)


def test_a_write_whose_answer_was_lost_is_done_again(
    bridge: BridgeTopics, redis_server: RedisServer
) -> None:
    """A frozen Redis may do a write later that was given up: the next one goes on all the same."""
    bridge.begin()
    bridge.write(7, [entry("a")], {"a"})
    redis_server.freeze()
    try:
        with pytest.raises(BusError):
            bridge.write(7, [entry("b")], {"b"})
    finally:
        redis_server.thaw()
    wait_for(lambda: redis_server.client().hexists(NAMES.topic_values, "b"), "it was done late")
    bridge.write(7, [entry("b", b"newer")], {"b"})
    assert bridge.values(["b"]) == {"b": b"newer"}
