"""Reading the audit record: pages with a search, the whole of it as a file, and its proof."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mqtt_dashboard.bus.audit_store import AuditStore, Head
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.audit import AuditBreak, AuditEntry, AuditVerdict, ChainedEntry
from mqtt_dashboard.errors import ContractError

# How many entries one request looks at when it finds few.
MOST_LOOKED_AT: Final = 20_000
STEP: Final = 500
BREAKS_TOLD: Final = 100
MOST_BREAKS: Final = 10_000
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


def verify(store: AuditStore, kept: tuple[int, str] | None = None) -> AuditVerdict:
    """Follow the chain from the oldest entry that is there to the newest, past what is broken.

    ``kept`` is the number and link of an entry as it was noted elsewhere: it must still be there,
    unless it was old enough to go.

    Which one must be there says the newest entry: nobody can make its link without the key.
    """
    head = store.head()
    walk = _Walk(store, head, kept)
    for row in store.raw():
        walk.step(*row)
    walk.end()
    first = walk.breaks[0] if walk.breaks else None
    return AuditVerdict(
        ok=first is None,
        checked=walk.checked,
        first=walk.start if head.seq else None,
        last=head.seq,
        link=head.link,
        keyed=store.keyed,
        broken_at=None if first is None else first.first,
        reason=None if first is None else first.reason,
        losses=walk.losses,
        breaks=walk.breaks[:BREAKS_TOLD],
    )


class _Walk:
    """One way along the chain; ``expected`` is the number that must come next."""

    def __init__(self, store: AuditStore, head: Head, kept: tuple[int, str] | None) -> None:
        self._store = store
        self._kept = kept
        self._head = head
        self._link: str | None = None
        self._newest: AuditEntry | None = None
        self._found: list[AuditBreak] = []
        self.start = self.expected = head.first
        self.checked = self.losses = 0

    @property
    def breaks(self) -> list[AuditBreak]:
        """Return what does not fit, by number."""
        return sorted(self._found, key=lambda one: one.first)

    def step(self, seq: int, document: bytes, link: str, before: str) -> None:
        """Look at one entry."""
        if self._link is None:
            self.start = self.expected = seq
        if seq > self.expected:
            self._missing(self.expected, seq - 1)
        entry, reason = _read(self._store, seq, document, link, before)
        if seq == self.expected and self._link is not None and before != self._link:
            reason = "it is not tied to the entry before it"
        elif self._kept is not None and seq == self._kept[0] and link != self._kept[1]:
            reason = "its link is another one than was kept elsewhere"
        self._link, self.expected = link, seq + 1
        if reason is not None or entry is None:
            self._break(seq, seq, reason or "")
            return
        self._newest = entry
        self.checked += 1
        self.losses += entry.action == "loss"

    def end(self) -> None:
        """Compare beginning and end with what must be there.

        While this reads others write, so the chain may reach beyond what was the newest.
        """
        must_begin = self._newest.first if self._newest is not None else self.start
        if self.start > must_begin:
            self._missing(must_begin, self.start - 1)
        if self.expected <= self._head.seq:
            self._missing(self.expected, self._head.seq)
        elif self.expected == self._head.seq + 1 and (self._link or "") != self._head.link:
            self._break(self._head.seq, self._head.seq, "it is not the entry that was written last")
        if self._kept is not None and self._kept[0] >= self.expected:
            seq = self._kept[0]
            self._break(seq, seq, f"entry {seq}, whose link was kept elsewhere, is missing")

    def _missing(self, first: int, last: int) -> None:
        self._break(first, last, f"entries {first} to {last} are missing")

    def _break(self, first: int, last: int, reason: str) -> None:
        """Note what does not fit; a whole stretch with one reason is one break."""
        newest = self._found[-1] if self._found else None
        if newest is not None and (newest.last + 1, newest.reason) == (first, reason):
            first = self._found.pop().first
        if len(self._found) < MOST_BREAKS:
            self._found.append(AuditBreak(first=first, last=last, reason=reason))


def _read(
    store: AuditStore, seq: int, document: bytes, own: str, before: str
) -> tuple[AuditEntry | None, str | None]:
    """Return an entry, or what is wrong with it."""
    if not store.fits(before, document, own):
        return None, "it was changed, or written with another AUDIT_KEY"
    try:
        entry = codec.decode(document, AuditEntry)
    except ContractError as error:
        return None, f"it cannot be read: {error}"
    return entry, None if entry.seq == seq else "its number was changed"


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
