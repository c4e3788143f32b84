"""Who may talk to the dashboard, before any of its code runs; and the headers of every answer.

The gate refuses foreign Host names (DNS rebinding), foreign origins on writes and on the websocket
upgrade, and what a browser itself marks as cross-site. Programs that send no Origin are let in.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from mqtt_dashboard.config import LOOPBACK
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.api import ErrorReply
from mqtt_dashboard.dashboard import intake
from mqtt_dashboard.dashboard.auth.addresses import Addresses
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
    "form-action 'self'; frame-ancestors {ancestors}; require-trusted-types-for 'script'; "
    # Vue makes one policy of this name when it is loaded; nobody else may make any.
    "trusted-types vue"
)
_FIXED: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def headers(frame_ancestors: Iterable[str] = ()) -> dict[str, str]:
    """Return the headers of every answer; only the named origins may frame the page."""
    ancestors = " ".join(frame_ancestors)
    policy = CONTENT_SECURITY_POLICY.format(ancestors=ancestors or "'none'")
    # X-Frame-Options knows no list; where somebody may frame, the policy alone decides.
    framing = {} if ancestors else {"X-Frame-Options": "DENY"}
    return {"Content-Security-Policy": policy, **framing, **_FIXED}


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
            parts = urlsplit(f"//{host}")
            name, _ = parts.hostname, parts.port
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
            if origin.lower() == f"https://{host}".lower():
                told = "list the proxy that speaks https for this page in TRUSTED_PROXIES"
            else:
                told = "list it in DASHBOARD_ALLOWED_ORIGINS if it should"
            return f"the origin {origin!a} may not do this; {told}"
        if environ.get("HTTP_SEC_FETCH_SITE", "none") not in {"same-origin", "none"}:
            return "another site's page may not do this"
        return None


class Gate:
    """The outermost WSGI layer: nothing foreign gets past it."""

    def __init__(
        self,
        app: WsgiApp,
        door: Door,
        counters: Counters,
        answer_headers: Mapping[str, str],
        addresses: Addresses,
        base_path: str = "",
    ) -> None:
        self._app = app
        self._door = door
        self._addresses = addresses
        self._counters = counters
        self._headers = answer_headers
        self._base_path = base_path

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Refuse with 403 or 415, or pass on."""
        environ["wsgi.url_scheme"] = self._addresses.scheme(environ)
        refusal = self._door.refusal(environ)
        if refusal is not None:
            self._counters.add("requests_refused", "door")
            reply = ErrorReply(error="forbidden", message=refusal)
            return _refused("403 Forbidden", reply, start_response, self._headers)
        if intake.is_packed(environ):
            self._counters.add("requests_refused", "compressed")
            reply = ErrorReply(error="compressed", message="send the body without compression")
            status = "415 Unsupported Media Type"
            return _refused(status, reply, start_response, self._headers)
        intake.bound(environ)
        self._enter(environ)
        if is_upgrade(environ):
            prepare_upgrade(environ)
        return self._app(environ, start_response)

    def _enter(self, environ: Environ) -> None:
        """Take off the path the proxy hands on; one that strips it is fine, too."""
        path, base = str(environ.get("PATH_INFO", "")), self._base_path
        if base and (path == base or path.startswith(f"{base}/")):
            environ["SCRIPT_NAME"] = base
            environ["PATH_INFO"] = path[len(base) :]


def is_upgrade(environ: Environ) -> bool:
    """Tell whether a request asks for a websocket."""
    return str(environ.get("HTTP_UPGRADE", "")).lower() == "websocket"


def _refused(
    status: str, reply: ErrorReply, start_response: StartResponse, answer_headers: Mapping[str, str]
) -> list[bytes]:
    body = codec.encode(reply)
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *answer_headers.items(),
    ]
    start_response(status, headers)
    return [body]
