"""What the probes tell strangers, and what operators."""

from pathlib import Path
from typing import Any

from mqtt_dashboard import __version__
from tests.support.dashboard_server import DashboardServer
from tests.support.dashboard_stack import running_stack
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, Visitor, add_user, make_token, store_of

HINT = "operators"


def _details(answer: Any, server: DashboardServer, redis_port: int) -> list[str]:
    """Return what of our insides an answer tells."""
    text = str(answer)
    inside = (
        str(redis_port),
        __version__,
        "heartbeat",
        "beating",
        "refused",
        "connected_clients': 0",
    )
    found = [one for one in inside if one in text]
    assert str(server.port) not in text
    return found


def test_p67_strangers_learn_that_it_is_healthy_and_no_more(tmp_path: Path) -> None:
    """P67: no address, reason, version or count without an operator's sign-in; statuses stay."""
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD}
    with running_stack(tmp_path, **environ) as stack:
        server, port = stack.dashboard, stack.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        add_user(port, "vera", "viewer")
        stranger, vera = Visitor(server), Visitor(server).login("vera")
        operator = Visitor(server, make_token(port, "operator"))
        nobody = Visitor(server, f"mqd_{'0' * 16}_{'A' * 43}")
        for visitor in (stranger, nobody, vera):
            status, health = visitor.get("/health")
            assert (status, health["status"], health["service"]) == (
                200,
                "healthy",
                "mqtt-dashboard",
            )
            assert (health["redis"]["status"], health["websocket"]["status"]) == ("up", "up")
            assert health["websocket"]["connected_clients"] is None
            assert health["version"] is None
            assert health["redis"]["age_s"] is None
            assert visitor.get("/readyz") == (200, {"ok": True, "problems": []})
            assert _details(health, server, port) == []
        known = operator.get("/health")[1]
        assert (known["version"], known["websocket"]["connected_clients"]) == (__version__, 0)
        assert known["redis"]["age_s"] is not None
        stack.bridge.connected = False
        wait_for(lambda: stranger.get("/readyz")[0] == 503, "not ready")
        for visitor in (stranger, nobody, vera):
            told = visitor.get("/readyz")[1]["problems"] + visitor.get("/health")[1]["problems"]
            assert all(HINT in one for one in told)
            assert len(told) == 2
        assert "connection to the broker" in operator.get("/readyz")[1]["problems"][0]
        assert "connection to the broker" in operator.get("/health")[1]["problems"][0]
        stack.redis.kill()
        wait_for(lambda: stranger.get("/health")[1]["status"] == "unhealthy", "seen")
        for path in ("/health", "/readyz", "/healthz"):
            # Nobody can be recognised now, so nobody is told.
            for visitor in (stranger, operator):
                answer = visitor.get(path)
                assert _details(answer, server, port) == [], path
        assert stranger.get("/health")[1]["redis"] == {
            "status": "down", "reason": None, "age_s": None, "durable": None, "durable_reason": None
        }  # fmt: skip
        assert "Redis" in server.output()


def test_p67_where_nobody_signs_in_everybody_is_told(tmp_path: Path) -> None:
    """P67: on loopback without sign-in everybody is an operator, and sees why."""
    with running_stack(tmp_path) as stack:
        health = stack.dashboard.get("/health")[1]
        assert (health["version"], health["websocket"]["connected_clients"]) == (__version__, 0)
        stack.redis.kill()
        wait_for(lambda: stack.dashboard.get("/readyz")[0] == 503, "not ready")
        assert str(stack.redis.port) in stack.dashboard.get("/readyz")[1]["problems"][0]
