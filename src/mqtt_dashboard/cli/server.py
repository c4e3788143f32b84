"""The dashboard as the commands reach it: its address, the token to show, its HTTP interface."""

import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click
import msgspec

from mqtt_dashboard.cli import terminal
from mqtt_dashboard.cli.terminal import CommandError, leave
from mqtt_dashboard.config_cli import CLI_SECRETS, DEFAULT_URL
from mqtt_dashboard.contract import codec, plain_words
from mqtt_dashboard.contract.api import ErrorReply
from mqtt_dashboard.errors import ConfigError, ContractError
from mqtt_dashboard.secret_files import with_secret_files

ReplyT = TypeVar("ReplyT")
CommandT = TypeVar("CommandT", bound=Callable[..., Any])

TIMEOUT_S: Final = 15.0
PORTION: Final = 65536
MAX_ANSWER: Final = codec.MAX_DOCUMENT_BYTES
MADE_BY: Final = "make one with: mqtt-dashboard tokens create NAME --role ROLE"


class LostError(CommandError):
    """The request went out and no answer came: what became of it is not known."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nothing: the token would go with it."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Return nothing, so that the answer is taken as it is."""


@dataclass(frozen=True)
class Server:
    """One dashboard; the token is in no text of this object."""

    url: str
    token: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Return what says who is asking."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def get(
        self,
        path: str,
        kind: type[ReplyT],
        query: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT_S,
    ) -> ReplyT:
        """Return a document; raise `CommandError` with what to do."""
        tail = f"?{urllib.parse.urlencode(query)}" if query else ""
        return self.send("GET", f"{path}{tail}", kind, timeout=timeout)

    def send(
        self,
        method: str,
        path: str,
        kind: type[ReplyT],
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT_S,
    ) -> ReplyT:
        """Send a request and return its answer; raise `CommandError` or `LostError`."""
        data = None if body is None else codec.encode(body)
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method)
        for name, value in {**self.headers, **(headers or {})}.items():
            request.add_unredirected_header(name, value)
        request.add_header("Content-Type", "application/json")
        with self._answer(request, timeout) as answer:
            text = answer.read(MAX_ANSWER + 1)
        try:
            return codec.decode(text, kind)
        except ContractError as error:
            leave(f"{self.url} does not answer like a dashboard: {error}", terminal.EXIT_ERROR)

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield what a path answers, however much it is; raise `CommandError` or `LostError`."""
        request = urllib.request.Request(f"{self.url}{path}")
        for name, value in self.headers.items():
            request.add_unredirected_header(name, value)
        with self._answer(request, TIMEOUT_S) as answer:
            while part := answer.read(PORTION):
                yield part

    @contextmanager
    def _answer(self, request: urllib.request.Request, timeout: float) -> Iterator[Any]:
        """Yield the answer to a request; whatever goes wrong, while it is read, too, is told."""
        try:
            with self._opener().open(request, timeout=timeout) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            self._refused(error)
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError | ConnectionResetError):
                raise LostError(*self._lost(error.reason)) from error
            self._unreachable(error.reason)
        except (OSError, http.client.HTTPException) as error:
            raise LostError(*self._lost(error)) from error

    def _opener(self) -> urllib.request.OpenerDirector:
        host = urllib.parse.urlsplit(self.url).hostname
        # What is on this machine is never behind a proxy.
        local = {"127.0.0.1", "::1", "localhost"}
        proxies: dict[str, str] | None = {} if host in local else None
        return urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _NoRedirect())

    def _refused(self, error: urllib.error.HTTPError) -> NoReturn:
        with error:
            body = error.read(MAX_ANSWER)
        code: str | None = None
        try:
            reply = codec.decode(body, ErrorReply)
            code = reply.error
            words = f"{reply.field}: {reply.message}" if reply.field else reply.message
        except ContractError:
            words = f"{self.url} answered with status {error.code}"
        if error.code in range(300, 400):
            words = (
                f"{self.url} sends elsewhere: {error.headers.get('Location')}; use that as --url"
            )
        if error.code == 401:
            leave(self.unknown(words), terminal.EXIT_NOT_ALLOWED)
        if error.code == 403:
            leave(f"not allowed: {words}", terminal.EXIT_NOT_ALLOWED)
        if error.code in {502, 503, 504}:
            raise CommandError(words, terminal.EXIT_UNREACHABLE, code) from None
        raise CommandError(words, terminal.EXIT_ERROR, code) from None

    def unknown(self, words: str) -> str:
        """Return the sentence for an answer 401."""
        if self.token is None:
            return f"the dashboard asks who you are: set MQTT_DASHBOARD_TOKEN; {MADE_BY}"
        return f"the dashboard does not accept this token: {words}; {MADE_BY}"

    def _unreachable(self, reason: object) -> NoReturn:
        text = getattr(reason, "strerror", None) or str(reason)
        told = f"no dashboard answers at {self.url} ({text}); is it running? --url names another"
        leave(told, terminal.EXIT_UNREACHABLE)

    def _lost(self, error: BaseException) -> tuple[str, int]:
        return f"{self.url} gave no answer ({str(error) or 'time-out'})", terminal.EXIT_UNREACHABLE


def server_options(command: CommandT) -> CommandT:
    """Add --url, --token and --token-file to a command that is given a `Server` of `opened`."""
    for option in reversed(
        (
            click.option(
                "--url",
                help=f"Address of the dashboard.  [default: MQTT_DASHBOARD_URL or {DEFAULT_URL}]",
            ),
            click.option(
                "--token",
                help="API token; others can see it here, better use MQTT_DASHBOARD_TOKEN.",
            ),
            click.option(
                "--token-file",
                type=click.Path(path_type=Path),
                help="File that holds the token.  [default: MQTT_DASHBOARD_TOKEN_FILE]",
            ),
        )
    ):
        command = option(command)
    return command


JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON for programs.")


def opened(url: str | None, token: str | None, token_file: Path | None) -> Server:
    """Return the dashboard that options and environment name; raise `CommandError`."""
    if token is not None and token_file is not None:
        leave("--token and --token-file are both given; keep one", terminal.EXIT_USAGE)
    try:
        values = with_secret_files(os.environ, CLI_SECRETS if not (token or token_file) else ())
        if token_file is not None:
            name = CLI_SECRETS[0]
            token = with_secret_files({f"{name}_FILE": str(token_file)}, CLI_SECRETS)[name]
    except ConfigError as error:
        leave(str(error).removeprefix("MQTT_DASHBOARD_TOKEN_FILE: "), terminal.EXIT_USAGE)
    token = token or values.get(CLI_SECRETS[0]) or None
    if token is not None and not (token.isascii() and token.isprintable()):
        leave("the token holds characters that no token has", terminal.EXIT_USAGE)
    return Server(checked_url(url or values.get("MQTT_DASHBOARD_URL") or DEFAULT_URL), token)


def checked_url(url: str) -> str:
    """Return an address without its last slash; raise `CommandError` when it is none."""
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username or parts.query or parts.fragment or not url.isprintable():
        leave("the address must look like http://host:8082 or https://host/path", 2)
    return url.rstrip("/")


def wait_until(deadline: float, seconds: float) -> None:
    """Sleep, but not beyond a deadline of the monotonic clock."""
    time.sleep(max(0.0, min(seconds, deadline - time.monotonic())))


def document(kind: type[ReplyT], **fields: object) -> ReplyT:
    """Build a request; raise `CommandError` in the contract's words when it is not valid."""
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        told = plain_words.sentence(str(error))
        raise CommandError(told, terminal.EXIT_USAGE) from error
