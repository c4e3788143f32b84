"""Limits that no user can get around with more users, and no topic with more senders."""

from pathlib import Path

from mqtt_dashboard.contract.auth import TokenCreate
from tests.support.dashboard_stack import running_stack
from tests.support.servers import RedisServer, wait_for
from tests.support.visitors import PASSWORD, Visitor, accounts_of, make_token, served, store_of


def test_a_topic_takes_so_many_publishes_from_everybody(tmp_path: Path) -> None:
    """Over HTTP, durable and on the live channel; other topics go on, and nothing is sent."""
    environ = {"AUTH_MODE": "required", "PUBLISHES_PER_TOPIC": "6", "ADMIN_PASSWORD": PASSWORD}
    with running_stack(tmp_path, **environ) as stack:
        port = stack.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        ada, bob = (Visitor(stack.dashboard, make_token(port, "operator")) for _ in range(2))
        valve = {"topic": "valve", "payload": "x", "qos": 1}
        for one in (ada, bob):
            assert one.ask("POST", "/api/messages/publish", valve)[0] == 200
            assert one.ask("POST", "/api/commands", valve)[0] == 202
        bob.connect()
        replies = [bob.call("publish", valve) for _ in range(3)]
        assert [one["ok"] for one in replies] == [True, True, False]
        assert "this topic" in replies[2]["reason"]
        for path in ("/api/messages/publish", "/api/commands"):
            status, answer = ada.ask("POST", path, valve)
            assert (status, answer["error"]) == (429, "too_many")
            assert "this topic" in answer["message"]
            assert int(ada.got["retry-after"]) >= 1
        other = {**valve, "topic": "lamp"}
        assert ada.ask("POST", "/api/messages/publish", other)[0] == 200
        wait_for(lambda: ada.get("/api/commands")[1]["queued"] == 0, "all is settled")
        sent = [one for one in stack.bridge.commands if one.topic == "valve"]
        assert len(sent) == 6
        bob.close()


def test_an_address_has_a_limit_for_all_its_users(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """Ten times what one user may: many tokens at one place do not take the worker."""
    environ = {"AUTH_MODE": "required", "REQUESTS_PER_MINUTE": "10", "ADMIN_PASSWORD": PASSWORD}
    with served(tmp_path, redis_server.port, **environ) as dashboard:
        wait_for(lambda: store_of(redis_server.port).has_users(), "the first user")
        accounts = accounts_of(redis_server.port)
        tokens = [
            accounts.create_token(TokenCreate(label=f"job {n}", role="viewer"), "test")[0]
            for n in range(13)
        ]
        answers = [
            Visitor(dashboard, token).get("/api/broker/version")[0]
            for token in tokens
            for _ in range(9)
        ]
        assert answers[:90] == [200] * 90
        assert answers[-1] == 429
        elsewhere = Visitor(dashboard, tokens[-1], source="127.0.0.2")
        assert elsewhere.get("/api/broker/version")[0] == 200
        assert dashboard.get("/healthz")[0] == 200
