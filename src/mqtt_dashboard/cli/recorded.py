"""Users and tokens straight in Redis, as the command line changes them, and written down."""

import getpass

from mqtt_dashboard import config
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.contract.auth import (
    TokenCreate,
    TokenInfo,
    UserChange,
    UserCreate,
    UserInfo,
    in_words,
)
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.auth.accounts import Accounts
from mqtt_dashboard.dashboard.auth.principal import make
from mqtt_dashboard.dashboard.counters import Counters


def stores() -> tuple[DashboardStore, Auditor]:
    """Return the Redis of the environment and its audit record; raise `ConfigError`."""
    store = DashboardStore(config.load(config.RedisSettings), name="mqtt-dashboard-cli")
    settings = config.load(AuthSettings)
    record = store.audit(settings.audit_secret, settings.audit_limit)
    return store, Auditor(record, store.orders, SystemClock(), Counters(), settings.audit_age_s)


class RecordedAccounts:
    """Accounts whose changes are in the audit record; whoever may write to Redis may do all."""

    def __init__(self, accounts: Accounts, auditor: Auditor) -> None:
        self._accounts = accounts
        self._auditor = auditor
        self._who = make(f"command line: {getpass.getuser()}", "administrator", "anonymous")

    def users(self) -> list[UserInfo]:
        """Return all users."""
        return self._accounts.users()

    def add(self, request: UserCreate) -> UserInfo:
        """Add a user."""
        with self._auditor.deed(self._who, "user_add", request.name, f"role {request.role}"):
            return self._accounts.add(request)

    def change(self, name: str, change: UserChange) -> UserInfo:
        """Change a user."""
        with self._auditor.deed(self._who, "user_change", name, in_words(change)):
            return self._accounts.change(name, change)

    def remove(self, name: str) -> None:
        """Remove a user."""
        with self._auditor.deed(self._who, "user_remove", name):
            self._accounts.remove(name)

    def tokens(self) -> list[TokenInfo]:
        """Return all tokens."""
        return self._accounts.tokens()

    def create_token(self, request: TokenCreate, created_by: str) -> tuple[str, TokenInfo]:
        """Make a token; return its text, too."""
        with self._auditor.deed(self._who, "token_add", request.label, f"role {request.role}"):
            return self._accounts.create_token(request, created_by)

    def revoke_token(self, identity: str) -> None:
        """Revoke a token."""
        with self._auditor.deed(self._who, "token_revoke", identity):
            self._accounts.revoke_token(identity)
