"""The chain of the audit record in a real Redis: one for all writers, and no change goes unseen."""

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator

import pytest

from mqtt_dashboard.bus.audit_store import AuditStore
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.config import RedisSettings, load
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.audit import AuditEntry, link_of
from mqtt_dashboard.dashboard import audit_trail
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.audit_sweep import ACCEPTED_WITHIN_S, SWEEP_EVERY_S
from mqtt_dashboard.dashboard.counters import Counters
from tests.support.servers import RedisServer

Row = dict[bytes, bytes]
KEY = b"a key of sixteen"


def dashboard_store(port: int) -> DashboardStore:
    settings = load(RedisSettings, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)})
    return DashboardStore(settings, name="test")


def record(port: int, key: bytes | None = None, limit: int = 1000) -> AuditStore:
    return dashboard_store(port).audit(key, limit)


def write(store: AuditStore, who: str) -> None:
    store.append(
        lambda seq: AuditEntry(seq=seq, at=1.0, action="publish", outcome="asked", who=who)
    )


def _write_many(port: int, who: str) -> None:
    store = record(port)
    for _ in range(100):
        write(store, who)


def test_several_processes_write_one_chain(redis_server: RedisServer) -> None:
    """Four workers at once: no hole, no fork, nothing lost."""
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_write_many, args=(redis_server.port, f"w{number}"))
        for number in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    verdict = audit_trail.verify(record(redis_server.port))
    assert (verdict.ok, verdict.checked, verdict.first, verdict.last) == (True, 400, 1, 400)


def _change(rows: list[Row]) -> None:
    rows[4][b"d"] = rows[4][b"d"].replace(b'"ada"', b'"eve"')


def _remove(rows: list[Row]) -> None:
    del rows[4]


def _remove_first(rows: list[Row]) -> None:
    del rows[:2]


def _remove_last(rows: list[Row]) -> None:
    del rows[-2:]


def _remove_all(rows: list[Row]) -> None:
    rows.clear()


def _swap(rows: list[Row]) -> None:
    rows[3], rows[4] = rows[4], rows[3]


def _repeat(rows: list[Row]) -> None:
    rows[5] = dict(rows[4])


def _change_and_link(rows: list[Row]) -> None:
    _change(rows)
    rows[4][b"l"] = link_of(rows[4][b"b"].decode(), rows[4][b"d"], None).encode()


def _change_last_and_link(rows: list[Row]) -> None:
    rows[-1][b"d"] = rows[-1][b"d"].replace(b'"ada"', b'"eve"')
    rows[-1][b"l"] = link_of(rows[-1][b"b"].decode(), rows[-1][b"d"], None).encode()


def _garbage(rows: list[Row]) -> None:
    rows[4] = {b"x": b"\xff"}


@pytest.mark.parametrize(
    "tamper",
    [
        _change,
        _remove,
        _remove_first,
        _remove_last,
        _remove_all,
        _swap,
        _repeat,
        _change_and_link,
        _change_last_and_link,
        _garbage,
    ],
    ids=lambda tamper: tamper.__name__.strip("_"),
)
def test_a_change_is_seen(redis_server: RedisServer, tamper: Callable[[list[Row]], None]) -> None:
    """Whoever changes entries without making every later link anew is found out, and where."""
    store = record(redis_server.port)
    for _ in range(9):
        write(store, "ada")
    assert audit_trail.verify(store).ok
    _rewrite(redis_server, tamper)
    verdict = audit_trail.verify(store)
    assert not verdict.ok
    assert verdict.broken_at in {1, 4, 5, 6, 8, 9}, verdict
    assert verdict.reason


def _rewrite(redis_server: RedisServer, tamper: Callable[[list[Row]], None]) -> None:
    client = redis_server.client()
    found = client.xrange("mqtt:audit")
    numbers = {row[b"l"]: identity for identity, row in found}
    rows = [dict(row) for _, row in found]
    tamper(rows)
    client.delete("mqtt:audit")
    for place, row in enumerate(rows):
        identity = f"{place + 1}-0".encode() if len(rows) == len(found) else numbers[row[b"l"]]
        client.xadd("mqtt:audit", row, id=identity)


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "plain"])
def test_only_a_key_withstands_who_makes_all_links_anew(
    redis_server: RedisServer, keyed: bool
) -> None:
    """With AUDIT_KEY not even who owns Redis can rewrite the record; without it that one can."""
    store = record(redis_server.port, KEY if keyed else None)
    for _ in range(9):
        write(store, "ada")

    def forge(rows: list[Row]) -> None:
        _change(rows)
        before = rows[3][b"l"].decode()
        for row in rows[4:]:
            row[b"b"] = before.encode()
            before = link_of(before, row[b"d"], None)
            row[b"l"] = before.encode()
        redis_server.client().hset("mqtt:audit:head", "link", before)

    _rewrite(redis_server, forge)
    assert audit_trail.verify(store).ok is not keyed
    # A link that was kept elsewhere tells all the same.
    assert audit_trail.verify(store).link != hashlib.sha256(b"").hexdigest()


def test_old_entries_go_and_the_rest_is_still_proven(redis_server: RedisServer) -> None:
    """Past the limit the oldest go, exactly; what must be there is known, so a cut is seen."""
    store = record(redis_server.port, limit=10)
    for _ in range(25):
        write(store, "ada")
    verdict = audit_trail.verify(store)
    assert (verdict.ok, verdict.first, verdict.last, verdict.checked) == (True, 16, 25, 10)
    redis_server.client().xdel("mqtt:audit", "16-0")
    assert audit_trail.verify(store).broken_at == 16


@pytest.mark.parametrize("later", ["nobody", "same worker", "new worker"])
def test_nobody_moves_the_beginning_unseen(redis_server: RedisServer, later: str) -> None:
    """With AUDIT_KEY who owns Redis cannot cut the oldest entries; no later entry covers it up."""
    client, store = redis_server.client(), record(redis_server.port, KEY)
    for _ in range(9):
        write(store, "ada")
    client.xtrim("mqtt:audit", minid="5-0", approximate=False)
    client.hset("mqtt:audit:head", "first", 5)
    if later != "nobody":
        write(store if later == "same worker" else record(redis_server.port, KEY), "eve")
    verdict = audit_trail.verify(store)
    assert (verdict.ok, verdict.broken_at) == (False, 1)
    assert verdict.reason == "entries 1 to 4 are missing"


def test_after_redis_lost_everything_a_new_record_begins(redis_server: RedisServer) -> None:
    """A worker that remembers the old end goes on at the beginning, and first says what is lost."""
    store = record(redis_server.port)
    write(store, "ada")
    redis_server.client().flushall()
    write(store, "ada")
    verdict = audit_trail.verify(store)
    assert (verdict.ok, verdict.first, verdict.last, verdict.losses) == (True, 1, 2, 1)
    newest, loss = store.back_from(None, 9)
    assert (newest.entry.who, loss.entry.action, loss.entry.who) == ("ada", "loss", "")


def test_a_loss_of_the_newest_entries_is_told_once(redis_server: RedisServer) -> None:
    """Redis comes back as it was a while ago: the first worker that knows more writes that down."""
    client, store = redis_server.client(), record(redis_server.port)
    other = record(redis_server.port)
    for _ in range(3):
        write(store, "ada")
    kept = {name: client.dump(name) for name in ("mqtt:audit", "mqtt:audit:head")}
    for _ in range(3):
        write(store, "ada")
    write(other, "bob")
    for name, dumped in kept.items():
        assert dumped is not None
        client.restore(name, 0, dumped, replace=True)
    write(other, "bob")
    for _ in range(3):
        write(store, "ada")
    verdict = audit_trail.verify(store)
    assert (verdict.ok, verdict.last) == (True, 9)
    told = [one.entry for one in store.back_from(None, 9) if one.entry.action == "loss"]
    assert verdict.losses == len(told) == 2  # each worker tells what it has seen
    assert told[-1].detail == "entry 7 was there before; Redis goes on after entry 3"


def test_a_link_kept_elsewhere_tells_a_record_that_was_set_back(redis_server: RedisServer) -> None:
    """The record of a while ago is whole in itself; against a later link that was kept, not."""
    client, store = redis_server.client(), record(redis_server.port)
    for _ in range(3):
        write(store, "ada")
    old = {name: client.dump(name) or b"" for name in ("mqtt:audit", "mqtt:audit:head")}
    write(store, "ada")
    kept = audit_trail.verify(store)
    assert audit_trail.verify(store, (4, kept.link)).ok
    assert audit_trail.verify(store, (4, "0" * 64)).broken_at == 4
    for name, dumped in old.items():
        client.restore(name, 0, dumped, replace=True)
    assert audit_trail.verify(store).ok
    assert not audit_trail.verify(store, (4, kept.link)).ok
    write(record(redis_server.port), "eve")
    assert audit_trail.verify(store, (4, kept.link)).broken_at == 4


def test_hostile_bytes_in_the_record_are_told_not_raised(redis_server: RedisServer) -> None:
    """A link that is no text is a broken entry, not an error of the dashboard."""
    client, store = redis_server.client(), record(redis_server.port)
    write(store, "ada")
    client.xadd("mqtt:audit", {b"d": b"\xff", b"l": b"\xfe", b"b": b"\xfd"}, id="2-0")
    assert audit_trail.verify(store).broken_at == 2


@pytest.fixture
def swept(redis_server: RedisServer) -> Iterator[tuple[Auditor, ManualClock, AuditStore]]:
    """Return the auditor of a worker that comes after one that died."""
    store = dashboard_store(redis_server.port)
    dead = store.audit(None, 1000)
    clock = ManualClock()
    dead.append(
        lambda seq: AuditEntry(
            seq=seq, at=clock.now(), action="publish", outcome="asked", who="ada"
        ),
        opens="c1",
    )
    yield Auditor(store.audit(None, 1000), store.orders, clock, Counters()), clock, dead
    store.close()


def test_what_a_dead_worker_left_open_is_told(
    swept: tuple[Auditor, ManualClock, AuditStore],
) -> None:
    """A command that was written down and has no record ends as indeterminate, once."""
    auditor, clock, store = swept
    auditor.sweep()
    assert [one.entry.action for one in store.back_from(None, 9)] == ["publish"]
    for _ in range(3):
        clock.advance(max(ACCEPTED_WITHIN_S, SWEEP_EVERY_S) + 1)
        auditor.sweep()
    newest, first = store.back_from(None, 9)
    told = (newest.entry.action, newest.entry.outcome, newest.entry.of)
    assert told == ("result", "indeterminate", 1)
    assert (first.entry.action, newest.entry.command) == ("publish", "c1")
    assert store.open_commands() == {}
    assert codec.encode(newest)
