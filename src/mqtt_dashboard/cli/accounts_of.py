"""What the commands about users and tokens share: Redis, passwords, words for errors."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mqtt_dashboard import config
from mqtt_dashboard.bus.audit_store import AuditStore
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.contract.audit import AuditAction
from mqtt_dashboard.contract.auth import MAX_PASSWORD, MIN_PASSWORD
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.auth.accounts import AccountError, Accounts
from mqtt_dashboard.dashboard.auth.passwords import Passwords, generated
from mqtt_dashboard.dashboard.auth.principal import Principal, make
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.errors import BusError, ConfigError

EXIT_REFUSED = 1
EXIT_CONFIG = 2

ROLES = click.Choice(["viewer", "operator", "administrator"])


@contextmanager
def opened(
    action: AuditAction | None = None, target: str = "", detail: str = ""
) -> Iterator[Accounts]:
    """Yield the accounts in the Redis of the environment; errors become a sentence and a status.

    A change is written down in the audit record before it is made, and how it ended.
    """
    store, auditor = _stores()
    try:
        accounts = Accounts(store.auth, Passwords(), SystemClock())
        if action is None:
            yield accounts
        else:
            with auditor.deed(_caller(), action, target, detail):
                yield accounts
    except (AccountError, BusError) as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_REFUSED)
    finally:
        store.close()


def audit_store() -> AuditStore:
    """Return the audit record in the Redis of the environment."""
    return _stores()[1].store


def _stores() -> tuple[DashboardStore, Auditor]:
    try:
        store = DashboardStore(config.load(config.RedisSettings), name="mqtt-dashboard-cli")
        settings = config.load(AuthSettings)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)
    key = settings.audit_key
    secret = None if key is None else key.get_secret_value().encode()
    record = store.audit(secret, settings.audit_limit)
    return store, Auditor(record, store.orders, SystemClock(), Counters())


def _caller() -> Principal:
    """Return who runs this command: whoever may write to Redis may do everything."""
    return make(f"command line: {getpass.getuser()}", "administrator", "anonymous")


def new_password(*, generate: bool) -> tuple[str, bool]:
    """Return a password and whether it must be shown: made, typed, or a line of standard input."""
    if generate:
        return generated(), True
    if sys.stdin.isatty():
        password = click.prompt("New password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        click.echo(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters", err=True)
        sys.exit(EXIT_REFUSED)
    return password, False


def in_words(filters: list[str] | None) -> str:
    """Return filters for a table."""
    if filters is None:
        return "(role's)"
    return ", ".join(filters) or "nothing"
