"""What any route of the HTTP interface may answer besides its own replies, by what it asks for."""

from typing import Any, Final

from msgspec import Struct

from mqtt_dashboard.contract.api import ErrorReply
from mqtt_dashboard.contract.routes import Route

Reply = tuple[str, type[Struct] | str]

# Answered to everybody; all other routes want to know who is asking.
PUBLIC: Final = frozenset(
    {
        "/health",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/api/auth/me",
        "/api/auth/login",
        "/api/auth/logout",
        "/api/auth/oidc/start",
        "/api/auth/oidc/callback",
    }
)
# Never limited, so that a flood does not make a supervisor restart what works.
PROBES: Final = frozenset({"/health", "/healthz", "/readyz"})

SECURITY_SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token, `mqd_…`; see `POST /api/tokens`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-mqtt-dashboard",
        "description": "The cookie of a sign-in; over plain HTTP its name is "
        "`mqtt-dashboard-<port>`.",
    },
}

_ALL: Final[dict[int, Reply]] = {
    403: (
        "A foreign host or page is asking, or the role or its filters do not allow it.",
        ErrorReply,
    ),
}
_KNOWN: Final[dict[int, Reply]] = {
    401: ("Nobody known is asking: sign in.", ErrorReply),
    503: ("Redis does not answer.", ErrorReply),
}
_LIMITED: Final[dict[int, Reply]] = {
    429: ("Too many; `Retry-After` says when again.", ErrorReply),
}
_WITH_BODY: Final[dict[int, Reply]] = {
    400: ("Not JSON.", ErrorReply),
    408: ("The body came too slowly.", ErrorReply),
    413: ("The body is too large.", ErrorReply),
    415: ("The body is not application/json, or it is compressed.", ErrorReply),
    422: ("A field is not valid.", ErrorReply),
}


def replies_of(route: Route) -> dict[int, Reply]:
    """Return all replies of a route; its own words come before the common ones."""
    found = dict(_ALL)
    if route.path not in PUBLIC:
        found |= _KNOWN
    if route.path not in PROBES:
        found |= _LIMITED
    if route.body is not None:
        found |= _WITH_BODY
    return found | route.replies


def security_of(route: Route) -> list[dict[str, list[str]]]:
    """Return what a route wants to be shown: one of these, or nothing."""
    return [] if route.path in PUBLIC else [{name: []} for name in SECURITY_SCHEMES]


def portable(schema: Any) -> Any:
    r"""Return a schema whose patterns other languages read alike: there is no ``\A`` and ``\Z``."""
    if isinstance(schema, list):
        return [portable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: portable(value) for name, value in schema.items()}
    pattern = found.get("pattern")
    if isinstance(pattern, str):
        found["pattern"] = pattern.replace(r"\A", "^").replace(r"\Z", "$")
    return found
