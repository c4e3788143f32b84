"""What Redis would forget is not accepted, unless somebody permits it; then it is said."""

from pathlib import Path

from tests.support.dashboard_server import BeatingBridge, DashboardServer
from tests.support.orders import NAMES, left_in_stream, post
from tests.support.servers import RedisServer, running, wait_for


def test_without_an_append_only_file_nothing_is_accepted(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """P77: what Redis would forget is refused, with what to switch on; then it is accepted.

    A publish whose result is waited for promises nothing for later, so it needs no file.
    """
    client = redis_server.client()
    dashboard = DashboardServer(tmp_path, redis_server.port)
    with running(dashboard):
        status, answer = post(dashboard, topic="a")
        assert (status, answer["error"]) == (503, "not_durable")
        for word in ("append-only", "appendonly yes", "COMMAND_DURABILITY=relaxed"):
            assert word in answer["message"]
        assert left_in_stream(redis_server) == 0
        assert client.exists(NAMES.audit) == 0
        beating = BeatingBridge(redis_server).start()
        try:
            dashboard.wait_ready()
            assert dashboard.publish(topic="a", qos=1)[0] == 200
        finally:
            beating.stop()
        client.config_set("appendonly", "yes")
        # Noticed when Redis is asked the next time, at once after it was away.
        client.client_kill_filter(_type="normal", skipme=True)
        wait_for(lambda: post(dashboard, topic="a")[0] == 202, "accepted now", 40)


def test_who_permits_it_is_told_that_redis_forgets(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """With COMMAND_DURABILITY=relaxed it is accepted and said: record, list, health, system."""
    dashboard = DashboardServer(tmp_path, redis_server.port, COMMAND_DURABILITY="relaxed")
    with running(dashboard):
        wait_for(lambda: dashboard.get("/health")[1]["redis"]["durable"] is False, "asked at start")
        assert "append-only" in dashboard.get("/health")[1]["redis"]["durable_reason"]
        status, record = post(dashboard, topic="a")
        assert (status, record["durable"]) == (202, False)
        assert "append-only" in record["durable_reason"]
        assert dashboard.get("/api/commands")[1]["durable"] is False
        assert dashboard.get("/api/system")[1]["commands_durable"] is False
