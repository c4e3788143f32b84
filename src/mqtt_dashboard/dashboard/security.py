"""Who may talk to the dashboard, before any of its code runs; and the headers of every answer.

The gate refuses foreign Host names (DNS rebinding), foreign origins on writes and on the websocket
upgrade, and what a browser itself marks as cross-site. Programs that send no Origin are let in.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from mqtt_dashboard.config import LOOPBACK
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.api import ErrorReply
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.wire import prepare_upgrade

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

HOST: Final = re.compile(r"\A[A-Za-z0-9._\[\]:-]+\Z")
SAFE_METHODS: Final = {"GET", "HEAD", "OPTIONS"}
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Door:
    """Which Host names and origins are ours."""

    def __init__(self, allowed_hosts: Iterable[str], allowed_origins: Iterable[str]) -> None:
        self._hosts = {name.lower() for name in allowed_hosts} | LOOPBACK
        self._origins = {origin.rstrip("/").lower() for origin in allowed_origins}

    def host_allowed(self, host: str) -> bool:
        """Tell whether a Host header is ours: a listed name, or an address.

        An address is always fine: rebinding needs a name that the attacker controls.
        """
        if not HOST.match(host):
            return False
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name or "")
        except ValueError:
            return False
        return True

    def origin_allowed(self, origin: str, environ: Environ) -> bool:
        """Tell whether a page of this origin may write and open the live channel."""
        own = f"{environ.get('wsgi.url_scheme', 'http')}://{environ.get('HTTP_HOST', '')}"
        return origin.lower() == own.lower() or origin.lower() in self._origins

    def refusal(self, environ: Environ) -> str | None:
        """Return why a request is not let in, None when it is."""
        host = environ.get("HTTP_HOST", "")
        if not self.host_allowed(host):
            return (
                f"the host name {host!a} is not served here; "
                "list it in DASHBOARD_ALLOWED_HOSTS if it should be"
            )
        if environ.get("REQUEST_METHOD") in SAFE_METHODS and not is_upgrade(environ):
            return None
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None:
            if self.origin_allowed(origin, environ):
                return None
            return (
                f"the origin {origin!a} may not do this; "
                "list it in DASHBOARD_ALLOWED_ORIGINS if it should"
            )
        if environ.get("HTTP_SEC_FETCH_SITE", "none") not in {"same-origin", "none"}:
            return "another site's page may not do this"
        return None


class Gate:
    """The outermost WSGI layer: nothing foreign gets past it."""

    def __init__(self, app: WsgiApp, door: Door, counters: Counters) -> None:
        self._app = app
        self._door = door
        self._counters = counters

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Refuse with 403 or pass on."""
        refusal = self._door.refusal(environ)
        if refusal is not None:
            self._counters.add("requests_refused", "door")
            return _forbidden(refusal, start_response)
        if is_upgrade(environ):
            prepare_upgrade(environ)
        return self._app(environ, start_response)


def is_upgrade(environ: Environ) -> bool:
    """Tell whether a request asks for a websocket."""
    return str(environ.get("HTTP_UPGRADE", "")).lower() == "websocket"


def _forbidden(message: str, start_response: StartResponse) -> list[bytes]:
    body = codec.encode(ErrorReply(error="forbidden", message=message))
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *HEADERS.items(),
    ]
    start_response("403 Forbidden", headers)
    return [body]
