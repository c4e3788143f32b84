"""What the commands about users and tokens share: where they work, passwords, words for errors."""

import sys
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from mqtt_dashboard.cli import recorded, server, terminal
from mqtt_dashboard.cli.recorded import RecordedAccounts
from mqtt_dashboard.cli.server import Server
from mqtt_dashboard.cli.terminal import leave, visible
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.contract.auth import (
    MAX_PASSWORD,
    MIN_PASSWORD,
    TokenCreate,
    TokenCreated,
    TokenInfo,
    TokensReply,
    UserChange,
    UserCreate,
    UserInfo,
    UsersReply,
)
from mqtt_dashboard.dashboard.auth.accounts import AccountError, Accounts
from mqtt_dashboard.dashboard.auth.passwords import Passwords, generated
from mqtt_dashboard.errors import BusError, ConfigError

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

EXIT_REFUSED = terminal.EXIT_ERROR
EXIT_CONFIG = terminal.EXIT_USAGE

ROLES = click.Choice(["viewer", "operator", "administrator"])


class Register(Protocol):
    """Users and tokens, in Redis or behind a dashboard."""

    def users(self) -> list[UserInfo]:
        """Return all users."""

    def add(self, request: UserCreate) -> UserInfo:
        """Add a user."""

    def change(self, name: str, change: UserChange) -> UserInfo:
        """Change a user."""

    def remove(self, name: str) -> None:
        """Remove a user."""

    def tokens(self) -> list[TokenInfo]:
        """Return all tokens."""

    def create_token(self, request: TokenCreate, created_by: str) -> tuple[str, TokenInfo]:
        """Make a token; return its text, too."""

    def revoke_token(self, identity: str) -> None:
        """Revoke a token."""


class RemoteRegister:
    """Users and tokens of a running dashboard."""

    def __init__(self, dashboard: Server) -> None:
        self._server = dashboard

    def users(self) -> list[UserInfo]:
        """Return all users."""
        return self._server.get("/api/users", UsersReply).users

    def add(self, request: UserCreate) -> UserInfo:
        """Add a user."""
        return self._server.send("POST", "/api/users", UserInfo, request)

    def change(self, name: str, change: UserChange) -> UserInfo:
        """Change a user."""
        return self._server.send("PATCH", f"/api/users/{_quoted(name)}", UserInfo, change)

    def remove(self, name: str) -> None:
        """Remove a user."""
        self._server.send("DELETE", f"/api/users/{_quoted(name)}", UsersReply)

    def tokens(self) -> list[TokenInfo]:
        """Return all tokens."""
        return self._server.get("/api/tokens", TokensReply).tokens

    def create_token(self, request: TokenCreate, created_by: str) -> tuple[str, TokenInfo]:  # noqa: ARG002 - the dashboard knows who asks
        """Make a token; return its text, too."""
        made = self._server.send("POST", "/api/tokens", TokenCreated, request)
        return made.token, made.info

    def revoke_token(self, identity: str) -> None:
        """Revoke a token."""
        self._server.send("DELETE", f"/api/tokens/{_quoted(identity)}", TokensReply)


@dataclass(frozen=True)
class Place:
    """Where a command works, as its options say."""

    url: str | None
    token: str | None
    token_file: Path | None


def place_options(command: CommandT) -> CommandT:
    """Add --url, --token and --token-file; the command is given ``place``."""

    def run(
        *args: Any, url: str | None, token: str | None, token_file: Path | None, **named: Any
    ) -> Any:
        return command(*args, place=Place(url, token, token_file), **named)

    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    if hasattr(command, "__click_params__"):
        run.__click_params__ = command.__click_params__  # type: ignore[attr-defined] # click's own mark
    options = (
        click.option(
            "--token-file",
            type=click.Path(path_type=Path),
            help="With --url: file that holds the token.",
        ),
        click.option(
            "--token", help="With --url: an administrator's token; better use a file or variable."
        ),
        click.option("--url", help="Ask this dashboard instead of Redis."),
    )
    found: Any = run
    for option in options:
        found = option(found)
    return found  # type: ignore[no-any-return]


@contextmanager
def opened(place: Place) -> Iterator[Register]:
    """Yield users and tokens where the options say; errors become a sentence and a status."""
    if place.url is not None:
        yield RemoteRegister(server.opened(place.url, place.token, place.token_file))
        return
    if place.token is not None or place.token_file is not None:
        leave("a token is for --url; Redis does not know it", EXIT_CONFIG)
    try:
        store, auditor = recorded.stores()
    except ConfigError as error:
        leave(str(error), EXIT_CONFIG)
    try:
        yield RecordedAccounts(Accounts(store.auth, Passwords(), SystemClock()), auditor)
    except (AccountError, BusError) as error:
        leave(str(error), EXIT_REFUSED)
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
        leave(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters", EXIT_REFUSED)
    return password, False


def in_words(filters: list[str] | None) -> str:
    """Return filters for a table."""
    if filters is None:
        return "(role's)"
    return visible(", ".join(filters)) or "nothing"


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")
