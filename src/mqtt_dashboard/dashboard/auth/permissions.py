"""What every HTTP route and every socket event needs: one table, and nothing that is not in it.

A route that is missing here is refused for everybody, and a test fails.
"""

from enum import Enum
from typing import Final

from mqtt_dashboard.contract import events
from mqtt_dashboard.contract.policy import Role


class Permission(Enum):
    """What one must be to use a route or an event."""

    PUBLIC = "public"
    VIEW = "viewer"
    OPERATE = "operator"
    ADMINISTER = "administrator"
    # An administrator, and no token unless it was made for this.
    ACCOUNTS = "accounts"

    @property
    def role(self) -> Role | None:
        """Return the least role; None when nobody needs to be known."""
        return _LEAST[self]


_LEAST: Final[dict[Permission, Role | None]] = {
    Permission.PUBLIC: None,
    Permission.VIEW: "viewer",
    Permission.OPERATE: "operator",
    Permission.ADMINISTER: "administrator",
    Permission.ACCOUNTS: "administrator",
}


_PUBLIC: Final = Permission.PUBLIC
_VIEW: Final = Permission.VIEW
_OPERATE: Final = Permission.OPERATE
_ADMINISTER: Final = Permission.ADMINISTER
_ACCOUNTS: Final = Permission.ACCOUNTS

ROUTES: Final[dict[str, Permission]] = {
    # The page itself holds nothing secret; it asks /api/auth/me what to show.
    "GET /": _PUBLIC,
    "GET /<path:path>": _PUBLIC,
    "GET /openapi.json": _PUBLIC,
    "GET /health": _PUBLIC,
    "GET /healthz": _PUBLIC,
    "GET /readyz": _PUBLIC,
    "GET /metrics": _VIEW,
    "GET /api/auth/me": _PUBLIC,
    "POST /api/auth/login": _PUBLIC,
    "POST /api/auth/logout": _PUBLIC,
    "GET /api/auth/oidc/start": _PUBLIC,
    "GET /api/auth/oidc/callback": _PUBLIC,
    "POST /api/auth/password": _VIEW,
    "GET /api/auth/sessions": _VIEW,
    "DELETE /api/auth/sessions": _VIEW,
    "GET /api/broker/status": _VIEW,
    "GET /api/broker/stats": _VIEW,
    "GET /api/broker/stats/history": _VIEW,
    "GET /api/broker/story": _VIEW,
    "GET /api/broker/version": _VIEW,
    "GET /api/clients": _VIEW,
    "GET /api/topics": _VIEW,
    "GET /api/topics/levels": _VIEW,
    "GET /api/topics/one": _VIEW,
    "GET /api/topics/payload": _VIEW,
    "GET /api/topics/history": _VIEW,
    "GET /api/topics/message": _VIEW,
    "POST /api/messages/publish": _OPERATE,
    "POST /api/commands": _OPERATE,
    "GET /api/commands": _VIEW,
    "GET /api/audit": _ADMINISTER,
    "GET /api/audit/export": _ADMINISTER,
    "GET /api/audit/export.csv": _ADMINISTER,
    "GET /api/audit/verify": _ADMINISTER,
    "GET /api/commands/<command_id>": _VIEW,
    "GET /api/system": _OPERATE,
    "GET /api/users": _ACCOUNTS,
    "POST /api/users": _ACCOUNTS,
    "PATCH /api/users/<name>": _ACCOUNTS,
    "DELETE /api/users/<name>": _ACCOUNTS,
    "DELETE /api/users/<name>/sessions": _ACCOUNTS,
    "GET /api/sessions": _ACCOUNTS,
    "DELETE /api/sessions": _ACCOUNTS,
    "GET /api/tokens": _ACCOUNTS,
    "POST /api/tokens": _ACCOUNTS,
    "DELETE /api/tokens/<identity>": _ACCOUNTS,
}

EVENTS: Final[dict[str, Permission]] = {
    events.SUBSCRIBE: _VIEW,
    events.UNSUBSCRIBE: _VIEW,
    events.PUBLISH: _OPERATE,
    events.CREDIT: _VIEW,
    events.WATCH_COMMAND: _VIEW,
}
