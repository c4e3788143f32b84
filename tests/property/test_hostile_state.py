"""Whatever a broker tells of itself, and whatever stands in Redis, becomes documents that fit.

Every document is encoded as the bridge does and read back as the dashboard does.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mqtt_dashboard.bridge.accounts import CONTROL_TOPIC, Accounts
from mqtt_dashboard.bridge.client_poller import ClientPoller
from mqtt_dashboard.bridge.clients import Clients
from mqtt_dashboard.bridge.emqx_api import EmqxApi
from mqtt_dashboard.bridge.families import DYNSEC_RESPONSE
from mqtt_dashboard.bridge.faults import Faults
from mqtt_dashboard.bridge.inbox import Inbox
from mqtt_dashboard.bridge.index_keeper import IndexKeeper
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bridge.observer import Observer
from mqtt_dashboard.bridge.silence import SilenceWatch
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.bus.bridge_store import BridgeStore
from mqtt_dashboard.bus.connection import open_client
from mqtt_dashboard.clock import ManualClock, SystemClock
from mqtt_dashboard.config import RedisSettings, load
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.history import StatsPoint, point
from mqtt_dashboard.contract.messages import ClientsUpdate, LogMessage, StatsUpdate, TopicsUpdate
from mqtt_dashboard.contract.offers import Capabilities
from mqtt_dashboard.mqtt.client import Incoming, Outgoing, Session
from mqtt_dashboard.mqtt.sys_dialects import _EMQX, _MOSQUITTO, _VERNEMQ
from tests.support.emqx_api import KEY, SECRET, EmqxServer, client, serving
from tests.support.servers import RedisServer

NAMES = RedisChannels()
EDGES = [0, 1, -1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**400, -(2**63)]

numbers = st.sampled_from(EDGES) | st.integers() | st.floats()
words = st.sampled_from(["", "undefined", "normal", "a" * 300, "\x00", "é\u202e", "0", "5.0"])
things: st.SearchStrategy[Any] = numbers | words | st.none() | st.booleans() | st.just([])
names = st.sampled_from(["a", "a b", "é", "x" * 1030])
nodes = st.sampled_from(["emqx@1", "emqx@2", "3", "VerneMQ@h"])


def dumped(value: object) -> bytes:
    """Return JSON as a careless broker writes it, NaN and infinities included."""
    return json.dumps(value).encode()


def figure(value: float) -> bytes:
    return str(value).encode()


@st.composite
def statistics(draw: st.DrawFn) -> tuple[str, bytes]:
    node = draw(nodes)
    tables = {"broker": _MOSQUITTO, f"brokers/{node}": _EMQX, node: _VERNEMQ}
    place = draw(st.sampled_from(sorted(tables)))
    name = draw(st.sampled_from(sorted(tables[place])))
    return f"$SYS/{place}/{name}", draw(numbers.map(figure) | words.map(str.encode))


@st.composite
def events(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(names)
    what = draw(st.sampled_from(["connected", "disconnected", "subscribed", "unsubscribed"]))
    keys = ["username", "ipaddress", "proto_ver", "keepalive", "clean_start", "connected_at",
            "reason", "topic", "subopts"]  # fmt: skip
    fields = draw(st.dictionaries(st.sampled_from(keys), things))
    return f"$SYS/brokers/{draw(nodes)}/clients/{name}/{what}", dumped({"clientid": name, **fields})


@st.composite
def nanomq(draw: st.DrawFn) -> tuple[str, bytes]:
    fields = {
        "username": draw(words),
        "ts": draw(things),
        "proto_name": "MQTT",
        "keepalive": draw(things),
        "return_code": draw(st.sampled_from(["0", "87"]) | things),
        "proto_ver": draw(things),
        "client_id": draw(names),
        "clean_start": draw(things),
        "IPv4": draw(words),
    }
    return "$SYS/brokers/connected", dumped(fields)


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, bytes]:
    port, alive = draw(st.integers(0, 99_999)), draw(st.integers(0, 99_999))
    text = f"1: New client connected from h:{port} as {draw(names)} (p5, c1, k{alive})."
    return "$SYS/broker/log/N", text.encode()


class Link:
    """Keeps the questions to the plugin, so that they can be answered."""

    def __init__(self) -> None:
        self.token = ""

    def publish(self, message: Outgoing) -> None:
        assert message.topic == CONTROL_TOPIC
        self.token = json.loads(message.payload)["commands"][0]["correlationData"]


def check_documents(observer: Observer) -> None:
    """Make every document of the observer and read each as its reader does."""
    stats = observer.stats(1)
    codec.decode(codec.encode(stats), StatsUpdate)
    packed = codec.pack(point(stats))
    assert msgspec.msgpack.decode(packed, type=StatsPoint).timestamp > 0
    codec.decode(codec.encode(observer.client_list(1)), ClientsUpdate)
    codec.decode(codec.encode(observer.capabilities([])), Capabilities)
    observer.retained_count()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(statistics() | events() | nanomq() | lines(), max_size=12),
    st.dictionaries(st.sampled_from(["totalCount", "clients"]), things),
)
@example(
    [(f"$SYS/brokers/n{n}@x/metrics/bytes/received", b"9223372036854775807") for n in range(3)], {}
)
@example([], {"totalCount": 10**400, "clients": []})
def test_any_tree_gives_documents(messages: list[tuple[str, bytes]], data: dict[str, Any]) -> None:
    """No tree of a broker or a whole cluster, and no answer of its plugin, breaks a document."""
    clock, faults, link = SystemClock(), Faults(), Link()
    accounts = Accounts(clock, enabled=True)
    index = TopicIndex(10, 10, 1000)
    observer = Observer(Inbox(1 << 20), index, Clients(), clock, accounts, faults)
    observer.new_session(Session("5.0", session_present=False))
    accounts.ask(link)
    answer = {"command": "listClients", "data": data, "correlationData": link.token}
    hostile = [*messages, (DYNSEC_RESPONSE, dumped({"responses": [answer]}))]
    for topic, payload in hostile:
        observer.system(Incoming(topic, payload, 0, False, False, None, 0))
    check_documents(observer)
    assert faults.counts() == {}


row_keys = ["username", "ip_address", "port", "proto_ver", "keepalive", "clean_start", "connected"]
times = numbers | st.sampled_from(
    ["0001-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "now", ""]
)


@pytest.fixture
def emqx() -> Iterator[EmqxServer]:
    with serving() as server:
        yield server


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(row_keys), things), times, things)
@example({}, 10**400, 0)
@example({"port": 2**70, "keepalive": -1}, "9999-12-31T23:59:59-23:59", 10**400)
def test_any_list_of_clients_gives_a_document(
    emqx: EmqxServer, row: dict[str, Any], at: Any, qos: Any
) -> None:
    """A list of EMQX's is refused with a reason, or every field of it fits its document."""
    emqx.clients = [client("a", connected_at=at, **row)]
    emqx.subscriptions = [{"clientid": "a", "topic": "x", "qos": qos}]
    clients, faults = Clients(), Faults()
    api = EmqxApi(emqx.url, KEY, SECRET, SystemClock())
    ClientPoller(api, clients, lambda: True, SystemClock(), faults).turn(lambda _seconds: False)
    document = codec.decode(codec.encode(clients.update(1, 1.0, 1)), ClientsUpdate)
    for one in document.clients:
        assert one.port is None or 0 <= one.port <= 65535
        assert one.keepalive_s is None or 0 <= one.keepalive_s <= 65535
    assert faults.counts() == {}


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[BridgeStore]:
    options = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_server.port)}
    client = open_client(load(RedisSettings, options), "test")
    yield BridgeStore(client, NAMES, "test")
    client.close()


stored_numbers = st.sampled_from([one for one in EDGES if -(2**63) <= one < 2**64]) | st.floats()
stored = st.tuples(
    st.sampled_from(["a", "b/c", "", "é", "x" * 70_000]),
    st.binary(max_size=5),
    stored_numbers,
    stored_numbers,
    st.booleans() | st.none(),
    stored_numbers,
    stored_numbers,
    stored_numbers,
    stored_numbers | st.none(),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(stored | st.binary(max_size=9), max_size=8), st.lists(stored, max_size=3))
def test_any_stored_index_gives_documents(
    store: BridgeStore, redis_server: RedisServer, values: list[Any], messages: list[Any]
) -> None:
    """What stands in the index and in the log before a start never breaks what comes after."""
    redis = redis_server.client()
    redis.flushall()
    for place, value in enumerate(values):
        packed = value if isinstance(value, bytes) else codec.pack(value)
        name = str(place) if isinstance(value, bytes) else value[0]
        redis.hset(NAMES.topic_values, name, packed)
        redis.zadd(NAMES.topic_names, {name: 0})
    redis.hset(NAMES.topic_state, mapping={"writes": 3, "epoch": 5, "seq": 0})
    # A message of the log has its qos where an entry has its size, and so on: hostile enough.
    redis.xadd(NAMES.message_log, {"b": codec.pack((1, 5, 1, messages))})
    clock, faults = ManualClock(), Faults()
    lease, index = Lease(store, "one", clock), TopicIndex(10, 4, 1000)
    keeper = IndexKeeper(index, store.topics, store.tail, lease, clock, faults)
    lease.renew()
    keeper.turn(lambda _seconds: False)
    assert not keeper.restoring
    index.note([LogMessage("a", b"1", 0, False, False, clock.now())], (lease.epoch, 1))
    keeper.turn(lambda _seconds: False)
    watch = SilenceWatch(index, lambda: 0.0)
    watch.turn(clock.now())
    update = watch.add_to(index.update(clock.now(), lease.epoch))
    codec.decode(codec.encode(update), TopicsUpdate)
    assert store.topics.values(["a"]) == {"a": b"1"}
    assert set(faults.counts()) <= {"unreadable_entry", "unreadable_batch", "unreadable_message"}
