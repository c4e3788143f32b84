"""Sign in, sign out, who am I, my sessions, my password."""

import flask

from mqtt_dashboard.contract.auth import (
    LoginRequest,
    MeReply,
    PasswordRequest,
    SessionInfo,
    SessionsReply,
    SignInMode,
    UserChange,
)
from mqtt_dashboard.dashboard import bodies
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.auth.held_sessions import public_id
from mqtt_dashboard.dashboard.auth.principal import (
    ForbiddenError,
    Principal,
    SignInError,
    digest_of,
)
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import refuse, reply
from mqtt_dashboard.dashboard.routes.oidc import record_sign_in, redirect_uri, set_cookie


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("auth", __name__, url_prefix="/api/auth")
    desk = Desk(parts)
    routes.add_url_rule("/me", "me", desk.me, methods=["GET"])
    routes.add_url_rule("/login", "login", desk.login, methods=["POST"])
    routes.add_url_rule("/logout", "logout", desk.logout, methods=["POST"])
    routes.add_url_rule("/password", "password", desk.password, methods=["POST"])
    routes.add_url_rule("/sessions", "sessions", desk.sessions, methods=["GET"])
    routes.add_url_rule("/sessions", "end_sessions", desk.end_sessions, methods=["DELETE"])

    @routes.errorhandler(bodies.BodyError)
    def unusable(error: bodies.BodyError) -> flask.Response:
        return error.answer

    return routes


class Desk:
    """Where people show who they are."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._auth = parts.auth
        self._sessions = parts.auth.store.sessions

    def me(self) -> flask.Response:
        """Answer ``GET /api/auth/me``."""
        try:
            principal = self._auth.recognition.of(flask.request.environ)
        except SignInError:
            return reply(self._nobody())
        return reply(self._who(principal))

    def login(self) -> flask.Response:
        """Answer ``POST /api/auth/login``: always a new session, and the one before ends."""
        if not self._auth.recognition.required:
            return refuse(409, "no_sign_in", "nobody needs to sign in here (AUTH_MODE)")
        request = bodies.read(LoginRequest)
        agent = flask.request.headers.get("User-Agent", "")
        address = self._parts.address()
        try:
            secret, _ = self._auth.sign_in.login(request, address, agent)
        except SignInError as error:
            # What is no user's name may have been a password.
            name = request.name if self._auth.store.user(request.name) else ""
            self._parts.auditor.refused_sign_in(name, address, str(error))
            raise
        record_sign_in(self._parts, secret)
        self._end_current()
        return self._with_session(secret)

    def logout(self) -> flask.Response:
        """Answer ``POST /api/auth/logout``; fine also when there is no session any more."""
        ended, oidc = self._sign_out(), self._auth.oidc
        sign_out_at = None
        if ended is not None and ended.kind == "oidc" and oidc is not None:
            sign_out_at = oidc.sign_out_at(redirect_uri(self._auth))
        answer = reply(self._nobody(sign_out_at))
        self._set_cookie(answer, "", max_age=0)
        return answer

    def password(self) -> flask.Response:
        """Answer ``POST /api/auth/password``: all sessions of this user end, a new one begins."""
        principal = current()
        if principal.kind != "password":
            raise ForbiddenError("only who signed in with a password can change it")
        request = bodies.read(PasswordRequest)
        address = self._parts.address()
        try:
            self._auth.sign_in.check_password(principal.name, request.old, address)
        except SignInError as error:
            return refuse(422, "invalid", str(error), "old")
        change = UserChange(password=request.new)
        with self._parts.auditor.deed(principal, "password", principal.name):
            self._auth.accounts.change(principal.name, change)
        user = self._auth.store.user(principal.name)
        if user is None:
            raise SignInError("you were removed meanwhile")
        agent = flask.request.headers.get("User-Agent", "")
        secret, _ = self._auth.sign_in.begin(user, address, agent)
        return self._with_session(secret)

    def sessions(self) -> flask.Response:
        """Answer ``GET /api/auth/sessions``."""
        principal = current()
        known = [] if principal.session is None else self._sessions.of_user(principal.account)
        return reply(
            SessionsReply(
                sessions=[
                    SessionInfo(
                        id=public_id(digest),
                        created_at=session.created_at,
                        expires_at=session.expires_at,
                        address=session.address,
                        agent=session.agent,
                        current=digest == principal.session,
                    )
                    for digest, session in known
                ]
            )
        )

    def end_sessions(self) -> flask.Response:
        """Answer ``DELETE /api/auth/sessions``: the one named by ``id``, else all but this one."""
        principal, wanted = current(), flask.request.args.get("id")
        if principal.session is None:
            raise ForbiddenError("only who signed in here has sessions to end")
        known = self._sessions.of_user(principal.account)
        chosen = [
            digest
            for digest, _ in known
            if public_id(digest) == wanted or (wanted is None and digest != principal.session)
        ]
        if wanted is not None and not chosen:
            return refuse(404, "not_found", "you have no such session", "id")
        if not chosen:
            return self.sessions()
        detail = f"{len(chosen)} sessions"
        with self._parts.auditor.deed(principal, "sessions_end", principal.name, detail):
            for digest in chosen:
                self._sessions.end(digest, principal.account)
        return self.sessions()

    @property
    def _mode(self) -> SignInMode:
        return "required" if self._auth.recognition.required else "anonymous"

    def _nobody(self, sign_out_at: str | None = None) -> MeReply:
        provider = self._auth.provider_name
        mode = self._mode
        return MeReply(mode=mode, signed_in=False, provider=provider, sign_out_at=sign_out_at)

    def _who(self, principal: Principal) -> MeReply:
        return MeReply(
            mode=self._mode,
            signed_in=True,
            name=principal.name,
            role=principal.role,
            kind=principal.kind,
            read=principal.read,
            publish=principal.publish,
            expires_at=principal.expires_at,
            provider=self._auth.provider_name,
        )

    def _with_session(self, secret: str) -> flask.Response:
        principal = self._auth.recognition.by_secret(secret)
        answer = reply(self._who(principal))
        self._set_cookie(answer, secret)
        return answer

    def _sign_out(self) -> Principal | None:
        try:
            principal = self._auth.recognition.of(flask.request.environ)
        except SignInError:
            return None
        if principal.session is None:
            return None
        with self._parts.auditor.deed(principal, "sign_out", principal.name):
            return self._end_current()

    def _end_current(self) -> Principal | None:
        secret = self._auth.recognition.session_secret(flask.request.environ)
        if secret is None:
            return None
        digest = digest_of(secret)
        try:
            principal = self._auth.recognition.by_secret(secret)
        except SignInError:
            return None
        self._sessions.end(digest, principal.account)
        return principal

    def _set_cookie(self, answer: flask.Response, secret: str, max_age: int | None = None) -> None:
        name = self._auth.recognition.cookie_name(flask.request.environ)
        set_cookie(answer, name, secret, max_age)
