"""mosquitto's log lines, with names that strangers chose."""

import pytest

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt.broker_log import (
    ClientConnected,
    ClientDisconnected,
    ClientSubscribed,
    parse,
)
from mqtt_dashboard.mqtt.client import Wanted
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.servers import Broker, wait_for
from tests.unit.mqtt_layer.recorder import Recorder, options, running

N, E = "$SYS/broker/log/N", "$SYS/broker/log/E"


def test_the_odd_line_of_the_manual() -> None:
    """A client id with blanks and brackets and a user name with a quote are told apart."""
    line = (
        b"1795427667: New client connected from 127.0.0.1:48661 as dev 1 (x) "
        b"(p2, c1, k60, u'bob o'neil')."
    )
    assert parse(N, line) == ClientConnected(
        "dev 1 (x)", "127.0.0.1", 48661, "3.1.1", True, 60, "bob o'neil"
    )


@pytest.mark.parametrize(
    ("number", "protocol"),
    [(1, "3.1"), (2, "3.1.1"), (3, "3.1"), (4, "3.1.1"), (5, "5.0"), (9, None)],
)
def test_protocol_numbers(number: int, protocol: str | None) -> None:
    """Both ways of mosquitto to number the protocols are known."""
    line = f"1: New bridge connected from ::1:5 as b (p{number}, c0, k5)."
    assert parse(N, line.encode()) == ClientConnected("b", "::1", 5, protocol, False, 5, None)


def test_time_stamp_may_be_missing_or_other() -> None:
    """The prefix follows a setting of the broker and may be absent."""
    line = "New client connected from [fe80::1%eth0]:1 as a (p5, c1, k0)."
    for prefix in ("", "1795427667: ", "2026-11-23T14:00:00+0100: "):
        event = parse(N, (prefix + line).encode())
        assert isinstance(event, ClientConnected)
        assert (event.client_id, event.address) == ("a", "fe80::1%eth0")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("disconnected.", "disconnected by the client"),
        ("closed its connection.", "connection closed by client"),
        ("has exceeded timeout, disconnecting.", "exceeded timeout"),
        ("disconnected, not authorised.", "not authorised"),
        ("disconnected due to malformed packet.", "malformed packet"),
        ("disconnected due to out of memory.", "out of memory"),
        ("disconnected: Connection reset by peer.", "Connection reset by peer"),
        ("been disconnected by administrative action.", "administrative action"),
        ("already connected, closing old connection.", "session taken over"),
    ],
)
@pytest.mark.parametrize("name", ["a", "a b", "x disconnected.", "x [1.2.3.4:5]", "'", ""])
def test_gone_2_0(name: str, said: str, reason: str) -> None:
    """Every way of mosquitto 2.0 to say that a client went is read, whatever its name."""
    line = f"1795427667: Client {name} {said}".encode()
    assert parse(N, line, "mosquitto version 2.0.11") == ClientDisconnected(name, reason)


@pytest.mark.parametrize("reason", ["session taken over", "bad username or password"])
@pytest.mark.parametrize("name", ["a", "a b [x:1] disconnected.", "Client"])
def test_gone_2_1(name: str, reason: str) -> None:
    """The wording of 2.1 adds the address and a reason of its own wording."""
    line = f"1: Client {name} [::1:1883] disconnected: {reason}.".encode()
    assert parse(N, line, "mosquitto version 2.1.2") == ClientDisconnected(
        name, reason, "::1", 1883
    )
    line = f"1: Client {name} [10.0.0.1:7] disconnected.".encode()
    expected = ClientDisconnected(name, "disconnected by the client", "10.0.0.1", 7)
    assert parse(N, line, "mosquitto version 2.1.2") == expected


def test_a_user_name_cannot_forge_another_client() -> None:
    """A user name made to look like the end of the line does not turn one client into another."""
    user = "x') (p2, c1, k60, u'y"
    line = f"1: New client connected from 1.2.3.4:5 as evil (p2, c1, k60, u'{user}')."
    event = parse(N, line.encode())
    assert isinstance(event, ClientConnected)
    assert event.client_id != "victim"
    assert event.client_id.startswith("evil")


def test_subscriptions_and_others() -> None:
    """Subscribe lines are read; lines about nothing of interest are not."""
    line = b"1: some id 1 a/+/b c"
    assert parse("$SYS/broker/log/M/subscribe", line) == ClientSubscribed("some id", "a/+/b c", 1)
    assert parse(N, b"1: New connection from 127.0.0.1:48661 on port 21883.") is None
    assert parse(N, b"1: Client a negotiated TLSv1.3 cipher X") is None
    assert parse("$SYS/broker/log/W", b"1: Client a disconnected.") is None
    assert parse("other", b"1: Client a disconnected.") is None
    assert parse(E, b"x" * 5000) is None
    assert parse(N, b"\xff\xfe: Client \xff disconnected.") is not None


def test_real_mosquitto(broker: Broker) -> None:
    """A real mosquitto's lines about a client that came and went are read."""
    recorder = Recorder()
    link = V5Link(options(broker.port, "the watcher"), recorder, SystemClock())
    with running(link):
        wait_for(lambda: recorder.sessions, "connected")
        link.subscribe([Wanted("$SYS/broker/log/#", 0)])
        wait_for(lambda: recorder.granted, "subscribed")
        other = Recorder()
        guest = V5Link(
            options(broker.port, "odd (id) 'x'", username="u 'v'", keepalive=17),
            other,
            SystemClock(),
        )
        with running(guest):
            wait_for(lambda: other.sessions, "guest connected")

        def events() -> list[object]:
            return [parse(m.topic, m.payload) for m in recorder.messages]

        wait_for(lambda: any(isinstance(e, ClientDisconnected) for e in events()), "guest went")
    came = next(e for e in events() if isinstance(e, ClientConnected))
    went = next(e for e in events() if isinstance(e, ClientDisconnected))
    assert came == ClientConnected(
        "odd (id) 'x'", "127.0.0.1", came.port, "5.0", False, 17, "u 'v'"
    )
    assert (went.client_id, went.reason) == ("odd (id) 'x'", "disconnected by the client")
