"""Reading the audit record: pages with a search, the whole of it as a file, and its proof."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mqtt_dashboard.bus.audit_store import AuditStore
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.audit import AuditEntry, AuditVerdict, ChainedEntry
from mqtt_dashboard.errors import ContractError

# How many entries one request looks at when it finds few.
MOST_LOOKED_AT: Final = 20_000
STEP: Final = 500
# A spreadsheet takes cells that begin like this for formulas.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Search:
    """What entries must have; times are Unix times."""

    who: str | None = None
    action: str | None = None
    outcome: str | None = None
    topic: str | None = None
    since: float | None = None
    until: float | None = None

    def fits(self, entry: AuditEntry) -> bool:
        """Tell whether an entry is wanted."""
        return (
            (self.who is None or self.who in {entry.who, entry.target})
            and (self.action is None or entry.action == self.action)
            and (self.outcome is None or entry.outcome == self.outcome)
            and (self.topic is None or self.topic in (entry.topic or ""))
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
        )


def page(
    store: AuditStore, search: Search, before: int | None, limit: int
) -> tuple[list[ChainedEntry], int | None, int]:
    """Return entries, the newest first, where to go on (None: there is no more), and a count.

    The count is of the entries that were looked at.
    """
    found: list[ChainedEntry] = []
    looked_at = 0
    while looked_at < MOST_LOOKED_AT:
        entries = store.back_from(before, STEP)
        if not entries:
            return found, None, looked_at
        for one in entries:
            before, looked_at = one.entry.seq, looked_at + 1
            if search.fits(one.entry):
                found.append(one)
                if len(found) == limit:
                    return found, before, looked_at
    return found, before, looked_at


def verify(store: AuditStore) -> AuditVerdict:
    """Follow the chain from the oldest entry that must be there to the newest."""
    head = store.head()
    expected, link, reason = head.first, None, None
    for seq, document, own, before in store.raw():
        if seq != expected:
            reason = f"entries {expected} to {seq - 1} are missing"
        elif link is not None and before != link:
            reason = "it is not tied to the entry before it"
        else:
            reason = _fault(store, seq, document, own, before)
        if reason is not None:
            break
        link, expected = own, seq + 1
    # While this reads others write, so the chain may reach beyond what was the newest.
    if reason is None and expected <= head.seq:
        reason = f"entries {expected} to {head.seq} are missing"
    elif reason is None and expected == head.seq + 1 and (link or "") != head.link:
        expected, reason = head.seq, "it is not the entry that was written last"
    return AuditVerdict(
        ok=reason is None,
        checked=expected - head.first,
        first=head.first if head.seq else None,
        last=head.seq,
        link=head.link,
        keyed=store.keyed,
        broken_at=None if reason is None else expected,
        reason=reason,
    )


def _fault(store: AuditStore, seq: int, document: bytes, own: str, before: str) -> str | None:
    if not store.fits(before, document, own):
        return "it was changed, or written with another AUDIT_KEY"
    try:
        entry = codec.decode(document, AuditEntry)
    except ContractError as error:
        return f"it cannot be read: {error}"
    return None if entry.seq == seq else "its number was changed"


def json_lines(store: AuditStore) -> Iterator[bytes]:
    """Yield the whole record, the oldest first: number, link, link before and document."""
    for seq, document, link, before in store.raw():
        line = {"seq": seq, "link": link, "before": before, "entry": document.decode()}
        yield codec.encode(line) + b"\n"


def comma_separated(store: AuditStore) -> Iterator[bytes]:
    """Yield the whole record as CSV for spreadsheets, the oldest first."""
    columns = AuditEntry.__struct_fields__
    yield _line([*columns, "link"])
    for _seq, document, link, _before in store.raw():
        try:
            entry = codec.decode(document, AuditEntry)
        except ContractError:
            yield _line([str(_seq), "unreadable", link])
            continue
        yield _line([_cell(getattr(entry, name)) for name in columns] + [link])


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _line(cells: list[str]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue().encode("utf-8", "replace")
