"""The one owner of reconnects (P33, P34, P41, P50)."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mqtt_dashboard.bridge.loops import Loop
from mqtt_dashboard.clock import ManualClock, SystemClock
from mqtt_dashboard.errors import LinkError
from mqtt_dashboard.mqtt.client import Incoming, Loss, Wanted
from mqtt_dashboard.mqtt.connector import Connector
from tests.support.fake_broker import (
    CONNECT,
    DISCONNECT,
    FakeBroker,
    Step,
    connack,
    frame,
    publish,
)
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.odd_cases import expect, send
from tests.unit.mqtt_layer.recorder import Recorder, options

OLD_CONNACK = b"\x20\x02\x00\x00"
HELLO_5: list[Step] = [expect(CONNECT), send(connack()), lambda p: p.answer_pings(20)]
HELLO_311: list[Step] = [expect(CONNECT), send(OLD_CONNACK), lambda p: p.answer_pings(20)]


class Rig:
    """A connector in a thread of its own."""

    def __init__(self, port: int, *, may_connect: bool = True, protocol: str = "auto") -> None:
        self.recorder = Recorder()
        self.stop = threading.Event()
        self.may_connect = may_connect
        self.connector = Connector(
            options(port, answer_timeout=1.0),
            self.recorder,
            SystemClock(),
            protocol=protocol,  # type: ignore[arg-type]
            stop=self.stop,
            may_connect=lambda: self.may_connect,
            jitter=lambda: 0.0,
        )
        self.thread = threading.Thread(target=self.connector.run, daemon=True)


@contextmanager
def rig(port: int, *, may_connect: bool = True, protocol: str = "auto") -> Iterator[Rig]:
    """Run a connector; stop it as the bridge does and insist that it ends."""
    one = Rig(port, may_connect=may_connect, protocol=protocol)
    one.thread.start()
    try:
        yield one
    finally:
        one.stop.set()
        one.connector.close()
        one.thread.join(5)
        assert not one.thread.is_alive(), "run() does not end"


def levels(broker: FakeBroker) -> list[int]:
    """Return the protocol level of each CONNECT: 5 is MQTT 5, 4 is 3.1.1."""
    return [packet[8] for packet in broker.received if packet[0] == CONNECT << 4]


def test_reconnects() -> None:
    """A connection that ends is followed by another, and the owner hears of both (P34)."""
    dropped = [*HELLO_5[:2], lambda p: p.close()]
    with FakeBroker(dropped, HELLO_5) as broker, rig(broker.port) as one:
        wait_for(lambda: len(one.recorder.sessions) == 2, "connected twice")
        assert [loss.reason for loss in one.recorder.losses] == ["the broker closed the connection"]
        assert levels(broker) == [5, 5]


def test_broker_that_comes_late() -> None:
    """A broker that is down at the start is waited for (P30)."""
    with FakeBroker(HELLO_5) as first:
        port = first.port
    with rig(port) as one:
        wait_for(lambda: len(one.recorder.losses) >= 2, "two attempts")
        assert all("nothing listens" in loss.reason for loss in one.recorder.losses)
        with pytest.raises(LinkError):
            one.connector.subscribe([Wanted("a", 0)])


@pytest.mark.parametrize("refusal", [connack(0x84), b"\x20\x02\x00\x01"], ids=["0x84", "0x01"])
def test_falls_back_to_3_1_1_and_remembers(refusal: bytes) -> None:
    """A broker that refuses MQTT 5 in words gets 3.1.1, also after a loss (P50)."""
    scripts: list[list[Step]] = [
        [expect(CONNECT), send(refusal)],
        [*HELLO_311[:2], lambda p: p.close()],
        HELLO_311,
    ]
    with FakeBroker(*scripts) as broker, rig(broker.port) as one:
        wait_for(lambda: len(one.recorder.sessions) == 2, "connected twice")
        assert levels(broker) == [5, 4, 4]
        assert {session.protocol for session in one.recorder.sessions} == {"3.1.1"}


def test_a_broker_that_hangs_up_is_tried_both_ways() -> None:
    """A hang-up may be a restart: 3.1.1 is tried, and MQTT 5 again after that (P50)."""
    hang_up: list[Step] = [expect(CONNECT), lambda p: p.close()]
    with FakeBroker(hang_up, hang_up, HELLO_5) as broker, rig(broker.port) as one:
        wait_for(lambda: one.recorder.sessions, "connected")
        assert levels(broker) == [5, 4, 5]


def test_fixed_version_stays() -> None:
    """A version that was configured is not given up."""
    refuse: list[Step] = [expect(CONNECT), send(connack(0x84))]
    with FakeBroker(refuse) as broker, rig(broker.port, protocol="5") as one:
        wait_for(lambda: len(one.recorder.losses) >= 2, "two attempts")
        assert set(levels(broker)) == {5}


def test_standby_does_not_connect() -> None:
    """A standby bridge leaves the client id alone until it may connect (P41)."""
    with FakeBroker(HELLO_5) as broker, rig(broker.port, may_connect=False) as one:
        time.sleep(0.6)
        assert broker.peers == []
        one.may_connect = True
        wait_for(lambda: one.recorder.sessions, "connected")
        one.may_connect = False
        one.connector.close(will=True)
        wait_for(lambda: one.recorder.losses, "closed")
        goodbye = frame(DISCONNECT, b"\x04")
        wait_for(lambda: broker.received[-1] == goodbye, "goodbye with the will")
        time.sleep(0.6)
        assert len(broker.peers) == 1


def test_taken_over_is_not_fought() -> None:
    """After DISCONNECT 0x8E the bridge backs off instead of fighting for the id (P41)."""
    taken: list[Step] = [*HELLO_5[:2], send(frame(DISCONNECT, b"\x8e"))]
    with FakeBroker(taken) as broker, rig(broker.port) as one:
        wait_for(lambda: one.recorder.losses, "taken over")
        time.sleep(1.5)
        assert len(broker.peers) == 1
        assert one.recorder.losses[0].taken_over


def test_closed_at_once_again_is_taken_for_a_take_over() -> None:
    """Brokers that do not say who pushed us out are understood all the same (P41)."""
    dropped: list[Step] = [*HELLO_5[:2], lambda p: p.close()]
    with FakeBroker(dropped) as broker, rig(broker.port) as one:
        wait_for(lambda: any(loss.taken_over for loss in one.recorder.losses), "recognised")
        attempts = len(broker.peers)
        time.sleep(1.0)
        assert len(broker.peers) == attempts <= 3


def test_stop_during_backoff_returns_at_once() -> None:
    """A stop does not wait for the end of a delay (P42)."""
    refuse: list[Step] = [expect(CONNECT), send(connack(0x86))]
    with FakeBroker(refuse) as broker, rig(broker.port) as one:
        wait_for(lambda: one.recorder.losses, "refused")
        assert one.recorder.losses[0] == Loss(
            "the broker refused the connection: bad user name or password", 0x86, final=True
        )
        one.stop.set()
        one.thread.join(1)
        assert not one.thread.is_alive()


def test_a_hung_link_is_seen() -> None:
    """P43: a quiet connection shows that it lives; a link that hangs becomes a problem."""
    recorder, hang, clock = Recorder(), threading.Event(), ManualClock()

    def hang_on(_messages: list[Incoming]) -> None:
        hang.wait(30)

    recorder.on_messages_do = hang_on
    stop = threading.Event()
    talk = threading.Event()
    script: list[Step] = [
        *HELLO_5[:2],
        lambda peer: peer.answer_pings(4),
        lambda _peer: talk.wait(30),
        send(publish(b"t")),
    ]
    with FakeBroker(script) as broker:
        loop = Loop("mqtt", lambda _wait: connector.run(), clock, stuck_after=60)
        connector = Connector(
            options(broker.port, ping_after=0.5),
            recorder,
            SystemClock(),
            protocol="5",
            stop=stop,
            may_connect=lambda: True,
            turned=loop.beat,
        )
        loop.start()
        try:
            wait_for(lambda: recorder.sessions, "connected")
            clock.advance(100)
            wait_for(lambda: loop.problem() is None, "a quiet link shows that it lives", 4)
            talk.set()
            wait_for(lambda: recorder.batches, "the link hangs in its owner's hands", 10)
            clock.advance(100)
            assert loop.problem() == "mqtt made no turn for 100 s"
        finally:
            hang.set()
            stop.set()
            connector.close()
            loop.stop()
            assert loop.join(5)


def test_waiting_is_not_hanging() -> None:
    """P43: a standby, and a link that waits before its next attempt, go on showing a sign."""
    turns: list[float] = []
    stop = threading.Event()
    connector = Connector(
        options(1),
        Recorder(),
        SystemClock(),
        protocol="5",
        stop=stop,
        may_connect=lambda: False,
        turned=lambda: turns.append(time.monotonic()),
    )
    thread = threading.Thread(target=connector.run, daemon=True)
    thread.start()
    wait_for(lambda: len(turns) >= 3, "signs of life")
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
