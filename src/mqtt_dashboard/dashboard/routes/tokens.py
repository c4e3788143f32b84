"""API tokens, for administrators."""

import flask

from mqtt_dashboard.contract.auth import TokenCreate, TokenCreated, TokensReply
from mqtt_dashboard.dashboard import bodies
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import reply
from mqtt_dashboard.dashboard.routes.users import install_refusals


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("tokens", __name__, url_prefix="/api/tokens")
    accounts = parts.auth.accounts
    install_refusals(routes)

    @routes.get("")
    def tokens() -> flask.Response:
        return reply(TokensReply(tokens=accounts.tokens()))

    @routes.post("")
    def create() -> flask.Response:
        request = bodies.read(TokenCreate)
        with parts.auditor.deed(current(), "token_add", request.label, f"role {request.role}"):
            who = current()
            text, info = accounts.create_token(request, who.name, who.maker)
        return reply(TokenCreated(token=text, info=info), 201)

    @routes.delete("/<identity>")
    def revoke(identity: str) -> flask.Response:
        with parts.auditor.deed(current(), "token_revoke", identity):
            ended = accounts.revoke_token(identity)
        return reply(TokensReply(tokens=accounts.tokens(), ended_tokens=ended))

    return routes
