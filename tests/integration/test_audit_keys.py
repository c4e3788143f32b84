"""Who may write the audit record, what a check of it lists, and what becomes of a lost head."""

from typing import Any

import pytest

from mqtt_dashboard.contract.audit import link_of
from mqtt_dashboard.dashboard import audit_trail
from mqtt_dashboard.errors import AuditKeyError
from tests.integration.test_audit_chain import KEY, dashboard_store, record, write
from tests.support.servers import RedisServer

OTHER = b"another key, as long"


@pytest.mark.parametrize(("mine", "theirs"), [(KEY, None), (KEY, OTHER), (None, KEY)])
def test_who_has_another_key_writes_nothing(
    redis_server: RedisServer, mine: bytes | None, theirs: bytes | None
) -> None:
    """A command line or a worker without the dashboards' key cannot break their chain."""
    store = record(redis_server.port, mine)
    write(store, "ada")
    for _ in range(2):
        with pytest.raises(AuditKeyError, match="AUDIT_KEY"):
            write(record(redis_server.port, theirs), "eve")
    write(store, "ada")
    verdict = audit_trail.verify(store)
    assert (verdict.ok, verdict.checked) == (True, 2)
    assert record(redis_server.port, theirs).head().is_ours is False
    assert store.head().is_ours is True


@pytest.mark.parametrize(("newcomer", "may"), [(KEY, True), (OTHER, False), (None, False)])
def test_a_record_of_before_belongs_to_the_key_it_was_made_with(
    redis_server: RedisServer, newcomer: bytes | None, may: bool
) -> None:
    """Where the head does not name a key yet, the newest entry tells whose it is."""
    write(record(redis_server.port, KEY), "ada")
    redis_server.client().hdel("mqtt:audit:head", "key", "bytes")
    store = record(redis_server.port, newcomer)
    if not may:
        with pytest.raises(AuditKeyError):
            write(store, "eve")
        return
    write(store, "ada")
    assert audit_trail.verify(store).checked == 2
    assert store.head().is_ours is True


def test_a_new_key_begins_where_it_is_told_to(redis_server: RedisServer) -> None:
    """After taking over all goes on with the new key; what was before is told as one stretch."""
    for _ in range(3):
        write(record(redis_server.port, KEY), "ada")
    store = record(redis_server.port, OTHER)
    store.take_over()
    for _ in range(2):
        write(store, "bob")
    verdict = audit_trail.verify(store)
    assert [(one.first, one.last) for one in verdict.breaks] == [(1, 3)]
    assert verdict.checked == 2
    with pytest.raises(AuditKeyError):
        write(record(redis_server.port, KEY), "ada")


def _row(client: Any, seq: int) -> dict[bytes, bytes]:
    return dict(client.xrange("mqtt:audit", f"{seq}-0", f"{seq}-0")[0][1])


def _replace(client: Any, changes: dict[int, dict[bytes, bytes]], gone: set[int]) -> None:
    rows = client.xrange("mqtt:audit")
    client.delete("mqtt:audit")
    for identity, row in rows:
        seq = int(identity.split(b"-")[0])
        if seq not in gone:
            client.xadd("mqtt:audit", changes.get(seq, row), id=identity)


def test_a_check_goes_on_past_a_break_and_lists_all(redis_server: RedisServer) -> None:
    """One change does not hide the next: each is told with its place and its reason."""
    client, store = redis_server.client(), record(redis_server.port, KEY)
    for _ in range(20):
        write(store, "ada")
    changed, foreign = _row(client, 4), _row(client, 12)
    changed[b"d"] = changed[b"d"].replace(b"ada", b"eve")
    foreign[b"l"] = link_of(foreign[b"b"].decode(), foreign[b"d"], OTHER).encode()
    _replace(client, {4: changed, 12: foreign}, gone={7, 8})
    verdict = audit_trail.verify(store)
    found = [(one.first, one.last) for one in verdict.breaks]
    assert found == [(4, 4), (7, 8), (12, 12), (13, 13)]
    assert (verdict.ok, verdict.broken_at) == (False, 4)
    assert "7 to 8 are missing" in verdict.breaks[1].reason
    assert "not tied" in verdict.breaks[3].reason


@pytest.mark.parametrize("lost", ["the head", "the head and the newest entry", "what it says"])
def test_a_lost_head_is_made_anew(redis_server: RedisServer, lost: str) -> None:
    """Without its head the record goes on behind its newest entry, and says so."""
    client, store = redis_server.client(), record(redis_server.port, KEY)
    for _ in range(5):
        write(store, "ada")
    if lost == "what it says":
        client.hset("mqtt:audit:head", mapping={"seq": 2, "link": "0" * 64})
    else:
        client.delete("mqtt:audit:head")
    if "newest" in lost:
        client.xdel("mqtt:audit", "5-0")
    for one in (record(redis_server.port, KEY), store):
        write(one, "bob")
    told = [one.entry for one in store.back_from(None, 9) if one.entry.action == "loss"]
    assert told
    assert "head" in (told[-1].detail or "")
    verdict = audit_trail.verify(store)
    assert [(one.first, one.last) for one in verdict.breaks] == (
        [(5, 5)] if "newest" in lost else []
    )
    assert verdict.losses == len(told)


def test_the_record_keeps_to_its_bytes(redis_server: RedisServer) -> None:
    """Long entries push out the oldest, whole all the same; the count follows what is there."""
    budget = 60_000
    store = dashboard_store(redis_server.port).audit(KEY, 10_000, budget)
    for number in range(300):
        write(store, f"{number}" * 50)
    kept = redis_server.client().xrange("mqtt:audit")
    size = sum(len(part) for _, row in kept for pair in row.items() for part in pair)
    assert budget * 0.7 < size < budget
    assert int(redis_server.client().hget("mqtt:audit:head", "bytes")) == size + 64 * len(kept)
    assert audit_trail.verify(store).ok
