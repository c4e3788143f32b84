"""Stands before every HTTP route and every websocket: recognises who asks, judges what for."""

from collections.abc import Iterable, Mapping
from typing import Final

import flask

from mqtt_dashboard.bus.shares import asking
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.api import ErrorReply
from mqtt_dashboard.dashboard import upgrades
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.auth.addresses import bucket_of
from mqtt_dashboard.dashboard.auth.limiting import RequestLimits
from mqtt_dashboard.dashboard.auth.permissions import ROUTES, Permission
from mqtt_dashboard.dashboard.auth.principal import (
    ANONYMOUS,
    ForbiddenError,
    Principal,
    SignInError,
    TooManyError,
)
from mqtt_dashboard.dashboard.auth.recognition import Recognition
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.responses import refuse
from mqtt_dashboard.dashboard.security import Environ, StartResponse, WsgiApp
from mqtt_dashboard.errors import BusError, TooManyAtOnceError

READING: Final = {"HEAD": "GET", "OPTIONS": "GET"}
# Strangers only ever send a name and a password.
PUBLIC_BODY_BYTES: Final = 16 * 1024
SOCKETS: Final = "/socket.io"
# Never limited: a flood must not make a supervisor restart what works.
PROBES: Final = {"/health", "/healthz", "/readyz"}


class Guard:
    """Judges requests by the table of permissions."""

    def __init__(
        self,
        recognition: Recognition,
        limits: RequestLimits,
        counters: Counters,
        auditor: Auditor,
    ) -> None:
        self._recognition = recognition
        self._limits = limits
        self._counters = counters
        self._auditor = auditor

    def install(self, app: flask.Flask) -> None:
        """Stand before all routes of an application."""
        app.before_request(self._judge)
        app.register_error_handler(SignInError, self._on_unknown)
        app.register_error_handler(ForbiddenError, self._on_forbidden)
        app.register_error_handler(TooManyError, _on_too_many)

    def recognise(self, environ: Environ) -> Principal:
        """Return who sends a request, counted against that one's limit."""
        address = self._recognition.addresses.of(environ)
        asking.set(bucket_of("address", address))
        try:
            principal = self._recognition.of(environ)
        except SignInError:
            self._limits.count_address(address)
            raise
        if principal.kind == "anonymous":
            self._limits.count_address(address)
        else:
            self._limits.count_user(principal.name, address)
        asking.set(principal.visitor)
        return principal

    def known(self, environ: Environ) -> Principal | None:
        """Return who sends a probe; None when nobody known does, or nobody can tell now."""
        if not self._recognition.required:
            return ANONYMOUS
        if not self._recognition.is_shown_something(environ):
            return None
        try:
            return self.recognise(environ)
        except (SignInError, TooManyError, TooManyAtOnceError, BusError):
            return None

    def _judge(self) -> None:
        rule = flask.request.url_rule
        if rule is None:
            return  # no such route, or not with this method: Flask says so
        method = READING.get(flask.request.method, flask.request.method)
        permission = ROUTES.get(f"{method} {rule.rule}")
        if permission is None:
            raise ForbiddenError("this route has no permission yet, so nobody may use it")
        if permission is Permission.PUBLIC:
            flask.request.max_content_length = PUBLIC_BODY_BYTES
            asking.set(None)
            if rule.rule not in PROBES:
                address = self._recognition.addresses.of(flask.request.environ)
                asking.set(bucket_of("address", address))
                self._limits.count_address(address)
            return
        principal = self.recognise(flask.request.environ)
        flask.g.principal = principal
        check_role(principal, permission, f"{method} {rule.rule}", self._auditor)

    def _on_unknown(self, error: SignInError) -> flask.Response:
        self._counters.add("requests_refused", "not_signed_in")
        answer = refuse(401, "not_signed_in", str(error))
        answer.headers["WWW-Authenticate"] = 'Bearer realm="MQTT Dashboard"'
        return answer

    def _on_forbidden(self, error: ForbiddenError) -> flask.Response:
        self._counters.add("requests_refused", "forbidden")
        return refuse(403, "forbidden", str(error))


class SocketDoor:
    """Lets only those open a websocket who are known, before anything is kept for them."""

    def __init__(
        self, app: WsgiApp, guard: Guard, counters: Counters, answer_headers: Mapping[str, str]
    ) -> None:
        self._app = app
        self._guard = guard
        self._counters = counters
        self._headers = answer_headers

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Refuse with 401, 429 or 503, or pass on."""
        if not str(environ.get("PATH_INFO", "")).startswith(SOCKETS):
            return self._app(environ, start_response)
        try:
            self._guard.recognise(environ)
        except SignInError as error:
            return self._refused(start_response, "401 Unauthorized", "not_signed_in", str(error))
        except (TooManyError, TooManyAtOnceError) as error:
            return self._refused(start_response, "429 Too Many Requests", "too_many", str(error))
        except BusError as error:
            text = error.reason
            return self._refused(
                start_response, "503 Service Unavailable", "redis_unavailable", text
            )
        wrong = upgrades.problem(environ)
        if wrong is not None:
            return self._refused(start_response, "400 Bad Request", "no_websocket", wrong)
        return self._app(environ, start_response)

    def _refused(
        self, start_response: StartResponse, status: str, code: str, text: str
    ) -> list[bytes]:
        self._counters.add("requests_refused", code)
        body = codec.encode(ErrorReply(error=code, message=text))
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            *self._headers.items(),
        ]
        start_response(status, headers)
        return [body]


def current() -> Principal:
    """Return who sends the request that is being answered; for routes that are not public."""
    principal = flask.g.principal
    assert isinstance(principal, Principal)
    return principal


def check_role(principal: Principal, permission: Permission, target: str, auditor: Auditor) -> None:
    """Raise `ForbiddenError`, and write it down, unless somebody has the role that is needed."""
    role = permission.role
    if role is not None and not principal.has_role(role):
        reason = f"this needs the role {role}; {principal.name} is {principal.role}"
        auditor.forbidden(principal, target, reason)
        raise ForbiddenError(reason)
    if permission is Permission.ACCOUNTS and not principal.accounts:
        reason = f"{principal.name} was not made for accounts: sign in, or make a token that is"
        auditor.forbidden(principal, target, reason)
        raise ForbiddenError(reason)


def _on_too_many(error: TooManyError) -> flask.Response:
    answer = refuse(429, "too_many", str(error))
    answer.headers["Retry-After"] = str(error.retry_after)
    return answer
