"""Users and tokens as administrators handle them, over HTTP and on the command line."""

import secrets
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET

from mqtt_dashboard.bus.auth_store import AuthStore, Outcome
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import topics
from mqtt_dashboard.contract.auth import (
    TokenCreate,
    TokenInfo,
    TokenRecord,
    UserChange,
    UserCreate,
    UserInfo,
    UserRecord,
)
from mqtt_dashboard.contract.policy import CONTROL, Role, may_be_granted
from mqtt_dashboard.dashboard.auth.passwords import Passwords
from mqtt_dashboard.dashboard.auth.principal import digest_of
from mqtt_dashboard.errors import DashboardError, TopicError

FIRST_USER: Final = "admin"
TOKEN_MARK: Final = "mqd"  # noqa: S105 - what tokens begin with, so that scanners find them
WORDS: Final[dict[Outcome, str]] = {
    "conflict": "somebody changed it meanwhile, or it exists already; look again",
    "last_administrator": "this is the last administrator; make another one first",
    "full": "there are too many already; remove some first",
    "done": "done",
}


class AccountError(DashboardError):
    """A user or token cannot be changed like this; ``field`` names the cause when there is one."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnknownAccountError(AccountError):
    """There is no such user or token."""


class Accounts:
    """Changes users and tokens; every change is one script in Redis."""

    def __init__(self, store: AuthStore, passwords: Passwords, clock: Clock) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock

    def found(self, password: str) -> bool:
        """Make the first administrator; False when there is any user already."""
        if self._store.has_users():
            return False
        return self._store.found(self._record(FIRST_USER, "administrator", password, None, None))

    def users(self) -> list[UserInfo]:
        """Return all users."""
        seen = self._store.all_seen()
        return [user_info(one, seen.get(one.name)) for one in self._store.users()]

    def add(self, request: UserCreate) -> UserInfo:
        """Add a user."""
        read = checked(request.read, "read", request.role)
        publish = checked(request.publish, "publish", request.role)
        record = self._record(request.name, request.role, request.password, read, publish)
        outcome = self._store.create_user(record)
        if outcome == "conflict":
            raise AccountError(f"there is a user {request.name} already", "name")
        _require(outcome)
        return user_info(record)

    def change(self, name: str, change: UserChange) -> UserInfo:
        """Change what is given; a new password ends all sessions of the user."""
        old = self._user(name)
        fields: dict[str, Any] = {"changed_at": self._clock.now(), **_rights(old, change)}
        if change.disabled is not UNSET:
            fields["disabled"] = change.disabled
            # Also those sessions end that would be good again after an administrator's mistake.
            fields["generation"] = old.generation + 1
        if change.password is not UNSET:
            fields["password"] = self._passwords.hash(change.password)
            fields["generation"] = old.generation + 1
        new = msgspec.structs.replace(old, **fields)
        ended = self._ended_with(new)
        _require(self._store.replace_user(old, new, [one.id for one in ended]))
        ended += self._end_late(new)
        return user_info(new, self._store.all_seen().get(name), ended)

    def sign_out(self, name: str) -> UserInfo:
        """End all sessions of a user."""
        old = self._user(name)
        new = msgspec.structs.replace(old, generation=old.generation + 1)
        _require(self._store.replace_user(old, new))
        return user_info(new, self._store.all_seen().get(name))

    def remove(self, name: str) -> list[str]:
        """Remove a user; the last administrator stays. Return the labels of tokens that ended."""
        old = self._user(name)
        gone = msgspec.structs.replace(old, disabled=True)
        ended = self._ended_with(gone)
        _require(self._store.remove_user(old, [one.id for one in ended]))
        return [one.label for one in ended + self._end_late(gone)]

    def consequences(self, name: str, change: UserChange | None) -> str:
        """Say which tokens a change of a user ends, or its removal; for the record."""
        old = self._store.user(name)
        if old is None:
            return ""
        role = old.role if change is None or change.role is UNSET else change.role
        out = change is None or change.disabled is True
        new = msgspec.structs.replace(old, role=role, disabled=out or old.disabled)
        labels = ", ".join(one.label for one in self._ended_with(new))
        return f"ends the tokens {labels}" if labels else ""

    def tokens(self) -> list[TokenInfo]:
        """Return all tokens, without their secrets."""
        return [self._token_info(one) for one in self._store.tokens()]

    def create_token(
        self, request: TokenCreate, created_by: str, maker: str | None = None
    ) -> tuple[str, TokenInfo]:
        """Make a token; its text is returned here and kept nowhere.

        It ends with its maker, if there is one.
        """
        if request.accounts and request.role != "administrator":
            raise AccountError("only an administrator's token may be for accounts", "accounts")
        identity, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        now = self._clock.now()
        record = TokenRecord(
            id=identity,
            label=request.label,
            digest=digest_of(secret),
            role=request.role,
            created_at=now,
            expires_at=now + request.lifetime_s,
            created_by=created_by,
            read=checked(request.read, "read", request.role),
            publish=checked(request.publish, "publish", request.role),
            maker=maker,
            accounts=request.accounts,
        )
        _require(self._store.create_token(record))
        return f"{TOKEN_MARK}_{identity}_{secret}", self._token_info(record)

    def revoke_token(self, identity: str) -> list[str]:
        """Remove a token and those it made; return the labels of these."""
        made = _made_by(self._store.tokens(), f"token:{identity}")
        if self._store.remove_token(identity) != "done":
            raise UnknownAccountError("there is no such token")
        for one in made:
            self._store.remove_token(one.id)
        return [one.label for one in made]

    def _ended_with(self, user: UserRecord) -> list[TokenRecord]:
        """Return the tokens that cannot outlive a user's rights to make them."""
        if user.role == "administrator" and not user.disabled:
            return []
        return _made_by(self._store.tokens(), f"user:{user.name}", user.name)

    def _end_late(self, user: UserRecord) -> list[TokenRecord]:
        """End what somebody made at the very moment when one was not to any more."""
        late = self._ended_with(user)
        for one in late:
            self._store.remove_token(one.id)
        return late

    def _user(self, name: str) -> UserRecord:
        record = self._store.user(name)
        if record is None:
            raise UnknownAccountError("there is no such user")
        return record

    def _record(
        self,
        name: str,
        role: Role,
        password: str,
        read: tuple[str, ...] | None,
        publish: tuple[str, ...] | None,
    ) -> UserRecord:
        now = self._clock.now()
        return UserRecord(
            name=name,
            role=role,
            password=self._passwords.hash(password),
            created_at=now,
            changed_at=now,
            read=read,
            publish=publish,
        )

    def _token_info(self, record: TokenRecord) -> TokenInfo:
        return TokenInfo(
            id=record.id,
            label=record.label,
            role=record.role,
            read=_listed(record.read),
            publish=_listed(record.publish),
            created_at=record.created_at,
            expires_at=record.expires_at,
            created_by=record.created_by,
            expired=record.expires_at <= self._clock.now(),
            accounts=record.accounts,
        )


def user_info(
    record: UserRecord, last_sign_in: float | None = None, ended: Sequence[TokenRecord] = ()
) -> UserInfo:
    """Return a user without its password."""
    return UserInfo(
        name=record.name,
        role=record.role,
        read=_listed(record.read),
        publish=_listed(record.publish),
        created_at=record.created_at,
        changed_at=record.changed_at,
        disabled=record.disabled,
        last_sign_in=last_sign_in,
        ended_tokens=[one.label for one in ended],
    )


def _made_by(
    tokens: Sequence[TokenRecord], maker: str, name: str | None = None
) -> list[TokenRecord]:
    """Return the tokens of a maker, and those that these made.

    Records of an earlier release hold no more than the maker's name.
    """
    makers, found = {maker}, list[TokenRecord]()
    while True:
        more = [
            one
            for one in tokens
            if one not in found
            and (one.maker in makers or (one.maker is None and one.created_by == name))
        ]
        if not more:
            return found
        found += more
        makers |= {f"token:{one.id}" for one in more}


def checked(filters: Sequence[str] | None, field: str, role: Role) -> tuple[str, ...] | None:
    """Return valid filters without doubles; raise `AccountError` that names the wrong one."""
    if filters is None:
        return None
    for one in filters:
        try:
            group, _ = topics.split_shared(topics.check_filter(one))
        except TopicError as error:
            raise AccountError(f"{one!a}: {error}", field) from error
        if group is not None:
            raise AccountError(f"{one!a}: leave out $share/<group>/", field)
        if not may_be_granted(role, one):
            raise AccountError(f"{one!a}: only an administrator may have {CONTROL}", field)
    return tuple(dict.fromkeys(filters))


def _rights(old: UserRecord, change: UserChange) -> dict[str, Any]:
    """Return role and filters when one of them changes: not every role may have every filter."""
    if change.role is UNSET and change.read is UNSET and change.publish is UNSET:
        return {}
    role = old.role if change.role is UNSET else change.role
    read = old.read if change.read is UNSET else change.read
    publish = old.publish if change.publish is UNSET else change.publish
    return {
        "role": role,
        "read": checked(read, "read", role),
        "publish": checked(publish, "publish", role),
    }


def _listed(filters: tuple[str, ...] | None) -> list[str] | None:
    return None if filters is None else list(filters)


def _require(outcome: Outcome) -> None:
    if outcome != "done":
        raise AccountError(WORDS[outcome])
