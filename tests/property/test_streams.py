"""However a stream is cut on its way, it reads the same, websockets included (P21, P27)."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection

from mqtt_dashboard.mqtt.client import Incoming
from mqtt_dashboard.mqtt.reasons import BrokerError, EndedError
from mqtt_dashboard.mqtt.receive_order import ReceiveOrder
from mqtt_dashboard.mqtt.socket_io import Inlet, Stream
from mqtt_dashboard.mqtt.v5_frames import Decoder
from mqtt_dashboard.mqtt.websocket import WebSocket
from tests.support.fake_broker import answer, frame, publish, suback
from tests.support.fake_websocket import BINARY, CONTINUATION, PING, ws_frame

LIMIT = 300

topics = st.sampled_from([b"a", b"a/b", b"", b"\xff", b"a/#", "ö/ü".encode(), b"t" * 140])
known = st.sampled_from(
    [b"", b"\x23\0\1", b"\x23\0\2", b"\x03\0\1t", b"\x0b\x05", b"\x01\1\x23\0\1"]
)
# Mostly what a broker sends, sometimes wrong, sometimes anything.
packets = st.one_of(
    st.builds(
        publish,
        topics,
        st.binary(max_size=20),
        qos=st.integers(0, 2),
        packet_id=st.integers(1, 3),
        properties=known,
        flags=st.sampled_from([0, 1, 8]),
    ),
    st.builds(publish, st.just(b"large"), st.binary(min_size=100, max_size=400)),
    st.builds(answer, st.sampled_from([4, 5, 6, 7]), st.integers(0, 3)),
    st.builds(suback, st.integers(0, 3), st.binary(max_size=3)),
    st.builds(frame, st.integers(0, 15), st.binary(max_size=9), st.integers(0, 15)),
    st.binary(max_size=6),
)
streams = st.lists(packets, max_size=8).map(b"".join)
cuts = st.lists(st.integers(1, 70), min_size=1, max_size=12)


class Reader:
    """Reads a stream as the link does, up to its end or the first mistake."""

    def __init__(self) -> None:
        self.messages: list[Incoming] = []
        self.control: list[bytes] = []
        self.too_large: list[int] = []
        self.left_out: list[str] = []
        self.mistake: str | None = None
        self.unread = 0
        order = ReceiveOrder(1, 65_535)
        self.decoder = Decoder(
            LIMIT,
            number=order.number,
            settle=order.settle,
            control=lambda _head, packet: self.control.append(packet),
            left_out=self.left_out.append,
            too_large=self.too_large.append,
        )

    def read(self, pieces: Iterator[bytes], wrap: Callable[[socket.socket], Stream]) -> None:
        ours, theirs = socket.socketpair()
        with contextlib.closing(ours), contextlib.closing(theirs):
            ours.setblocking(False)
            inlet = Inlet(wrap(ours))
            try:
                for piece in pieces:
                    theirs.sendall(piece)
                    inlet.read(self.decoder.decode)
                    assert not inlet.pending
            except (BrokerError, EndedError) as error:
                self.mistake = str(error)
            self.messages = self.decoder.batch
            self.unread = inlet.waiting

    @property
    def outcome(self) -> tuple[Any, ...]:
        unread = None if self.mistake else self.unread
        return self.messages, self.control, self.left_out, self.too_large, self.mistake, unread


def websocket(connection: socket.socket) -> WebSocket:
    """Return an open websocket: the handshake has tests of its own."""
    protocol = WSConnection(ConnectionType.CLIENT)
    protocol.connection = Connection(ConnectionType.CLIENT)
    return WebSocket(connection, protocol)


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    turn = 0
    while data:
        size = sizes[turn % len(sizes)]
        yield data[:size]
        data, turn = data[size:], turn + 1


def framed(data: bytes, sizes: list[int], kinds: list[int]) -> bytes:
    """Put a stream into frames: whole messages, fragments, empty ones, with pings between."""
    out, inside = [], False
    for turn, part in enumerate(cut(data, sizes)):
        kind = kinds[turn % len(kinds)]
        if kind & 1:
            out.append(ws_frame(b"?", PING))
        last = not kind & 2
        out.append(ws_frame(part, CONTINUATION if inside else BINARY, fin=last))
        inside = not last
        if kind & 4 and inside:
            out.append(ws_frame(b"", CONTINUATION, fin=False))
    return b"".join(out)


def at_once(data: bytes) -> Reader:
    reader = Reader()
    reader.read(iter([data] if data else []), lambda connection: connection)
    return reader


@settings(max_examples=300, deadline=None)
@given(streams, cuts)
@example(publish(b"a") * 3, [1])
@example(b"\x30\x00" + publish(b"a"), [2])
@example(b"\x36\x00" + publish(b"a"), [2])
@example(b"\x30\xff\xff\xff\xff\x01", [1])
@example(b"\x30\xff\xff\xff\x7f", [1, 2])
def test_any_cut_reads_the_same(data: bytes, sizes: list[int]) -> None:
    """Messages, answers, left-out messages and the first mistake do not depend on the reads."""
    reader = Reader()
    reader.read(cut(data, sizes), lambda connection: connection)
    assert reader.outcome == at_once(data).outcome


@settings(max_examples=200, deadline=None)
@given(streams, cuts, cuts, st.lists(st.integers(0, 7), min_size=1, max_size=8))
@example(publish(b"a") * 3, [1], [1], [2])
def test_any_framing_reads_the_same(
    data: bytes, frames: list[int], sizes: list[int], kinds: list[int]
) -> None:
    """A websocket changes nothing: not its frames and fragments, nor how TCP cuts those."""
    reader = Reader()
    reader.read(cut(framed(data, frames, kinds), sizes), websocket)
    assert reader.outcome == at_once(data).outcome


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200), cuts)
def test_any_bytes_in_a_websocket(data: bytes, sizes: list[int]) -> None:
    """Random bytes below the websocket are data, or a mistake in words; nothing else is raised."""
    reader = Reader()
    reader.read(cut(data, sizes), websocket)
    assert reader.mistake is None or reader.mistake.startswith("the broker")
