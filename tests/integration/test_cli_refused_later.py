"""`pub` and `tail` when the dashboard says no after it had said yes."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.test_cli_server import Running, System, started
from tests.support.relay import Relay
from tests.support.servers import wait_for
from tests.support.services import Device
from tests.support.visitors import PASSWORD, Visitor, accounts_of, make_token, store_of

LIMIT = 10


@contextmanager
def running(system: System, *words: str) -> Iterator[Running]:
    command = Running(system, words)
    try:
        yield command
    finally:
        command.process.kill()
        command.end()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Run a system that asks for sign-in and allows few requests."""
    environ = {
        "AUTH_MODE": "required",
        "ADMIN_PASSWORD": PASSWORD,
        "REQUESTS_PER_MINUTE": str(LIMIT),
    }
    with started(tmp_path, **environ) as found:
        wait_for(lambda: store_of(found.redis.port).has_users(), "the first user")
        yield found


@contextmanager
def waiting_pub(system: System, relay: Relay, token: str) -> Iterator[Running]:
    """Run a pub whose message was accepted and whose result does not come."""
    system.bridge.freeze()
    words = ["pub", "a/b", "1", "--deadline", "60", "--url", relay.url, "--token", token]
    with running(system, *words) as command:
        wait_for(lambda: relay.connections == 2, f"it waits {command.complaints()}")
        yield command


def _exhaust(system: System, token: str) -> None:
    """Use up what the token's user may ask for in a minute."""
    visitor = Visitor(system.dashboard, token)
    assert 429 in [visitor.get("/api/auth/sessions")[0] for _ in range(2 * LIMIT)]


def test_pub_says_that_a_command_was_accepted_whose_result_is_refused(system: System) -> None:
    """A token revoked meanwhile makes no refusal of what was accepted: status 8, with the id."""
    token = make_token(system.redis.port, "operator")
    with Relay(system.dashboard.port) as relay, waiting_pub(system, relay, token) as command:
        accounts_of(system.redis.port).revoke_token(token.split("_")[1])
        relay.cut()
        assert command.end() == 8, command.complaints()
        assert command.complaints().startswith("accepted as ")
        assert "does not accept this token" in command.complaints()


def test_pub_goes_on_asking_when_it_asked_too_often(system: System) -> None:
    """A request limit passes, so the result is asked for again."""
    token = make_token(system.redis.port, "operator")
    with Relay(system.dashboard.port) as relay, waiting_pub(system, relay, token) as command:
        _exhaust(system, token)
        relay.cut()
        _tries_again(relay, command, 2)
        command.process.send_signal(signal.SIGINT)
        assert command.end() == 130
        assert "its result was not waited for" in command.complaints()


def test_tail_outlives_a_request_limit(system: System) -> None:
    """A reconnect that is refused because of too many requests is tried again."""
    token = make_token(system.redis.port, "viewer")
    with Relay(system.dashboard.port) as relay:
        words = ["tail", "a/#", "--url", relay.url, "--token", token]
        with running(system, *words) as command:
            _watches(system, command)
            _exhaust(system, token)
            relay.cut()
            _tries_again(relay, command, 4)
            command.process.send_signal(signal.SIGINT)
            assert command.end() == 130


def _watches(system: System, command: Running) -> None:
    """Publish until the command has written a message: its subscription is served then."""
    with Device(system.broker.port) as device:

        def written() -> str:
            device.publish("a/b", "1")
            return command.text()

        wait_for(written, f"it watches {command.complaints()}")


def _tries_again(relay: Relay, command: Running, times: int) -> None:
    before = relay.connections

    def tried() -> bool:
        assert command.process.poll() is None, (command.process.returncode, command.complaints())
        return relay.connections >= before + times

    wait_for(tried, f"{times} more connections", 60)
