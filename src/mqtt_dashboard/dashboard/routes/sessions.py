"""Everybody's sessions, for administrators."""

import flask

from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import BadQueryError, reply
from mqtt_dashboard.dashboard.routes.users import install_refusals


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("sessions", __name__, url_prefix="/api/sessions")
    held = parts.auth.held_sessions
    install_refusals(routes)

    @routes.get("")
    def sessions() -> flask.Response:
        return reply(held.all(current().session))

    @routes.delete("")
    def end() -> flask.Response:
        account, identity = flask.request.args.get("account"), flask.request.args.get("id")
        if not account:
            raise BadQueryError("name the account whose sessions are to end", "account")
        detail = "all sessions" if identity is None else f"session {identity}"
        with parts.auditor.deed(current(), "sessions_end", account, detail):
            held.end(account, identity)
        return reply(held.all(current().session))

    return routes
