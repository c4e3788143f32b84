"""When the loop naps before it reads: in dense and in brisk traffic, never on a quiet link."""

import time

import pytest

from mqtt_dashboard.mqtt.client import Wanted
from mqtt_dashboard.mqtt.sockets import READ_BYTES
from mqtt_dashboard.mqtt.v5 import V5Link
from mqtt_dashboard.mqtt.v5_loop import (
    DENSE_BYTES,
    NAP_SECONDS,
    OFTEN_SECONDS,
    SHORT_NAP_SECONDS,
    nap_after,
)
from tests.support.connected import Connected
from tests.support.fake_broker import (
    SUBSCRIBE,
    FakeBroker,
    Peer,
    connack,
    publish,
    suback,
)
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.recorder import options, running


@pytest.mark.parametrize(
    ("count", "seconds", "nap"),
    [
        (100, 1.0, 0.0),
        (100, OFTEN_SECONDS, 0.0),
        (100, OFTEN_SECONDS / 2, SHORT_NAP_SECONDS),
        (DENSE_BYTES - 1, 1.0, 0.0),
        (DENSE_BYTES, 1.0, NAP_SECONDS),
        (DENSE_BYTES, 0.0, NAP_SECONDS),
        (READ_BYTES - 1, 0.0, NAP_SECONDS),
        (READ_BYTES, 0.0, 0.0),
    ],
)
def test_how_long(count: int, seconds: float, nap: float) -> None:
    """Longest where most bytes come, not at all where a backlog waits or nothing is near."""
    assert nap_after(count, seconds) == nap


def test_a_short_nap_does_not_end_itself() -> None:
    """What comes while the loop naps is still what comes often."""
    assert SHORT_NAP_SECONDS < OFTEN_SECONDS


def test_brisk_messages_are_handed_over_together() -> None:
    """Many reads that bring one message each become fewer; the faster they come, the fewer."""
    many, sent_in = 2000, []

    def exchange(peer: Peer) -> None:
        peer.next()
        peer.send(connack())
        peer.expect(SUBSCRIBE)
        peer.send(suback(peer.packet_id, b"\0"))
        began = time.monotonic()
        for number in range(many):
            peer.send(publish(b"t", b"%d" % number))
            time.sleep(0.0001)
        sent_in.append(time.monotonic() - began)

    with FakeBroker([exchange]) as server:
        connected = Connected(V5Link, options(server.port))
        with running(connected.link):
            connected.opened()
            connected.subscribe(Wanted("t", 0))
            messages = connected.received(many)
            wait_for(lambda: sent_in, "all sent")
    assert [int(one.payload) for one in messages] == list(range(many))
    # On a machine so slow that messages are no longer near one another there is nothing to join.
    if sent_in[0] / many < OFTEN_SECONDS / 3:
        assert len(connected.recorder.batches) < many / 2
