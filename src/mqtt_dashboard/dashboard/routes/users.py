"""Users, for administrators."""

import flask

from mqtt_dashboard.contract.auth import UserChange, UserCreate, UsersReply, in_words
from mqtt_dashboard.dashboard import bodies
from mqtt_dashboard.dashboard.auth.accounts import AccountError, UnknownAccountError
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import refuse, reply


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("users", __name__, url_prefix="/api/users")
    accounts = parts.auth.accounts
    install_refusals(routes)

    @routes.get("")
    def users() -> flask.Response:
        return reply(UsersReply(users=accounts.users()))

    @routes.post("")
    def add() -> flask.Response:
        request = bodies.read(UserCreate)
        with parts.auditor.deed(current(), "user_add", request.name, f"role {request.role}"):
            return reply(accounts.add(request), 201)

    @routes.patch("/<name>")
    def change(name: str) -> flask.Response:
        request = bodies.read(UserChange)
        told = "; ".join(filter(None, (in_words(request), accounts.consequences(name, request))))
        with parts.auditor.deed(current(), "user_change", name, told):
            return reply(accounts.change(name, request))

    @routes.delete("/<name>")
    def remove(name: str) -> flask.Response:
        told = accounts.consequences(name, None)
        with parts.auditor.deed(current(), "user_remove", name, told):
            ended = accounts.remove(name)
        return reply(UsersReply(users=accounts.users(), ended_tokens=ended))

    @routes.delete("/<name>/sessions")
    def sign_out(name: str) -> flask.Response:
        with parts.auditor.deed(current(), "sessions_end", name, "all sessions"):
            return reply(accounts.sign_out(name))

    return routes


def install_refusals(routes: flask.Blueprint) -> None:
    """Answer in words when users or tokens cannot be changed as asked."""

    @routes.errorhandler(bodies.BodyError)
    def unusable(error: bodies.BodyError) -> flask.Response:
        return error.answer

    @routes.errorhandler(UnknownAccountError)
    def unknown(error: UnknownAccountError) -> flask.Response:
        return refuse(404, "not_found", str(error))

    @routes.errorhandler(AccountError)
    def refused(error: AccountError) -> flask.Response:
        if error.field is not None and error.field != "name":
            return refuse(422, "invalid", str(error), error.field)
        return refuse(409, "conflict", str(error), error.field)
