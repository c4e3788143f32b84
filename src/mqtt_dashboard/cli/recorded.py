"""Users and tokens straight in Redis, as the command line changes them, and written down."""

import getpass

from mqtt_dashboard import config
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.contract.auth import (
    HeldSessionsReply,
    TokenCreate,
    TokenInfo,
    UserChange,
    UserCreate,
    UserInfo,
    in_words,
)
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.auth.accounts import Accounts
from mqtt_dashboard.dashboard.auth.held_sessions import HeldSessions
from mqtt_dashboard.dashboard.auth.oidc_realm import realm_of
from mqtt_dashboard.dashboard.auth.principal import Principal, make
from mqtt_dashboard.dashboard.counters import Counters


def stores() -> tuple[DashboardStore, Auditor]:
    """Return the Redis of the environment and its audit record; raise `ConfigError`."""
    store = DashboardStore(config.load(config.RedisSettings), name="mqtt-dashboard-cli")
    settings = config.load(AuthSettings)
    record = store.audit(settings.audit_secret, settings.audit_limit, settings.audit_bytes)
    return store, Auditor(record, store.orders, SystemClock(), Counters(), settings.audit_age_s)


def sessions(store: DashboardStore) -> HeldSessions:
    """Return everybody's sessions in a Redis, as a dashboard of this environment takes them."""
    settings = config.load(AuthSettings)
    return HeldSessions(store.auth, realm_of(settings) if settings.oidc_issuer else None)


def somebody() -> Principal:
    """Return who works on the command line; whoever may write to Redis may do all."""
    return make(f"command line: {getpass.getuser()}", "administrator", "anonymous")


class RecordedAccounts:
    """Accounts whose changes are in the audit record."""

    def __init__(self, accounts: Accounts, auditor: Auditor, sessions: HeldSessions) -> None:
        self._accounts = accounts
        self._auditor = auditor
        self._sessions = sessions
        self._who = somebody()

    def users(self) -> list[UserInfo]:
        """Return all users."""
        return self._accounts.users()

    def add(self, request: UserCreate) -> UserInfo:
        """Add a user."""
        with self._auditor.deed(self._who, "user_add", request.name, f"role {request.role}"):
            return self._accounts.add(request)

    def change(self, name: str, change: UserChange) -> UserInfo:
        """Change a user."""
        effects = self._accounts.consequences(name, change)
        told = "; ".join(filter(None, (in_words(change), effects)))
        with self._auditor.deed(self._who, "user_change", name, told):
            return self._accounts.change(name, change)

    def remove(self, name: str) -> list[str]:
        """Remove a user; return the labels of the tokens that ended with it."""
        effects = self._accounts.consequences(name, None)
        with self._auditor.deed(self._who, "user_remove", name, effects):
            return self._accounts.remove(name)

    def sessions(self) -> HeldSessionsReply:
        """Return everybody's sessions."""
        return self._sessions.all()

    def end_sessions(self, account: str, identity: str | None) -> None:
        """End one session of an account, or all."""
        told = "all sessions" if identity is None else f"session {identity}"
        with self._auditor.deed(self._who, "sessions_end", account, told):
            self._sessions.end(account, identity)

    def tokens(self) -> list[TokenInfo]:
        """Return all tokens."""
        return self._accounts.tokens()

    def create_token(self, request: TokenCreate, created_by: str) -> tuple[str, TokenInfo]:
        """Make a token; return its text, too."""
        with self._auditor.deed(self._who, "token_add", request.label, f"role {request.role}"):
            return self._accounts.create_token(request, created_by)

    def revoke_token(self, identity: str) -> list[str]:
        """Revoke a token; return the labels of those it had made."""
        with self._auditor.deed(self._who, "token_revoke", identity):
            return self._accounts.revoke_token(identity)
