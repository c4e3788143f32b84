"""The bridge's writes against a real Redis: the lease, the fence, one round trip per batch."""

from collections.abc import Iterator

import pytest

from mqtt_dashboard.bridge.faults import Faults
from mqtt_dashboard.bridge.forwarder import Forwarder
from mqtt_dashboard.bridge.inbox import Inbox
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bridge.reporter import Reporter
from mqtt_dashboard.bridge.session_log import SessionLog
from mqtt_dashboard.bus.bridge_store import EVENTS_BYTES, BridgeStore
from mqtt_dashboard.bus.connection import open_client
from mqtt_dashboard.clock import ManualClock, SystemClock
from mqtt_dashboard.config import RedisSettings, load
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import (
    ClientInfo,
    ClientsUpdate,
    LogMessage,
    MessageReceived,
    WantedFilter,
)
from mqtt_dashboard.contract.session import SessionFilter
from mqtt_dashboard.contract.topic_entry import TopicEntry
from mqtt_dashboard.errors import BusError, FencedError
from mqtt_dashboard.mqtt.client import Incoming
from tests.support.servers import RedisServer, wait_for

NAMES = RedisChannels()


class Seen:
    """Keeps what the forwarder reports."""

    def __init__(self) -> None:
        self.messages: list[LogMessage] = []

    def note(self, messages: list[LogMessage], last: tuple[int, int]) -> None:
        self.messages += messages
        self.last = last


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[BridgeStore]:
    settings = load(
        RedisSettings, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_server.port)}
    )
    client = open_client(settings, "test")
    yield BridgeStore(client, NAMES, settings.address)
    client.close()


def incoming(number: int, *, token: int = 0, payload: bytes = b"v") -> Incoming:
    return Incoming(f"t/{number}", payload, 1 if token else 0, False, False, None, token)


def held_safely(lease: Lease) -> bool:
    return lease.safe


def no_wait(_seconds: float) -> bool:
    return False


def test_only_one_bridge_holds_the_lease(store: BridgeStore) -> None:
    """P41: the second bridge gets nothing until the first one gives up or goes silent."""
    first, second = Lease(store, "one", SystemClock()), Lease(store, "two", SystemClock())
    assert first.renew()
    assert not second.renew()
    assert (first.held, second.held) == (True, False)
    epoch = first.epoch
    first.release()
    assert second.renew()
    assert second.epoch > epoch


def test_a_thawed_bridge_writes_nothing(store: BridgeStore, redis_server: RedisServer) -> None:
    """P55: what an overtaken bridge still had to write is refused by Redis itself."""
    first, second = Lease(store, "one", SystemClock()), Lease(store, "two", SystemClock())
    first.renew()
    stale = first.epoch
    redis_server.client().delete(NAMES.bridge_lease)  # as if it had run out
    second.renew()
    with pytest.raises(FencedError):
        store.log.append(stale, 1, b"packed", [b"{}"], 10)
    with pytest.raises(FencedError):
        store.topics.write(stale, [TopicEntry("a", b"", 0, 0, False, 1, 0.0, 0.0, 0.0)], {"a"})
    assert redis_server.client().xlen(NAMES.message_log) == 0
    assert not first.renew()
    assert not first.held


def test_the_lease_is_doubted_while_redis_is_silent(
    store: BridgeStore, redis_server: RedisServer
) -> None:
    """A holder that could not renew stops acting before anybody else can take over."""
    clock = ManualClock()
    lease = Lease(store, "one", clock)
    lease.renew()
    assert held_safely(lease)
    redis_server.freeze()
    try:
        clock.advance(3.1)
        assert not held_safely(lease)
        assert lease.held
        with pytest.raises(BusError, match="does not answer in time"):
            lease.renew()
    finally:
        redis_server.thaw()


def test_the_epoch_grows_even_when_redis_lost_its_data(
    store: BridgeStore, redis_server: RedisServer
) -> None:
    """Positions of two reigns never look alike, although Redis was emptied in between."""
    lease = Lease(store, "one", SystemClock())
    lease.renew()
    before = lease.epoch
    redis_server.client().flushall()
    assert lease.renew()
    assert lease.epoch > before


def test_a_batch_is_one_log_entry_and_one_document_each(
    store: BridgeStore, redis_server: RedisServer
) -> None:
    """P17, P18, P37: bytes survive, every message is numbered, acknowledged after the write."""
    lease, inbox, seen = Lease(store, "one", SystemClock()), Inbox(10_000_000), Seen()
    lease.renew()
    acknowledged: list[int] = []

    def acknowledge(tokens: list[int]) -> None:
        assert redis_server.client().xlen(NAMES.message_log) == 1
        acknowledged.extend(tokens)

    listener = redis_server.client().pubsub()
    listener.subscribe(NAMES.MQTT_MESSAGES)
    assert listener.get_message(timeout=2)
    forwarder = Forwarder(inbox, store, lease, seen, acknowledge, 10_000_000, SystemClock())
    inbox.offer([incoming(1, token=11, payload=b"\xff\x00"), incoming(2), incoming(3, token=12)], 5)
    forwarder.turn(no_wait)

    documents = []
    for _ in range(3):
        heard = wait_for(lambda: listener.get_message(timeout=1), "a document")
        documents.append(codec.decode(heard["data"], MessageReceived))
    assert [document.seq for document in documents] == [1, 2, 3]
    assert (documents[0].payload, documents[0].encoding) == ("/wA=", "base64")
    assert {document.epoch for document in documents} == {lease.epoch}
    ((_id, fields),) = redis_server.client().xrange(NAMES.message_log)
    batch = codec.unpack_batch(fields[b"b"])
    assert (batch.first_seq, [m.payload for m in batch.messages]) == (1, [b"\xff\x00", b"v", b"v"])
    assert acknowledged == [11, 12]
    assert len(seen.messages) == 3
    assert inbox.traffic().forwarded == 3


def test_nothing_is_lost_while_redis_is_away(store: BridgeStore, redis_server: RedisServer) -> None:
    """P01, P10: the batch stays sealed, is retried, and keeps its numbers."""
    lease, inbox, seen = Lease(store, "one", SystemClock()), Inbox(10_000_000), Seen()
    lease.renew()
    acknowledged: list[int] = []
    forwarder = Forwarder(inbox, store, lease, seen, acknowledged.extend, 10_000_000, SystemClock())
    redis_server.freeze()
    inbox.offer([incoming(1, token=1)], 1.0)
    forwarder.turn(no_wait)
    assert (acknowledged, inbox.traffic().queued) == ([], 1)
    redis_server.thaw()

    def written() -> bool:
        forwarder.turn(no_wait)
        return bool(acknowledged)

    wait_for(written, "the batch is written")
    assert acknowledged == [1]
    # The frozen Redis executes the first attempt when it thaws; the second is not written again.
    ((_id, fields),) = redis_server.client().xrange(NAMES.message_log)
    assert codec.unpack_batch(fields[b"b"]).first_seq == 1


def test_a_retry_is_written_once(store: BridgeStore, redis_server: RedisServer) -> None:
    """A batch that is in the log already, or a part of it, is neither written nor published."""
    lease = Lease(store, "one", SystemClock())
    lease.renew()
    listener = redis_server.client().pubsub()
    listener.subscribe(NAMES.MQTT_MESSAGES)
    assert listener.get_message(timeout=2)
    assert store.log.append(lease.epoch, 1, b"four", [b"1", b"2", b"3", b"4"], 10) == 4
    assert store.log.append(lease.epoch, 1, b"four", [b"1", b"2", b"3", b"4"], 10) == 4
    assert store.log.append(lease.epoch, 1, b"two", [b"1", b"2"], 10) == 4
    assert store.log.append(lease.epoch, 5, b"one", [b"5"], 10) == 5
    entries = redis_server.client().xrange(NAMES.message_log)
    assert [fields[b"b"] for _id, fields in entries] == [b"four", b"one"]
    heard = [wait_for(lambda: listener.get_message(timeout=1), "it")["data"] for _ in range(5)]
    assert heard == [b"1", b"2", b"3", b"4", b"5"]
    assert listener.get_message(timeout=0.2) is None


def test_numbers_begin_anew_with_an_epoch(store: BridgeStore, redis_server: RedisServer) -> None:
    """The same numbers in a new epoch are other messages."""
    lease = Lease(store, "one", SystemClock())
    lease.renew()
    store.log.append(lease.epoch, 1, b"before", [b"1", b"2"], 10)
    redis_server.client().delete(NAMES.bridge_epoch)
    assert lease.renew()
    assert store.log.append(lease.epoch, 1, b"after", [b"1"], 10) == 1
    assert redis_server.client().xlen(NAMES.message_log) == 2


def test_what_the_queue_leaves_out_is_a_hole_in_the_numbers(
    store: BridgeStore, redis_server: RedisServer
) -> None:
    """Every reader sees where messages were given up, how many, and why."""
    lease, inbox = Lease(store, "one", SystemClock()), Inbox(10_000)
    lease.renew()
    forwarder = Forwarder(inbox, store, lease, Seen(), lambda _t: None, 1 << 20, SystemClock())
    inbox.offer([incoming(number, payload=bytes(2000)) for number in range(4)], 1.0)
    inbox.offer([incoming(number, payload=bytes(2000)) for number in range(4, 7)], 2.0)
    forwarder.turn(no_wait)
    inbox.offer([incoming(7)], 3.0)
    forwarder.turn(no_wait)
    batches = [
        codec.unpack_batch(fields[b"b"])
        for _id, fields in redis_server.client().xrange(NAMES.message_log)
    ]
    assert inbox.traffic().dropped == {"queue_full": 3}
    assert [(one.first_seq, len(one.messages), one.gap) for one in batches] == [
        (1, 4, None),
        (8, 1, "queue_full"),
    ]
    assert forwarder.seq == 8


def test_another_reign_in_between_is_noticed(store: BridgeStore, redis_server: RedisServer) -> None:
    """P55: a bridge that finds the lease free again still learns that another one has ruled."""
    first, second = Lease(store, "one", SystemClock()), Lease(store, "two", SystemClock())
    first.renew()
    redis_server.client().delete(NAMES.bridge_lease)
    second.renew()
    second.release()
    assert first.renew()
    assert first.losses == 1
    redis_server.client().flushall()
    assert first.renew()
    assert first.losses == 1


def test_the_message_log_keeps_to_its_bytes(store: BridgeStore, redis_server: RedisServer) -> None:
    """The log is trimmed by bytes, not by a number of messages."""
    lease, inbox = Lease(store, "one", SystemClock()), Inbox(100_000_000)
    lease.renew()
    limit = 2 * 1024 * 1024
    forwarder = Forwarder(inbox, store, lease, Seen(), lambda _tokens: None, limit, SystemClock())
    for number in range(120):
        inbox.offer([incoming(number, payload=b"x" * 100_000)], 1.0)
        forwarder.turn(no_wait)
    used = redis_server.client().memory_usage(NAMES.message_log)
    assert used is not None
    assert limit / 2 < used < limit * 1.3


def test_wanted_filters_survive(store: BridgeStore, redis_server: RedisServer) -> None:
    """P32: filters are stored and read back; what cannot be read is left out."""
    store.store_subscription(WantedFilter(filter="a/#", qos=1, count=2))
    redis_server.client().hset(NAMES.subscriptions, "broken", b"\xff not json")
    assert [(one.filter, one.count) for one in store.load_subscriptions()] == [("a/#", 2)]
    store.forget_subscription("a/#")
    assert store.load_subscriptions() == []


def test_the_filters_of_the_session_survive(store: BridgeStore, redis_server: RedisServer) -> None:
    """P32: what the broker holds is stored, struck out, written anew, and fenced."""
    lease = Lease(store, "one", SystemClock())
    lease.renew()
    many = [SessionFilter(filter=f"a/{n}/" + "x" * 500, session="s", rank=n) for n in range(1200)]
    store.session.write(lease.epoch, many, ["never/there"], anew=False)
    for broken in (
        b"\xff not json",
        b'{"filter":"a/#/b","session":"s"}',
        b'{"filter":"a","rank":-1}',
    ):
        redis_server.client().hset(NAMES.session_filters, broken, broken)
    assert {one.filter: one for one in store.session.load()} == {one.filter: one for one in many}
    changed = SessionFilter(filter="b/#", session="s", complete=True, identifier=7, rank=3)
    store.session.write(lease.epoch, [changed], [one.filter for one in many[1:]], anew=False)
    assert sorted(store.session.load(), key=lambda one: one.filter) == [many[0], changed]
    store.session.write(lease.epoch, [changed], [], anew=True)
    assert store.session.load() == [changed]
    with pytest.raises(FencedError):
        store.session.write(lease.epoch - 1, [], ["b/#"], anew=True)
    store.session.write(lease.epoch, [], [], anew=True)
    assert store.session.load() == []


def test_old_messages_leave_the_log(store: BridgeStore, redis_server: RedisServer) -> None:
    """Retention by age: what was written before the time goes, in whole nodes of the stream."""
    lease = Lease(store, "one", SystemClock())
    lease.renew()
    for number in range(500):
        store.log.append(lease.epoch, number + 1, b"packed", [b"{}"], 10_000)
    assert store.log.trim(lease.epoch, 3600) == 0
    wait_for(lambda: store.log.trim(lease.epoch, 0) > 0, "the oldest go")
    assert redis_server.client().xlen(NAMES.message_log) < 200
    with pytest.raises(FencedError):
        store.log.trim(lease.epoch - 1, 0.0)


def test_older_data_in_redis_ends_the_reign(store: BridgeStore, redis_server: RedisServer) -> None:
    """A Redis that forgot a renewal has forgotten other writes, too: epochs tell them apart."""
    lease, redis = Lease(store, "one", SystemClock()), redis_server.client()
    lease.renew()
    first = lease.epoch
    assert not lease.renew()
    older = redis.get(NAMES.bridge_beat)
    assert not lease.renew()
    redis.set(NAMES.bridge_beat, older)
    assert lease.renew()
    assert lease.epoch > first
    assert not lease.renew()
    redis.delete(NAMES.bridge_beat)
    assert lease.renew()


def test_one_failing_report_costs_only_itself(store: BridgeStore) -> None:
    """P12: a task that fails over what it was given is logged and counted; the others go on."""
    lease, clock, faults = Lease(store, "one", SystemClock()), ManualClock(), Faults()
    lease.renew()
    reporter = Reporter(store, NAMES, lease, SessionLog("h", 1, clock), clock, faults)
    told: list[str] = []

    def fail() -> None:
        raise OverflowError("int too big to convert")

    reporter.every(5.0, "stats", fail)
    reporter.every(5.0, "topics", lambda: told.append("topics"))
    for _ in range(2):
        clock.advance(5.1)
        reporter.turn(no_wait)
    assert told == ["topics", "topics"]
    assert faults.counts() == {"report:stats": 2}


def test_the_events_are_bounded_in_bytes(store: BridgeStore, redis_server: RedisServer) -> None:
    """Large documents leave fewer of them in the stream; the newest is always there."""
    lease, redis = Lease(store, "one", SystemClock()), redis_server.client()
    lease.renew()
    for number in range(25):
        clients = [ClientInfo(client_id="x" * 1_000_000)]
        document = ClientsUpdate(timestamp=number, clients=clients, connected=1, known=1)
        store.announce(lease.epoch, NAMES.CLIENT_LIST, document)
        assert redis.memory_usage(NAMES.events, samples=0) <= EVENTS_BYTES
    kept = [codec.decode(one[b"d"], ClientsUpdate) for _, one in redis.xrange(NAMES.events)]
    assert [one.timestamp for one in kept] == list(range(25 - len(kept), 25))
    assert len(kept) > 5
    huge = [ClientInfo(client_id="x" * (EVENTS_BYTES + 1))]
    document = ClientsUpdate(timestamp=25, clients=huge, connected=1, known=1)
    store.announce(lease.epoch, NAMES.CLIENT_LIST, document)
    assert redis.xlen(NAMES.events) == 1
