"""What the commands about users and tokens share: where they work, passwords, words for errors."""

import os
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
    HeldSessionsReply,
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

    def remove(self, name: str) -> list[str]:
        """Remove a user; return the labels of the tokens that ended with it."""

    def sessions(self) -> HeldSessionsReply:
        """Return everybody's sessions."""

    def end_sessions(self, account: str, identity: str | None) -> None:
        """End one session of an account, or all."""

    def tokens(self) -> list[TokenInfo]:
        """Return all tokens."""

    def create_token(self, request: TokenCreate, created_by: str) -> tuple[str, TokenInfo]:
        """Make a token; return its text, too."""

    def revoke_token(self, identity: str) -> list[str]:
        """Revoke a token; return the labels of those it had made."""


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

    def remove(self, name: str) -> list[str]:
        """Remove a user; return the labels of the tokens that ended with it."""
        path = f"/api/users/{_quoted(name)}"
        return self._server.send("DELETE", path, UsersReply).ended_tokens

    def sessions(self) -> HeldSessionsReply:
        """Return everybody's sessions."""
        return self._server.get("/api/sessions", HeldSessionsReply)

    def end_sessions(self, account: str, identity: str | None) -> None:
        """End one session of an account, or all."""
        which = "" if identity is None else f"&id={_quoted(identity)}"
        path = f"/api/sessions?account={_quoted(account)}{which}"
        self._server.send("DELETE", path, HeldSessionsReply)

    def tokens(self) -> list[TokenInfo]:
        """Return all tokens."""
        return self._server.get("/api/tokens", TokensReply).tokens

    def create_token(self, request: TokenCreate, created_by: str) -> tuple[str, TokenInfo]:  # noqa: ARG002 - the dashboard knows who asks
        """Make a token; return its text, too."""
        made = self._server.send("POST", "/api/tokens", TokenCreated, request)
        return made.token, made.info

    def revoke_token(self, identity: str) -> list[str]:
        """Revoke a token; return the labels of those it had made."""
        path = f"/api/tokens/{_quoted(identity)}"
        return self._server.send("DELETE", path, TokensReply).ended_tokens


@dataclass(frozen=True)
class Place:
    """Where a command works, as its options say."""

    url: str | None
    token: str | None
    token_file: Path | None
    redis: bool = False


def place_options(command: CommandT) -> CommandT:
    """Add --url, --token, --token-file and --redis; the command is given ``place``."""

    def run(
        *args: Any,
        url: str | None,
        token: str | None,
        token_file: Path | None,
        redis: bool,
        **named: Any,
    ) -> Any:
        return command(*args, place=Place(url, token, token_file, redis), **named)

    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    if hasattr(command, "__click_params__"):
        run.__click_params__ = command.__click_params__  # type: ignore[attr-defined] # click's own mark
    options = (
        click.option(
            "--redis", is_flag=True, help="Work on Redis, whatever MQTT_DASHBOARD_URL says."
        ),
        click.option(
            "--token-file",
            type=click.Path(path_type=Path),
            help="With --url: file that holds the token.",
        ),
        click.option(
            "--token", help="With --url: an administrator's token; better use a file or variable."
        ),
        click.option(
            "--url", help="Ask this dashboard instead of Redis.  [default: MQTT_DASHBOARD_URL]"
        ),
    )
    found: Any = run
    for option in options:
        found = option(found)
    return found  # type: ignore[no-any-return]


def server_of(place: Place) -> Server | None:
    """Return the dashboard that options or environment name; None when it is Redis."""
    if place.redis:
        if place.url is not None or place.token is not None or place.token_file is not None:
            leave("--redis asks no dashboard: leave out --url and the token", EXIT_CONFIG)
        return None
    url = place.url or os.environ.get("MQTT_DASHBOARD_URL")
    if url:
        found = server.opened(url, place.token, place.token_file)
        if place.url is None:
            # Not typed: a variable left over from yesterday should not surprise anybody.
            terminal.complain(f"-- at {found.url} (MQTT_DASHBOARD_URL; --redis works on Redis)")
        return found
    if place.token is not None or place.token_file is not None:
        leave("a token is for --url; Redis does not know it", EXIT_CONFIG)
    return None


@contextmanager
def opened(place: Place) -> Iterator[Register]:
    """Yield users and tokens where the options say; errors become a sentence and a status."""
    found = server_of(place)
    if found is not None:
        yield RemoteRegister(found)
        return
    try:
        store, auditor = recorded.stores()
    except ConfigError as error:
        leave(str(error), EXIT_CONFIG)
    try:
        accounts = Accounts(store.auth, Passwords(), SystemClock())
        yield RecordedAccounts(accounts, auditor, recorded.sessions(store))
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
