"""Status, statistics and versions."""

import flask

from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import reply


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("broker", __name__, url_prefix="/api/broker")

    @routes.get("/status")
    def status() -> flask.Response:
        return reply(parts.state.broker_status())

    @routes.get("/stats")
    def stats() -> flask.Response:
        return reply(parts.state.broker_stats())

    @routes.get("/version")
    def version() -> flask.Response:
        return reply(parts.state.version())

    return routes
