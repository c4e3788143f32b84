"""Answers over HTTP: Structs as JSON, errors as `ErrorReply`, never a page for a program."""

from collections.abc import Mapping
from typing import TypeVar

import flask
import msgspec
from werkzeug.exceptions import HTTPException

from mqtt_dashboard import logs
from mqtt_dashboard.contract import codec, plain_words
from mqtt_dashboard.contract.api import ErrorReply
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.errors import BusError, ContractError, TooManyAtOnceError

BodyT = TypeVar("BodyT", bound=msgspec.Struct)
_log = logs.get(__name__)


class BadQueryError(Exception):
    """A query parameter cannot be used; the text says why."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def reply(document: msgspec.Struct, status: int = 200) -> flask.Response:
    """Return a document of the contract as JSON; it is never cached."""
    response = flask.Response(codec.encode(document), status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def refuse(status: int, error: str, message: str, field: str | None = None) -> flask.Response:
    """Return a refusal: a short code and a sentence that says what to do."""
    return reply(ErrorReply(error=error, message=message, field=field), status)


def read_body(kind: type[BodyT]) -> BodyT | flask.Response:
    """Return the request's JSON body as a type of the contract, or the refusal."""
    if flask.request.mimetype != "application/json":
        return refuse(415, "not_json", "send the body as application/json")
    body = flask.request.get_data()
    try:
        return codec.decode(body, kind)
    except ContractError as error:
        return _invalid(body, str(error))


def _invalid(body: bytes, message: str) -> flask.Response:
    """Tell broken JSON (400) from a wrong field (422)."""
    try:
        codec.decode(body, dict[str, object])
    except ContractError:
        return refuse(400, "not_json", f"the body must be a JSON object: {message}")
    found = plain_words.told(message)
    return refuse(422, "invalid", found.words, found.field)


def install(app: flask.Flask, counters: Counters, answer_headers: Mapping[str, str]) -> None:
    """Attach the error answers and the headers of every answer."""

    def on_http_error(error: HTTPException) -> flask.Response:
        status = error.code or 500
        code = error.name.lower().replace(" ", "_")
        return refuse(status, code, error.description or error.name)

    def on_bad_query(error: BadQueryError) -> flask.Response:
        return refuse(400, "invalid", str(error), error.field)

    def on_bus_error(error: BusError) -> flask.Response:
        return refuse(503, "redis_unavailable", error.reason)

    def on_too_many_at_once(error: TooManyAtOnceError) -> flask.Response:
        counters.add("requests_refused", "too_many_at_once")
        answer = refuse(429, "too_many", error.reason)
        answer.headers["Retry-After"] = "1"
        return answer

    def on_any_error(_error: Exception) -> flask.Response:
        counters.add("loop_failures", "route")
        _log.exception("route.failed", path=flask.request.path)
        return refuse(500, "internal_error", "an error happened; the dashboard's log has more")

    def add_headers(response: flask.Response) -> flask.Response:
        for name, value in answer_headers.items():
            response.headers.setdefault(name, value)
        return response

    app.register_error_handler(HTTPException, on_http_error)
    app.register_error_handler(BadQueryError, on_bad_query)
    app.register_error_handler(BusError, on_bus_error)
    app.register_error_handler(TooManyAtOnceError, on_too_many_at_once)
    app.register_error_handler(Exception, on_any_error)
    app.after_request(add_headers)
