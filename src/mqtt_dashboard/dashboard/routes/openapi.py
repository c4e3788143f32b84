"""The OpenAPI document, made from the contract at start."""

import flask

from mqtt_dashboard import __version__
from mqtt_dashboard.contract import export


def blueprint() -> flask.Blueprint:
    """Return the route."""
    routes = flask.Blueprint("openapi", __name__)
    document = export.render_openapi(__version__)

    @routes.get("/openapi.json")
    def openapi() -> flask.Response:
        return flask.Response(document, mimetype="application/json")

    return routes
