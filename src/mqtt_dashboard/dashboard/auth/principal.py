"""Who is asking: a name, a role, and what that one may read and publish."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from mqtt_dashboard.contract.auth import IdentityKind
from mqtt_dashboard.contract.policy import (
    RANK,
    CommandPolicy,
    Grant,
    Role,
    publish_grant,
    read_grant,
)
from mqtt_dashboard.dashboard.auth.addresses import bucket_of
from mqtt_dashboard.errors import DashboardError


class SignInError(DashboardError):
    """Nobody known is asking: 401; the text says what to do."""


class ForbiddenError(DashboardError):
    """Somebody known asks for something that one may not have: 403."""


class TooManyError(DashboardError):
    """Too many requests or attempts: 429; ``retry_after`` in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Principal:
    """Somebody who was recognised, by ``kind`` of sign-in.

    ``session`` is the digest of a session, ``token`` the id of an API token; either can be
    revoked. ``expires_at`` is a Unix time, ``address`` where the request came from. ``owner``
    stands for a provider's subject: names there can change hands. ``accounts``: may change users,
    tokens and sessions if the role allows it, as all but most tokens may.
    """

    name: str
    role: Role
    kind: IdentityKind
    read: Grant
    publish: Grant
    session: str | None = field(default=None, repr=False)
    token: str | None = None
    expires_at: float | None = None
    address: str | None = field(default=None, compare=False)
    owner: str | None = None
    accounts: bool = True

    @property
    def account(self) -> str:
        """Return what this one's sessions are kept under."""
        return self.owner or self.name

    @property
    def visitor(self) -> str:
        """Return whose share of the worker this one uses: its own, or that of its address."""
        if self.kind == "anonymous":
            return bucket_of("address", self.address or "")
        return f"user:{self.account}"

    @property
    def maker(self) -> str:
        """Return what stands for this one in what one makes, and for nobody else."""
        if self.token is not None:
            return f"token:{self.token}"
        return self.owner or f"user:{self.name}"

    @property
    def sender(self) -> str:
        """Return by what this one's commands are found when its rights are withdrawn."""
        if self.token is not None:
            return f"token:{self.token}"
        if self.kind == "anonymous":
            return ""
        return f"{'user' if self.owner is None else 'provider'}:{self.account}"

    def has_role(self, role: Role) -> bool:
        """Tell whether this one has at least a role."""
        return RANK[self.role] >= RANK[role]

    def check_publish(self, topic: str) -> None:
        """Raise `ForbiddenError` unless this one may publish to a topic."""
        if not self.publish.allows(topic):
            raise ForbiddenError(
                f"{self.name} may publish to {self.publish.in_words()}, not to this topic"
            )

    def check_watch(self, topic_filter: str) -> None:
        """Raise `ForbiddenError` unless this one may read all that matches a filter."""
        if not self.read.covers(topic_filter):
            raise ForbiddenError(
                f"{self.name} may read {self.read.in_words()}; this filter reaches beyond that"
            )

    def sees_command(self, topic: str, *, is_whole: bool = True) -> bool:
        """Tell whether this one may see commands to a topic, or to all that begin like this."""
        if is_whole:
            return self.read.allows(topic) or self.publish.allows(topic)
        return self.read.allows_beginning(topic) or self.publish.allows_beginning(topic)

    @property
    def sees_all_commands(self) -> bool:
        """Tell whether no filter hides a command from this one."""
        return self.read.unrestricted or self.publish.unrestricted

    def policy(self) -> CommandPolicy:
        """Return what the bridge checks again."""
        return CommandPolicy(who=self.name, publish=self.publish, role=self.role)


def make(
    name: str,
    role: Role,
    kind: IdentityKind,
    filters: tuple[Sequence[str] | None, Sequence[str] | None] = (None, None),
) -> Principal:
    """Return a principal with its role's filters, or with its own."""
    read, publish = filters
    return Principal(name, role, kind, read_grant(role, read), publish_grant(role, publish))


# Whoever reaches a dashboard without sign-in.
ANONYMOUS: Final = make("anonymous", "operator", "anonymous")


def digest_of(secret: str) -> str:
    """Return the SHA-256 under which a 256-bit random secret is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()
