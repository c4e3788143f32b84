"""MQTT clients as far as the broker lets them be known."""

import flask

from mqtt_dashboard.dashboard.auth import redaction
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import reply


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("clients", __name__)

    @routes.get("/api/clients")
    def clients() -> flask.Response:
        return reply(redaction.clients(parts.state.client_list(), current()))

    return routes
