"""No route and no socket event without a permission, and none that nobody serves."""

import flask
import pytest

from mqtt_dashboard import config
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.config import DashboardSettings, RedisSettings
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.config_page import PageSettings
from mqtt_dashboard.contract import common_replies, events, export
from mqtt_dashboard.dashboard.app import create_app
from mqtt_dashboard.dashboard.auth.guard import PROBES
from mqtt_dashboard.dashboard.auth.permissions import EVENTS, ROUTES, Permission

PUBLIC = {
    "GET /",
    "GET /<path:path>",
    "GET /openapi.json",
    "GET /health",
    "GET /healthz",
    "GET /readyz",
    "GET /api/auth/me",
    "POST /api/auth/login",
    "POST /api/auth/logout",
    "GET /api/auth/oidc/start",
    "GET /api/auth/oidc/callback",
}


@pytest.fixture(scope="module")
def app() -> flask.Flask:
    """Build the application as a worker does."""
    return create_app(
        config.load(DashboardSettings, {"AUTH_MODE": "required"}),
        config.load(PageSettings, {}),
        config.load(AuthSettings, {}),
        DashboardStore(config.load(RedisSettings, {})),
        ManualClock(),
    )


def test_g19_every_route_has_a_permission(app: flask.Flask) -> None:
    """G19: what is served and what is in the table are the same."""
    served = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == set(ROUTES)


def test_g19_every_socket_event_has_a_permission(app: flask.Flask) -> None:
    """G19: every event a socket may send is in the table and in the contract."""
    handlers = set(app.extensions["socketio"].server.handlers["/"])
    assert handlers - {"connect", "disconnect"} == set(EVENTS) == set(events.CLIENT_EVENTS)


def test_the_document_knows_what_is_public() -> None:
    """What OpenAPI says about who needs to be known is what the table of permissions says."""
    pages = {"GET /", "GET /<path:path>"}
    documented = {
        f"{route.method.upper()} {route.path}"
        for route in export.ROUTES
        if route.path in common_replies.PUBLIC
    }
    assert documented == PUBLIC - pages
    assert common_replies.PROBES == PROBES


def test_what_is_public_is_listed_twice() -> None:
    """Opening a route to everybody takes a second look: here."""
    assert {name for name, one in ROUTES.items() if one is Permission.PUBLIC} == PUBLIC
    assert Permission.PUBLIC not in EVENTS.values()


def test_a_route_without_permission_is_refused(app: flask.Flask) -> None:
    """Deny by default: a route that somebody forgot in the table answers nobody."""
    other = create_app(
        config.load(DashboardSettings, {}),
        config.load(PageSettings, {}),
        config.load(AuthSettings, {}),
        DashboardStore(config.load(RedisSettings, {})),
        ManualClock(),
    )
    other.add_url_rule("/api/forgotten", "forgotten", lambda: "secret")
    answer = other.test_client().get("/api/forgotten")
    assert answer.status_code == 403
    assert b"secret" not in answer.data
