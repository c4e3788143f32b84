"""Messages above a limit the broker was not told: passed over, answered, counted (P44, G15)."""

import time

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt.client import Incoming
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.fake_broker import (
    CONNECT,
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    FakeBroker,
    Peer,
    Step,
    answer,
    connack,
    frame,
    publish,
    suback,
)
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.odd_cases import ALIVE, LIMIT, expect, send
from tests.unit.mqtt_layer.recorder import Recorder, options, running

OPEN: list[Step] = [expect(CONNECT), send(connack())]
LARGE = bytes(LIMIT * 200)
ALIAS = b"\x23\0\1"


def quick(broker: FakeBroker) -> tuple[V5Link, Recorder]:
    """Return a link with a small limit that acknowledges everything at once."""
    recorder = Recorder()
    settings = options(
        broker.port, max_packet_size=LIMIT, keepalive=2, ping_after=0.2, answer_timeout=0.5
    )
    link = V5Link(settings, recorder, SystemClock())

    def acknowledge(messages: list[Incoming]) -> None:
        link.acknowledge([entry.token for entry in messages if entry.token])

    recorder.on_messages_do = acknowledge
    return link, recorder


def test_passed_over_and_going_on() -> None:
    """A large message costs itself only; its exchange is completed, its alias learned."""
    script: list[Step] = [
        *OPEN,
        send(publish(b"before") + publish(b"large", LARGE) + publish(b"between")),
        send(publish(b"one", LARGE, qos=1, packet_id=5)),
        expect(PUBACK),
        send(publish(b"two", LARGE, qos=2, packet_id=6)),
        expect(PUBREC),
        send(answer(PUBREL, 6, flags=2)),
        expect(PUBCOMP),
        send(publish(b"alias", LARGE, properties=ALIAS) + publish(b"", properties=ALIAS)),
        send(publish(b"\xff", LARGE) + publish(b"t" * 60_000, LARGE)),
        # One byte above the limit, and in pieces from its first byte on.
        lambda p: p.drip(publish(b"a", bytes(LIMIT - 6))[:20], 0.01),
        send(publish(b"a", bytes(LIMIT - 6))[20:] + ALIVE),
        lambda p: p.answer_pings(9),
    ]
    with FakeBroker(script) as broker:
        link, recorder = quick(broker)
        with running(link):
            wait_for(lambda: any(m.topic == "alive" for m in recorder.messages), "going on")
        assert broker.errors == []
    assert [m.topic for m in recorder.messages] == ["before", "between", "alias", "alive"]
    assert recorder.too_large[0] == len(publish(b"large", LARGE))
    assert recorder.too_large[-1] == LIMIT + 1
    assert len(recorder.too_large) == 6
    assert recorder.malformed == ["a topic is not valid UTF-8"]


def test_a_trickle_that_is_passed_over_is_no_life() -> None:
    """A large message that comes at a few bytes a second is silence after 1.5 keep alives."""

    def trickle(peer: Peer) -> None:
        peer.send(publish(b"large", LARGE)[:300_000])
        peer.drip(bytes(100), 0.1)

    with FakeBroker([*OPEN, trickle]) as broker:
        link, recorder = quick(broker)
        started = time.monotonic()
        loss = link.run()
    assert "too slowly" in loss.reason
    assert time.monotonic() - started < 4.5
    assert len(recorder.too_large) == 1


def test_other_packets_are_refused() -> None:
    """Only messages are passed over: nothing else of a broker is ever that large."""
    for packet in (suback(1, bytes(LIMIT)), frame(PUBACK, b"\0\1" + LARGE)):
        with FakeBroker([*OPEN, send(packet)]) as broker:
            link, _recorder = quick(broker)
            loss = link.run()
        assert loss.code == 0x95
        assert "which is no message" in loss.reason


def test_the_broker_goes_in_the_middle() -> None:
    """A connection that ends inside a large message begins the next one with a clean slate."""
    first: list[Step] = [*OPEN, send(publish(b"large", LARGE)[:300_000]), lambda p: p.close()]
    with FakeBroker(first, [*OPEN, send(ALIVE), lambda p: p.answer_pings(9)]) as broker:
        link, recorder = quick(broker)
        assert "closed the connection" in link.run().reason
        with running(link):
            wait_for(lambda: recorder.messages, "the next connection")
