"""A broker that joins small packets waits for TCP's acknowledgement; both links give it at once."""

import fcntl
import socket
import struct
import sys
import termios

import pytest

from mqtt_dashboard.mqtt.paho_link import PahoLink
from mqtt_dashboard.mqtt.threaded_link import ThreadedLink
from tests.support.connected import Connected
from tests.support.fake_broker import (
    CONNACK,
    CONNECT,
    PUBACK,
    PUBLISH,
    FakeBroker,
    Peer,
    connack,
    frame,
    string,
)
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.recorder import options, running

ROUNDS = 20


def unconfirmed(connection: socket.socket) -> int:
    """Return how many bytes were sent of which TCP at the other end has said nothing yet."""
    # SIOCOUTQ is TIOCOUTQ.
    (size,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
    return int(size)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere TCP cannot be told to")
def test_a_message_is_confirmed_as_soon_as_it_is_read(kind: type[ThreadedLink]) -> None:
    """Not up to 40 ms later, although the link has just sent something (which makes TCP wait)."""
    properties = b"" if kind is PahoLink else b"\0"
    settled: list[int] = []

    def exchange(peer: Peer) -> None:
        peer.expect(CONNECT)
        peer.send(frame(CONNACK, b"\0\0") if kind is PahoLink else connack())
        for number in range(1, ROUNDS + 1):
            identifier = struct.pack(">H", number)
            peer.send(frame(PUBLISH, string(b"t") + identifier + properties + b"asked", 2))
            peer.expect(PUBACK)
            peer.send(frame(PUBLISH, string(b"t") + properties + b"last"))
            wait_for(lambda end=2 * number: len(connected.recorder.messages) == end, "read")  # type: ignore[misc]
            peer.idle(0.005)
            assert isinstance(peer.connection, socket.socket)
            settled.append(unconfirmed(peer.connection))

    with FakeBroker([exchange]) as server:
        connected = Connected(kind, options(server.port))
        connected.recorder.on_messages_do = lambda messages: connected.link.acknowledge(
            [message.token for message in messages if message.token]
        )
        with running(connected.link):
            wait_for(lambda: len(settled) == ROUNDS, "all exchanged")
        assert not server.errors
    # A slow machine may have one looked at too early; left to itself, TCP confirms none of them.
    assert sum(size == 0 for size in settled) > ROUNDS // 2, settled
