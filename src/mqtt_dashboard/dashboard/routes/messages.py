"""Publish one message and wait for what becomes of it."""

from typing import Final

import flask

from mqtt_dashboard.contract.api import PublishRequest
from mqtt_dashboard.contract.commands import CommandState
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.commander import UnavailableError
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import read_body, refuse, reply
from mqtt_dashboard.errors import FieldRefusedError

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
        request = read_body(PublishRequest)
        if isinstance(request, flask.Response):
            return request
        try:
            result = parts.publisher.publish(current(), request)
        except FieldRefusedError as error:
            return refuse(422, "invalid", str(error), error.field)
        except UnavailableError as error:
            return refuse(503, "unavailable", str(error))
        return reply(result, STATUS[result.state])

    return routes
