"""The audit record as the command line reads it: in Redis, or behind a dashboard."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Final, Literal, Protocol

import msgspec

from mqtt_dashboard.bus.audit_store import AuditStore
from mqtt_dashboard.cli import recorded, terminal
from mqtt_dashboard.cli.accounts_of import Place, server_of
from mqtt_dashboard.cli.server import Server
from mqtt_dashboard.cli.terminal import CommandError
from mqtt_dashboard.contract.audit import AuditBreak, AuditReply, AuditVerdict, ChainedEntry
from mqtt_dashboard.dashboard import audit_trail
from mqtt_dashboard.dashboard.audit_trail import Search
from mqtt_dashboard.errors import BusError, ConfigError

Kept = tuple[int, str]
Kind = Literal["jsonl", "csv"]

PAGE: Final = 500
# Following a long chain takes its time.
VERIFY_S: Final = 120.0


class Record(Protocol):
    """What can be done with the record."""

    def page(
        self, search: Search, before: int | None, limit: int
    ) -> tuple[list[ChainedEntry], int | None]:
        """Return entries, the newest first, and where to go on."""

    def has_other_key(self) -> bool:
        """Tell whether it is tied together with another AUDIT_KEY than is set here."""

    def verify(self, kept: Kept | None) -> AuditVerdict:
        """Follow the chain."""

    def export(self, kind: Kind) -> Iterator[bytes]:
        """Yield the whole record, the oldest first."""


class DirectRecord:
    """Straight in Redis."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    def page(
        self, search: Search, before: int | None, limit: int
    ) -> tuple[list[ChainedEntry], int | None]:
        """Return entries, the newest first, and where to go on."""
        found, following, _ = audit_trail.page(self._store, search, before, limit)
        return found, following

    def has_other_key(self) -> bool:
        """Tell whether it is tied together with another AUDIT_KEY than is set here."""
        return self._store.head().is_ours is False

    def verify(self, kept: Kept | None) -> AuditVerdict:
        """Follow the chain."""
        return audit_trail.verify(self._store, kept)

    def export(self, kind: Kind) -> Iterator[bytes]:
        """Yield the whole record, the oldest first."""
        lines = audit_trail.json_lines if kind == "jsonl" else audit_trail.comma_separated
        return lines(self._store)


class RemoteRecord:
    """Through a dashboard, in the name of an administrator's token."""

    def __init__(self, dashboard: Server) -> None:
        self._server = dashboard

    def page(
        self, search: Search, before: int | None, limit: int
    ) -> tuple[list[ChainedEntry], int | None]:
        """Return entries, the newest first, and where to go on."""
        asked = {**asdict(search), "before": before, "limit": min(limit, PAGE)}
        query = {name: str(value) for name, value in asked.items() if value is not None}
        found = self._server.get("/api/audit", AuditReply, query)
        return found.entries, found.next

    def has_other_key(self) -> bool:
        """Answer no: a dashboard proves the record with its own key."""
        return False

    def verify(self, kept: Kept | None) -> AuditVerdict:
        """Let the dashboard follow the chain; what was kept elsewhere is compared here."""
        verdict = self._server.get("/api/audit/verify", AuditVerdict, timeout=VERIFY_S)
        if kept is None or not verdict.ok or kept[0] < (verdict.first or 0):
            return verdict
        entries, _ = self.page(Search(), kept[0] + 1, 1)
        if not entries or entries[0].entry.seq != kept[0]:
            reason = f"entry {kept[0]}, whose link was kept elsewhere, is missing"
        elif entries[0].link != kept[1]:
            reason = "its link is another one than was kept elsewhere"
        else:
            return verdict
        broken = AuditBreak(first=kept[0], last=kept[0], reason=reason)
        return msgspec.structs.replace(
            verdict, ok=False, broken_at=kept[0], reason=reason, breaks=[broken]
        )

    def export(self, kind: Kind) -> Iterator[bytes]:
        """Yield the whole record, the oldest first."""
        return self._server.stream(f"/api/audit/export{'' if kind == 'jsonl' else '.csv'}")


@contextmanager
def opened(place: Place) -> Iterator[Record]:
    """Yield the record where the options say; errors become a sentence and a status."""
    server = server_of(place)
    if server is not None:
        yield RemoteRecord(server)
        return
    try:
        store, auditor = recorded.stores()
    except ConfigError as error:
        raise CommandError(str(error), terminal.EXIT_USAGE) from error
    try:
        yield DirectRecord(auditor.store)
    except BusError as error:
        raise CommandError(error.reason) from error
    finally:
        store.close()
