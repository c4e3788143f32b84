"""Users, tokens and sign-in: what lies in Redis and what the HTTP interface takes and answers.

Whatever holds a secret hides it from ``repr``, so that no log line can show it by accident.
"""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from mqtt_dashboard.contract.policy import MAX_FILTERS, Grant, Role

IdentityKind = Literal["anonymous", "password", "token", "proxy", "oidc"]
SignInMode = Literal["anonymous", "required"]

MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 256
USER_PATTERN: Final = r"\A[A-Za-z0-9][A-Za-z0-9._@+-]*\Z"
LABEL_PATTERN: Final = r"\A[^\x00-\x1f\x7f]+\Z"
UserName = Annotated[str, Meta(min_length=1, max_length=64, pattern=USER_PATTERN)]
NewPassword = Annotated[str, Meta(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]
Label = Annotated[str, Meta(min_length=1, max_length=64, pattern=LABEL_PATTERN)]
FilterText = Annotated[str, Meta(min_length=1, max_length=1024)]
Filters = Annotated[list[FilterText], Meta(max_length=MAX_FILTERS)]
TokenLife = Annotated[int, Meta(ge=60, le=366 * 86400)]


class _Secretive(Struct, kw_only=True, frozen=True):
    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


# In Redis -------------------------------------------------------------------------------------
class UserRecord(_Secretive, kw_only=True, frozen=True):
    """One local user; ``password`` is an argon2id hash.

    ``generation`` grows when all sessions of the user must end; ``read`` and ``publish`` are
    ``None`` for the role's own filters. Who is ``disabled`` cannot sign in. Times are Unix seconds.
    """

    name: str
    role: Role
    password: str
    created_at: float
    changed_at: float
    read: tuple[str, ...] | None = None
    publish: tuple[str, ...] | None = None
    generation: int = 1
    disabled: bool = False


class TokenRecord(_Secretive, kw_only=True, frozen=True):
    """One API token; ``digest`` is the SHA-256 of its 256-bit secret, in hexadecimal.

    ``created_by`` is the maker's name for people. ``maker`` stands for exactly that one, with whose
    rights it ends: ``user:<name>``, ``token:<id>`` or a provider's account. ``accounts``: it may
    change users, tokens and sessions, as an administrator's session may.
    """

    id: str
    label: str
    digest: str
    role: Role
    created_at: float
    expires_at: float
    created_by: str
    read: tuple[str, ...] | None = None
    publish: tuple[str, ...] | None = None
    maker: str | None = None
    accounts: bool = False


class SessionRecord(Struct, kw_only=True, frozen=True):
    """A sign-in session as it lies in Redis, under the SHA-256 of its secret.

    ``generation`` must equal the user's. Who came through a provider is no local user: then
    ``user`` stands for the provider's subject, ``name`` and ``role`` are what the provider said,
    and ``realm`` stands for the settings under which that was accepted.
    """

    user: str
    kind: IdentityKind
    created_at: float
    expires_at: float
    address: str
    agent: str
    generation: int = 0
    name: str | None = None
    role: Role | None = None
    realm: str | None = None


# Over HTTP ------------------------------------------------------------------------------------
class LoginRequest(_Secretive, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``POST /api/auth/login``."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(min_length=1, max_length=MAX_PASSWORD)]


class PasswordRequest(_Secretive, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``POST /api/auth/password``: change one's own."""

    old: Annotated[str, Meta(min_length=1, max_length=MAX_PASSWORD)]
    new: NewPassword


class MeReply(Struct, kw_only=True, frozen=True):
    """``GET /api/auth/me``: who is asking, and what that one may do.

    ``mode`` is ``anonymous`` when nobody needs to sign in. All below ``signed_in`` is ``null``
    until somebody did, except: ``provider`` names the OpenID Connect provider one can sign in
    with, and ``sign_out_at``, in the answer to a sign-out, is where the provider's own is.
    """

    mode: SignInMode
    signed_in: bool
    name: str | None = None
    role: Role | None = None
    kind: IdentityKind | None = None
    read: Grant | None = None
    publish: Grant | None = None
    expires_at: float | None = None
    provider: str | None = None
    sign_out_at: str | None = None


class SessionInfo(Struct, kw_only=True, frozen=True):
    """One of one's own sessions; ``id`` names it and opens nothing."""

    id: str
    created_at: float
    expires_at: float
    address: str
    agent: str
    current: bool


class SessionsReply(Struct, kw_only=True, frozen=True):
    """``GET /api/auth/sessions``."""

    sessions: list[SessionInfo]


class HeldSession(Struct, kw_only=True, frozen=True):
    """A session as administrators see it.

    ``account`` is a user's name, or stands for somebody at the provider, who is shown as ``name``.
    """

    id: str
    account: str
    name: str
    kind: IdentityKind
    role: Role | None
    created_at: float
    expires_at: float
    address: str
    agent: str
    current: bool


class HeldSessionsReply(Struct, kw_only=True, frozen=True):
    """``GET /api/sessions``: the newest first; ``more``: there are others that are not listed."""

    sessions: list[HeldSession]
    more: bool


class UserInfo(Struct, kw_only=True, frozen=True):
    """A user as administrators see it; ``read`` and ``publish`` are ``null`` for the role's own.

    ``last_sign_in`` is the last one with a password, ``null`` while there is none known. In the
    answer to a change ``ended_tokens`` are the labels of the tokens that ended with it.
    """

    name: str
    role: Role
    read: list[str] | None
    publish: list[str] | None
    created_at: float
    changed_at: float
    disabled: bool
    last_sign_in: float | None
    ended_tokens: list[str] = field(default_factory=list)


class UsersReply(Struct, kw_only=True, frozen=True):
    """``GET /api/users``; ``ended_tokens`` as in `UserInfo`, in the answer to a removal."""

    users: list[UserInfo]
    ended_tokens: list[str] = field(default_factory=list)


class UserCreate(_Secretive, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``POST /api/users``."""

    name: UserName
    password: NewPassword
    role: Role = "viewer"
    read: Filters | None = None
    publish: Filters | None = None


class UserChange(_Secretive, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``PATCH /api/users/{name}``: only what is given changes; ``null`` = the role's filters."""

    password: NewPassword | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    read: Filters | UnsetType | None = UNSET
    publish: Filters | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET


class TokenInfo(Struct, kw_only=True, frozen=True):
    """An API token as administrators see it; its secret is not kept anywhere."""

    id: str
    label: str
    role: Role
    read: list[str] | None
    publish: list[str] | None
    created_at: float
    expires_at: float
    created_by: str
    expired: bool
    accounts: bool = False


class TokensReply(Struct, kw_only=True, frozen=True):
    """``GET /api/tokens``; ``ended_tokens``: those that a revoked one had made ended with it."""

    tokens: list[TokenInfo]
    ended_tokens: list[str] = field(default_factory=list)


class TokenCreate(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``POST /api/tokens``; ``lifetime_s`` in seconds.

    ``accounts``: an administrator's token that may also change users, tokens and sessions.
    """

    label: Label
    role: Role = "viewer"
    read: Filters | None = None
    publish: Filters | None = None
    lifetime_s: TokenLife = 90 * 86400
    accounts: bool = False


class TokenCreated(_Secretive, kw_only=True, frozen=True):
    """The one answer that shows a token: send it as ``Authorization: Bearer <token>``."""

    token: str
    info: TokenInfo


def in_words(change: UserChange) -> str:
    """Say what is to be changed; of a password only that it is."""
    told = []
    for name in change.__struct_fields__:
        value = getattr(change, name)
        if value is not UNSET:
            told.append("a new password" if name == "password" else f"{name}: {value}")
    return ", ".join(told)
