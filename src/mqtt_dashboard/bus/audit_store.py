"""The audit record in Redis: a stream that only grows at its end, each entry tied to the last.

An entry's stream id is its number. The link is made here, not in Redis, which knows no SHA-256; the
script takes an entry only if it is tied to the newest one, so several workers write one chain.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mqtt_dashboard.bus.audit_scripts import APPEND
from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.audit import AuditEntry, ChainedEntry, key_mark, link_of
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.errors import AuditKeyError, BusError, ContractError

# Somebody else is always the one who got through, so this is enough for any number of workers.
ATTEMPTS: Final = 50
PAGE: Final = 1000

# How much more than is needed goes at once when the record takes too many bytes.
ROOM_MADE: Final = 0.02
FOREIGN_KEY: Final = (
    "the audit record is tied together with another AUDIT_KEY than is set here: set the one the "
    "dashboards have (AUDIT_KEY or AUDIT_KEY_FILE), or go on with this one from now on "
    "(mqtt-dashboard audit rekey)"
)


@dataclass(frozen=True)
class Head:
    """Number and link of the newest entry (0 and "" for none), and the oldest that is kept.

    ``is_ours`` tells whether it is tied together with our key, None when that is not noted.
    """

    seq: int
    link: str
    first: int
    is_ours: bool | None = None


class AuditStore:
    """The record as the dashboard writes and reads it; errors are `BusError`."""

    def __init__(
        self,
        client: Client,
        channels: RedisChannels,
        address: str,
        key: bytes | None,
        limit: int,
        most_bytes: int | None = None,
    ) -> None:
        self._client = client
        self._address = address
        self._key = key
        self._mark = key_mark(key)
        self.limit = limit
        self._most_bytes = most_bytes
        self._stream, self._head = channels.audit, channels.audit_head
        self._open, self._claim = channels.audit_open, channels.audit_sweep
        self._append = client.register_script(APPEND)
        self._lock = threading.Lock()
        self._seq, self._link, self._first = 0, "", 1
        self._begin = 1
        self._is_ours = False

    @property
    def keyed(self) -> bool:
        """Whether links are made with a key."""
        return self._key is not None

    def append(
        self, make: Callable[[int], AuditEntry], *, opens: str = "", closes: str = ""
    ) -> int | None:
        """Write the entry that ``make`` returns for its number; return the number.

        ``opens`` names a command whose outcome is to follow, ``closes`` one whose outcome this is:
        None when somebody else told it before. Raise `AuditKeyError` when the record is tied
        together with another key.
        """
        # One at a time in this worker: each would make the others' links stale.
        with self._lock:
            loss: str | None = None
            for _ in range(ATTEMPTS):
                entry = make(self._seq + 1)
                if loss is None:
                    answer = self._try(entry, opens, closes)
                else:
                    answer = self._try(_loss(entry, loss), "", "")
                if answer[0] == b"closed":
                    return None
                if answer[0] == b"key":
                    raise AuditKeyError(FOREIGN_KEY)
                if answer[0] in {b"moved", b"rebuilt"}:
                    loss = self._lost(answer) or loss
                    self._follow(answer)
                elif loss is None:
                    return self._seq
                else:
                    loss = None
        raise BusError("the audit record was written by too many others at once; try again")

    def _try(self, entry: AuditEntry, opens: str, closes: str) -> Any:
        """Append behind the newest entry this worker knows; return what Redis says."""
        seq, before = self._seq + 1, self._link
        first = max(self._first, seq - self.limit + 1)
        if self._begin <= seq:  # otherwise it is another record by now
            first = max(first, self._begin)
        document = codec.encode(msgspec.structs.replace(entry, first=first))
        link = link_of(before, document, self._key)
        arguments: list[Any] = [before, link, seq, document, first, opens, closes]
        arguments += [self._mark, int(self._is_ours)]
        with plain_errors(self._address):
            answer: Any = self._append(keys=[self._stream, self._head, self._open], args=arguments)
        if answer[0] == b"done":
            self._seq, self._link, self._first, self._is_ours = seq, link, first, True
            if self._most_bytes is not None and answer[1] > self._most_bytes:
                self._make_room(answer[1] - self._most_bytes * (1 - ROOM_MADE))
        return answer

    def _make_room(self, excess: float) -> None:
        """Let the next entry say that the record begins so much later."""
        for seq, document, link, before in self.raw():
            if excess <= 0 or seq >= self._seq:
                break
            excess -= len(document) + len(link) + len(before)
            self._begin = seq + 1

    def _lost(self, answer: Any) -> str | None:
        """Tell in words what Redis has lost of what this worker has seen; None for nothing."""
        there, link = int(answer[1]), answer[2].decode(errors="replace")
        if answer[0] == b"rebuilt":
            told = answer[4].decode(errors="replace")
            return f"the head was at entry {told} and is made anew from entry {there}"
        if there > self._seq or (there, link) == (self._seq, self._link):
            return None
        return f"entry {self._seq} was there before; Redis goes on after entry {there}"

    def _follow(self, answer: Any) -> None:
        """Take the newest entry as it is in Redis; its word for the beginning only if it fits.

        What the head says of the beginning is not asked: it is not part of the chain.
        """
        self._seq, self._link = int(answer[1]), answer[2].decode(errors="replace")
        found = dict(zip(answer[3][::2], answer[3][1::2], strict=True))
        document, before = found.get(b"d", b""), found.get(b"b", b"").decode(errors="replace")
        self._first = 1
        self._is_ours = not found or self.fits(before, document, self._link)
        if not self._is_ours:
            if answer[0] == b"moved" and not answer[4]:
                raise AuditKeyError(FOREIGN_KEY)
            return
        if not found:
            return
        with contextlib.suppress(ContractError):  # a check of the chain tells
            self._first = codec.decode(document, AuditEntry).first

    def head(self) -> Head:
        """Return what the record must reach from and to."""
        with plain_errors(self._address):
            found: Any = self._client.hmget(self._head, "seq", "link", "first", "key")
        seq, link, first, key = found
        is_ours = None if key is None else key.decode(errors="replace") == self._mark
        return Head(int(seq or 0), (link or b"").decode(), int(first or 1), is_ours)

    def take_over(self) -> None:
        """Let links be made with our key from now on, whoever's was used before."""
        begin = self.head().first
        with self._lock:
            self._begin = begin
            with plain_errors(self._address):
                self._client.hset(self._head, "key", self._mark)

    def claim_sweep(self, worker: str, seconds: float) -> bool:
        """Tell whether it is for this worker to tell the outcomes nobody told, for a while."""
        lasts = int(seconds * 1000)
        with plain_errors(self._address):
            if self._client.set(self._claim, worker, nx=True, px=lasts):
                return True
            return self._client.get(self._claim) == worker.encode()

    def oldest_at(self) -> float | None:
        """Return the Unix time of the oldest entry; None when there is none that can be read."""
        with plain_errors(self._address):
            found: Any = self._client.xrange(self._stream, count=1)
        for _, fields in found:
            with contextlib.suppress(BusError):
                return _chained(fields).entry.at
        return None

    def first_since(self, at: float) -> int:
        """Return the number of the first entry that is not older than a Unix time.

        When all are older, or one cannot be read, it is the newest, or that one.
        """
        found = 1
        for seq, document, _, _ in self.raw():
            found = seq
            try:
                if codec.decode(document, AuditEntry).at >= at:
                    break
            except ContractError:
                break
        return found

    def begin_with(self, first: int) -> None:
        """Let the next entry say that the record begins here; what is older goes with it."""
        with self._lock:
            self._begin = first

    def back_from(self, seq: int | None, count: int) -> list[ChainedEntry]:
        """Return up to ``count`` entries before a number (None: the newest), the newest first."""
        last = "+" if seq is None else f"({seq}-0"
        with plain_errors(self._address):
            found: Any = self._client.xrevrange(self._stream, max=last, count=count)
        return [_chained(fields) for _, fields in found]

    def raw(self) -> Iterator[tuple[int, bytes, str, str]]:
        """Yield number, document, link and link before of every entry, the oldest first."""
        position = "-"
        while True:
            with plain_errors(self._address):
                found: Any = self._client.xrange(self._stream, min=position, count=PAGE)
            if not found:
                return
            for identity, fields in found:
                document, link, before = (fields.get(name, b"") for name in (b"d", b"l", b"b"))
                links = (link.decode(errors="replace"), before.decode(errors="replace"))
                yield _number(identity), document, *links
            position = f"({found[-1][0].decode()}"

    def fits(self, before: str, document: bytes, link: str) -> bool:
        """Tell whether a link ties a document to the link before it."""
        return link_of(before, document, self._key) == link

    def written_at(self, numbers: list[int]) -> list[float | None]:
        """Return the Unix times of entries; None for those that are not there or unreadable."""
        with plain_errors(self._address):
            pipeline = self._client.pipeline(transaction=False)
            for seq in numbers:
                pipeline.xrange(self._stream, f"{seq}-0", f"{seq}-0")
            found: Any = pipeline.execute()
        return [_time_of(entries) for entries in found]

    def open_commands(self) -> dict[str, int]:
        """Return the commands whose outcome was not told yet, with the entry that opened each."""
        with plain_errors(self._address):
            found: Any = self._client.hgetall(self._open)
        return {name.decode(): int(seq) for name, seq in found.items()}


def _loss(entry: AuditEntry, detail: str) -> AuditEntry:
    return AuditEntry(
        seq=entry.seq, at=entry.at, action="loss", outcome="done", who="", detail=detail
    )


def _time_of(entries: Any) -> float | None:
    try:
        return _chained(entries[0][1]).entry.at if entries else None
    except BusError:
        return None


def _number(identity: bytes) -> int:
    return int(identity.split(b"-")[0])


def _chained(fields: dict[bytes, bytes]) -> ChainedEntry:
    try:
        return ChainedEntry(
            entry=codec.decode(fields[b"d"], AuditEntry),
            link=fields[b"l"].decode(),
            before=fields[b"b"].decode(),
        )
    except (ContractError, KeyError, UnicodeDecodeError) as error:
        raise BusError("an entry of the audit record in Redis cannot be read") from error
