"""Requests to an OpenID Connect provider: no redirects, small answers, and an end in time.

A provider is trusted with who may sign in, not with this process: whatever it does, a request
ends, and its answer is bounded.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final, TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit

import msgspec

from mqtt_dashboard.config_oidc import is_safe_url
from mqtt_dashboard.errors import DashboardError

STEP_S: Final = 5.0
WHOLE_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 256 * 1024

AnswerT = TypeVar("AnswerT")


class ProviderError(DashboardError):
    """The provider cannot be reached, or what it says cannot be used; the text is for the log."""


class ProviderHttp:
    """Sends single requests, each over a connection of its own."""

    def __init__(self, ca_file: str | None, *, step_s: float = STEP_S, whole_s: float = WHOLE_S):
        self._ca_file = ca_file
        self._step_s = step_s
        self._whole_s = whole_s

    def get(self, url: str, kind: type[AnswerT]) -> AnswerT:
        """Return a JSON document; raise `ProviderError`."""
        status, body = self._ask("GET", url, None, {})
        if status != 200:
            raise ProviderError(f"{_place(url)} answers {status}")
        return _read(url, body, kind)

    def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str], kind: type[AnswerT]
    ) -> AnswerT:
        """Send a form and return the JSON document in answer; raise `ProviderError`."""
        named = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        status, body = self._ask("POST", url, urlencode(form).encode(), named)
        if status != 200:
            raise ProviderError(f"{_place(url)} answers {status}: {_reason(body)}")
        return _read(url, body, kind)

    def _ask(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        if not is_safe_url(url):
            raise ProviderError(f"{url!a} is neither https nor on this machine")
        parts = urlsplit(url)
        try:
            connection = self._connection(parts)
            with _ended_after(self._whole_s, connection):
                path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
                wanted = {"Accept": "application/json", "Connection": "close", **headers}
                connection.request(method, path, body, wanted)
                answer = connection.getresponse()
                return answer.status, _bounded(url, answer)
        except (OSError, HTTPException, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise ProviderError(f"{_place(url)} cannot be reached: {reason}") from error

    def _connection(self, parts: SplitResult) -> HTTPConnection:
        host = parts.hostname or ""
        if parts.scheme == "http":
            return HTTPConnection(host, parts.port, timeout=self._step_s)
        context = ssl.create_default_context(cafile=self._ca_file)
        return HTTPSConnection(host, parts.port, timeout=self._step_s, context=context)


class _ended_after:  # noqa: N801 - used like a function
    """Connects, and shuts the connection down when the whole exchange takes too long.

    The time-outs of a socket bound each step only: a byte now and then would keep it for hours.
    """

    def __init__(self, seconds: float, connection: HTTPConnection) -> None:
        self._connection = connection
        # A second handle on the same connection: http.client gives its own away.
        self._twin: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()
        try:
            self._connection.connect()
            own = self._connection.sock
            self._twin = socket.fromfd(own.fileno(), own.family, own.type)
        except BaseException:
            self._end()
            raise

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._timer.cancel()
        if self._twin is not None:
            self._twin.close()
        self._connection.close()

    def _shut(self) -> None:
        sock = self._twin or self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError, ValueError):
                sock.shutdown(socket.SHUT_RDWR)


def _bounded(url: str, answer: HTTPResponse) -> bytes:
    body = answer.read(MAX_ANSWER_BYTES + 1)
    if len(body) > MAX_ANSWER_BYTES:
        raise ProviderError(f"{_place(url)} answers with more than {MAX_ANSWER_BYTES} bytes")
    return body


def _read(url: str, body: bytes, kind: type[AnswerT]) -> AnswerT:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ProviderError(f"{_place(url)} answers what cannot be used: {error}") from error


def _reason(body: bytes) -> str:
    """Return the code of an error answer (RFC 6749, 5.2), nothing else of it."""
    try:
        code = msgspec.json.decode(body, type=dict[str, object]).get("error")
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return "no reason given"
    return ascii(code[:64]) if isinstance(code, str) else "no reason given"


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
