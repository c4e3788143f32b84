"""Durable commands over HTTP: accepted at once, the result when it is asked for."""

import re
from collections.abc import Callable
from typing import Final, NoReturn

import flask

from mqtt_dashboard.contract.orders import (
    MAX_WAIT_S,
    CommandRecord,
    CommandRequest,
    CommandsReply,
)
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.auth.publishing import sees
from mqtt_dashboard.dashboard.commander import (
    KeyTakenError,
    NoRoomError,
    NotDurableError,
    UnavailableError,
)
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.queries import whole_number
from mqtt_dashboard.dashboard.responses import read_body, refuse, reply
from mqtt_dashboard.errors import FieldRefusedError, QueueFullError

KEY: Final = "Idempotency-Key"
ID: Final = re.compile(r"\A[A-Za-z0-9_.:-]{1,64}\Z")
DEFAULT_LISTED: Final = 50
MAX_LISTED: Final = 500


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("commands", __name__)

    @routes.post("/api/commands")
    def send() -> flask.Response:
        return _answer(lambda: _send(parts))

    @routes.get("/api/commands/<command_id>")
    def one(command_id: str) -> flask.Response:
        return _answer(lambda: _one(parts, command_id))

    @routes.get("/api/commands")
    def recent() -> flask.Response:
        return _answer(lambda: reply(_recent(parts)))

    return routes


def _answer(serve: Callable[[], flask.Response]) -> flask.Response:
    """Serve a request; every refusal becomes an answer in words."""
    status = 422 if flask.request.method == "POST" else 400
    try:
        return serve()
    except FieldRefusedError as error:
        return refuse(status, "invalid", str(error), error.field)
    except KeyTakenError as error:
        return refuse(409, "key_taken", str(error), KEY)
    except NoRoomError as error:
        return refuse(503, "full", str(error))
    except NotDurableError as error:
        return refuse(503, "not_durable", str(error))
    except (UnavailableError, QueueFullError) as error:
        return refuse(503, "unavailable", str(error))


def _send(parts: Parts) -> flask.Response:
    request = read_body(CommandRequest)
    if isinstance(request, flask.Response):
        return request
    record = parts.publisher.accept(current(), request, flask.request.headers.get(KEY))
    known = record.repeated and record.finished_at is not None
    response = reply(record, 200 if known else 202)
    response.headers["Location"] = f"{parts.page_settings.base_path}/api/commands/{record.id}"
    return response


def _one(parts: Parts, command_id: str) -> flask.Response:
    record = _look(parts, command_id, _number("wait", 0.0, 0.0, MAX_WAIT_S))
    if record is None:
        return refuse(404, "not_found", "there is no record of this command (any more)")
    return reply(record)


def _recent(parts: Parts) -> CommandsReply:
    who, limit = current(), whole_number("limit", DEFAULT_LISTED, MAX_LISTED)
    # To others how many wait would tell of commands they do not see.
    counted = who.sees_all_commands
    return parts.commander.recent(limit, lambda one: sees(who, one), counted=counted)


def _look(parts: Parts, command_id: str, seconds: float) -> CommandRecord | None:
    if not ID.match(command_id) or parts.publisher.find(current(), command_id) is None:
        return None
    if seconds <= 0:
        return parts.commander.get(command_id)
    with parts.commander.board.place(command_id, current().visitor) as event:
        parts.commander.wait(command_id, seconds, event)
    # Whoever asked may have been signed out while this waited.
    return parts.publisher.find(parts.publisher.still(current()), command_id)


def _number(name: str, default: float, lowest: float, highest: float) -> float:
    text = flask.request.args.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        _out_of_range(name, lowest, highest)
    # Not a number is not within any range.
    if not lowest <= value <= highest:
        _out_of_range(name, lowest, highest)
    return value


def _out_of_range(name: str, lowest: float, highest: float) -> NoReturn:
    raise FieldRefusedError(name, f"{name} must be a number from {lowest:g} to {highest:g}")
