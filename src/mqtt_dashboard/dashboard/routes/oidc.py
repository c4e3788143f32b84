"""To the OpenID Connect provider and back; whatever fails leads to the page, which says why.

Redirects to the page are relative, so that they stay below whatever path a proxy serves it at.
"""

from dataclasses import replace

import flask
from werkzeug.wrappers import Response

from mqtt_dashboard.config_oidc import CALLBACK_PATH
from mqtt_dashboard.dashboard.auth.oidc import UNDER_WAY_S, OidcError, Visit, safe_page
from mqtt_dashboard.dashboard.auth.parts import AuthParts
from mqtt_dashboard.dashboard.auth.principal import TooManyError, digest_of
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import refuse
from mqtt_dashboard.errors import BusError

# From /api/auth/oidc/… to the folder of the page.
HOME = "../../.."
UNDER_WAY = "-oidc"


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("oidc", __name__, url_prefix="/api/auth/oidc")
    gateway = Gateway(parts)
    routes.add_url_rule("/start", "start", gateway.start, methods=["GET"])
    routes.add_url_rule("/callback", "callback", gateway.callback, methods=["GET"])
    return routes


class Gateway:
    """Sends browsers to the provider and takes them back."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._auth = parts.auth

    def start(self) -> Response:
        """Answer ``GET /api/auth/oidc/start``: go to the provider."""
        if self._auth.oidc is None:
            return _no_provider()
        page = safe_page(flask.request.args.get("next", "/"))
        now = self._auth.recognition.session_secret(flask.request.environ)
        session = None if now is None else digest_of(now)
        try:
            kept, location = self._auth.oidc.begin(page, redirect_uri(self._auth), session)
        except OidcError as error:
            return _to_page(f"/?sign_in={error.reason}")
        answer = _redirect(location)
        self._keep(answer, kept, UNDER_WAY_S)
        return answer

    def callback(self) -> Response:
        """Answer ``GET /api/auth/oidc/callback``: begin a session, or say why not."""
        if self._auth.oidc is None:
            return _no_provider()
        kept = flask.request.cookies.get(self._cookie, "")
        agent = flask.request.headers.get("User-Agent", "")
        visit = Visit(redirect_uri(self._auth), self._parts.address(), agent)
        try:
            secret, page = self._auth.oidc.finish(flask.request.args, kept, visit)
        except OidcError as error:
            self._parts.auditor.refused_sign_in("", visit.address, f"provider: {error.reason}")
            answer = _to_page(f"/?sign_in={error.reason}")
        else:
            record_sign_in(self._parts, secret)
            answer = _to_page(page)
            set_cookie(answer, self._auth.recognition.cookie_name(flask.request.environ), secret)
        # It was good for one answer only, whatever that was.
        self._keep(answer, "", 0)
        return answer

    @property
    def _cookie(self) -> str:
        return self._auth.recognition.cookie_name(flask.request.environ) + UNDER_WAY

    def _keep(self, answer: Response, kept: str, seconds: int) -> None:
        # Lax: the way back from the provider is a navigation from another site.
        set_cookie(answer, self._cookie, kept, seconds, samesite="Lax")


def record_sign_in(parts: Parts, secret: str) -> None:
    """Write a new session down; when that is impossible it ends, and the error is raised."""
    principal = replace(parts.auth.recognition.by_secret(secret), address=parts.address())
    try:
        parts.auditor.signed_in(principal)
    except (BusError, TooManyError):
        parts.auth.store.sessions.end(digest_of(secret), principal.account)
        raise


def redirect_uri(auth: AuthParts) -> str:
    """Return where the provider sends browsers back to: as set, or as the browser came here."""
    given = auth.settings.oidc_redirect_url
    request = flask.request
    return given or f"{request.scheme}://{request.host}{request.root_path}{CALLBACK_PATH}"


def set_cookie(
    answer: Response,
    name: str,
    value: str,
    max_age: int | None = None,
    samesite: str = "Strict",
) -> None:
    """Set a cookie that no script reads; without ``max_age`` it ends with the browser."""
    answer.set_cookie(
        name,
        value,
        max_age=max_age,
        path="/",
        secure=flask.request.is_secure,
        httponly=True,
        samesite=samesite,
    )


def _to_page(page: str) -> Response:
    return _redirect(f"{HOME}{page}")


def _redirect(location: str) -> Response:
    answer = flask.Response(status=302)
    answer.headers["Location"] = location
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _no_provider() -> Response:
    return refuse(404, "no_provider", "no OpenID Connect provider is set up here (OIDC_ISSUER)")
