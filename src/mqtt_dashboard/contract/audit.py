"""The audit record: who did what to which topic with which result, in a chain of entries.

The link of an entry is the SHA-256 of the link before, a line feed and the document; with
``AUDIT_KEY`` the HMAC-SHA-256 of the same. What this proves, and what not, is in
``docs/decisions/0022-audit-record.md``.
"""

import hashlib
import hmac
from typing import Literal

from msgspec import Struct, field

from mqtt_dashboard.contract.auth import IdentityKind
from mqtt_dashboard.contract.commands import QoS
from mqtt_dashboard.contract.orders import CommandMode
from mqtt_dashboard.contract.policy import Role

AuditAction = Literal[
    "publish",
    "sign_in",
    "sign_out",
    "password",
    "sessions_end",
    "user_add",
    "user_change",
    "user_remove",
    "token_add",
    "token_revoke",
    "result",
    # A route or an event that needs another role; its name is the target.
    "forbidden",
    # Refusals that were counted and not written down one by one.
    "left_out",
    # Entries older than AUDIT_DAYS were removed.
    "old_removed",
    # Redis no longer had entries that this worker had seen.
    "loss",
    # From here on links are made with another AUDIT_KEY.
    "key_changed",
]
# "asked" is written before the deed; the others tell how it ended, in an entry of their own.
AuditOutcome = Literal[
    "asked", "done", "refused", "repeated", "sent", "acked", "failed", "expired", "indeterminate"
]


class AuditEntry(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One entry. Of a payload there are size (bytes) and SHA-256, never the payload.

    ``seq`` counts entries without holes. ``of`` is the entry whose outcome this one tells. ``who``
    is a user, ``token:<label>`` or ``anonymous``; of an attempt to sign in with an unknown name it
    is empty, because what was typed may have been a password. With ``topic_sha256`` the topic is
    longer than 1,024 bytes and ``topic`` only its beginning. ``target`` is the user or token that
    was changed, ``detail`` says in words what was asked or why it was refused. ``command`` is the
    id of the durable command, ``at`` a Unix time. ``first`` is the oldest entry that was to be kept
    when this one was written: in the chain, so that nobody can move the beginning unseen.
    """

    seq: int
    at: float
    action: AuditAction
    outcome: AuditOutcome
    who: str
    role: Role | None = None
    kind: IdentityKind | None = None
    address: str | None = None
    topic: str | None = None
    qos: QoS | None = None
    retain: bool | None = None
    size: int | None = None
    sha256: str | None = None
    mode: CommandMode | None = None
    command: str | None = None
    target: str | None = None
    detail: str | None = None
    code: int | None = None
    of: int | None = None
    first: int = 1
    topic_sha256: str | None = None


class ChainedEntry(Struct, kw_only=True, frozen=True):
    """An entry with its link, and the link of the one before it."""

    entry: AuditEntry
    link: str
    before: str


class AuditReply(Struct, kw_only=True, frozen=True):
    """``GET /api/audit``: the newest first; ``next`` is the ``before`` of the following page.

    A search looks at a bounded number of entries, so a page may be short and still have a ``next``.
    ``first`` is the oldest entry that is kept and ``since`` its Unix time, ``null`` while there is
    none.
    """

    entries: list[ChainedEntry]
    next: int | None
    looked_at: int
    first: int | None
    since: float | None
    last: int
    limit: int


class AuditBreak(Struct, kw_only=True, frozen=True):
    """Entries from ``first`` to ``last`` that are missing or do not fit, for one reason."""

    first: int
    last: int
    reason: str


class AuditVerdict(Struct, kw_only=True, frozen=True):
    """``GET /api/audit/verify``: whether every kept entry is tied to the one before it.

    ``broken_at`` is the first entry that does not fit, with the reason in words, ``breaks`` all
    there are (the first hundred). ``keyed`` tells whether the links need ``AUDIT_KEY`` to be made.
    ``link`` is the newest: kept elsewhere, it
    proves later that nothing up to it was changed. ``losses`` counts the entries that tell of
    others Redis had lost when they were written.
    """

    ok: bool
    checked: int
    first: int | None
    last: int
    link: str
    keyed: bool
    broken_at: int | None = None
    reason: str | None = None
    losses: int = 0
    breaks: list[AuditBreak] = field(default_factory=list)


def key_mark(key: bytes | None) -> str:
    """Return by what a key is known in Redis, where nobody can make links with it."""
    if key is None:
        return "none"
    return hmac.new(key, b"mqtt-dashboard audit key", hashlib.sha256).hexdigest()[:16]


def link_of(before: str, document: bytes, key: bytes | None) -> str:
    """Return the link of a document to the link before it."""
    data = before.encode() + b"\n" + document
    if key is None:
        return hashlib.sha256(data).hexdigest()
    return hmac.new(key, data, hashlib.sha256).hexdigest()
