"""Publish one message and wait for what becomes of it."""

from typing import Final

import flask

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.api import PublishRequest
from mqtt_dashboard.contract.commands import CommandState
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.publisher import FieldError, UnavailableError
from mqtt_dashboard.dashboard.responses import refuse, reply
from mqtt_dashboard.errors import ContractError

STATUS: Final[dict[CommandState, int]] = {
    "acked": 200,
    "sent": 200,
    "failed": 502,
    "expired": 504,
    "indeterminate": 504,
}


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("messages", __name__)

    @routes.post("/api/messages/publish")
    def publish() -> flask.Response:
        if flask.request.mimetype != "application/json":
            return refuse(415, "not_json", "send the body as application/json")
        body = flask.request.get_data()
        try:
            request = codec.decode(body, PublishRequest)
        except ContractError as error:
            return _invalid(body, str(error))
        try:
            result = parts.publisher.publish(request)
        except FieldError as error:
            return refuse(422, "invalid", str(error), error.field)
        except UnavailableError as error:
            return refuse(503, "unavailable", str(error))
        return reply(result, STATUS[result.state])

    return routes


def _invalid(body: bytes, message: str) -> flask.Response:
    """Tell broken JSON (400) from a wrong field (422), which msgspec names as `$.field`."""
    try:
        codec.decode(body, dict[str, object])
    except ContractError:
        return refuse(400, "not_json", f"the body must be a JSON object: {message}")
    _, _, path = message.partition("`$.")
    name = path.partition("`")[0] or _quoted(message)
    return refuse(422, "invalid", message, name or None)


def _quoted(message: str) -> str:
    """Return the field of "missing required field `x`" and "unknown field `x`"."""
    return message.partition("field `")[2].partition("`")[0]
