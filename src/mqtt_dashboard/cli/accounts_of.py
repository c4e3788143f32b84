"""What the commands about users and tokens share: Redis, passwords, words for errors."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mqtt_dashboard import config
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.contract.auth import MAX_PASSWORD, MIN_PASSWORD
from mqtt_dashboard.dashboard.auth.accounts import AccountError, Accounts
from mqtt_dashboard.dashboard.auth.passwords import Passwords, generated
from mqtt_dashboard.errors import BusError, ConfigError

EXIT_REFUSED = 1
EXIT_CONFIG = 2

ROLES = click.Choice(["viewer", "operator", "administrator"])


@contextmanager
def opened() -> Iterator[Accounts]:
    """Yield the accounts in the Redis of the environment; errors become a sentence and a status."""
    try:
        store = DashboardStore(config.load(config.RedisSettings), name="mqtt-dashboard-cli")
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)
    try:
        yield Accounts(store.auth, Passwords(), SystemClock())
    except (AccountError, BusError) as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_REFUSED)
    finally:
        store.close()


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
