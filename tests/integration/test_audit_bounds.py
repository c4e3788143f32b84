"""What bounds the audit record: refusals are counted in a flood, old entries go."""

from collections.abc import Callable, Iterator

import pytest

from mqtt_dashboard.bus.audit_store import AuditStore
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import DAY_S, ManualClock
from mqtt_dashboard.config import RedisSettings, load
from mqtt_dashboard.contract.audit import AuditEntry
from mqtt_dashboard.dashboard import audit_trail
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.audit_refusals import MINUTE_S, PER_MINUTE
from mqtt_dashboard.dashboard.audit_sweep import SWEEP_EVERY_S
from mqtt_dashboard.dashboard.auth.principal import make
from mqtt_dashboard.dashboard.counters import Counters
from tests.support.servers import RedisServer

KEY = b"a key of sixteen"
WEEK_S = 7 * DAY_S
MakeAuditor = Callable[..., Auditor]


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[DashboardStore]:
    """Return a dashboard's Redis."""
    settings = load(
        RedisSettings, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_server.port)}
    )
    found = DashboardStore(settings, name="test")
    yield found
    found.close()


def newest(record: AuditStore) -> AuditEntry:
    return record.back_from(None, 1)[0].entry


def test_a_flood_of_refusals_is_counted(store: DashboardStore) -> None:
    """So many a minute are written down, of the others how many there were; then again."""
    clock, counters = ManualClock(), Counters()
    record = store.audit(KEY, 1000)
    auditor = Auditor(record, store.orders, clock, counters)
    vic = make("vic", "viewer", "password")
    for _ in range(PER_MINUTE + 40):
        auditor.forbidden(vic, "POST /api/users", "this needs another role")
    assert record.head().seq == PER_MINUTE
    auditor.sweep()
    assert record.head().seq == PER_MINUTE
    clock.advance(max(MINUTE_S, SWEEP_EVERY_S) + 1)
    auditor.sweep()
    told = newest(record)
    assert (told.action, told.outcome, told.who) == ("left_out", "refused", "")
    assert told.detail == "not written down one by one: 40 forbidden"
    auditor.forbidden(vic, "POST /api/users", "this needs another role")
    assert newest(record).who == "vic"
    assert audit_trail.verify(record).ok


def _record_of_days(store: DashboardStore, clock: ManualClock, days: int) -> AuditStore:
    """Return a record with one entry a day, the last one now."""
    record = store.audit(KEY, 1000)
    auditor = Auditor(record, store.orders, clock, Counters())
    for day in range(days):
        if day:
            clock.advance(DAY_S)
        auditor.signed_in(make("ada", "viewer", "password"))
    return record


@pytest.mark.parametrize("writer", ["quiet", "meanwhile"])
def test_old_entries_go_and_the_chain_says_so(store: DashboardStore, writer: str) -> None:
    """With AUDIT_DAYS the record begins later; whole all the same, and no longer after a cut."""
    clock = ManualClock()
    record = _record_of_days(store, clock, 12)
    assert record.head().seq == 12
    mine = store.audit(KEY, 1000)
    auditor = Auditor(mine, store.orders, clock, Counters(), WEEK_S)
    if writer == "meanwhile":  # the removal must outlast that somebody else writes first
        auditor.signed_in(make("eva", "viewer", "password"))
        Auditor(record, store.orders, clock, Counters()).signed_in(make("ada", "viewer", "oidc"))
    auditor.sweep()
    told = newest(record)
    assert (told.action, told.first) == ("old_removed", 5)
    verdict = audit_trail.verify(mine)
    assert (verdict.ok, verdict.first, verdict.last) == (True, 5, told.seq)
    assert record.oldest_at() == clock.now() - WEEK_S
    clock.advance(SWEEP_EVERY_S + 1)
    auditor.sweep()
    assert newest(record).seq == told.seq  # at most a day's entries at a time


def test_without_a_bound_of_age_nothing_goes(store: DashboardStore) -> None:
    """Age alone removes nothing unless AUDIT_DAYS says so."""
    clock = ManualClock()
    record = _record_of_days(store, clock, 3)
    clock.advance(1000 * DAY_S)
    Auditor(record, store.orders, clock, Counters()).sweep()
    assert (record.head().seq, audit_trail.verify(record).first) == (3, 1)
