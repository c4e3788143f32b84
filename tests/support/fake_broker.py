"""A loopback server that plays a script of bytes, legal or not, to whoever connects.

A script is a list of steps; a step is called with the `Peer`, one connection. What the client sends
is kept as frames, so that a test can look at the goodbye. After its last step a script holds the
connection open until the client leaves or the server is closed.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Protocol, Self

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)

Step = Callable[["Peer"], object]


def varint(value: int) -> bytes:
    """Encode a variable byte integer."""
    out = bytearray()
    while True:
        value, low = value >> 7, value & 127
        out.append(low | (128 if value else 0))
        if not value:
            return bytes(out)


def frame(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    """Build a packet with a correct length."""
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def connack(code: int = 0, *, present: bool = False, properties: bytes = b"") -> bytes:
    """Build a CONNACK of MQTT 5."""
    return frame(CONNACK, bytes([present, code]) + varint(len(properties)) + properties)


def string(text: bytes) -> bytes:
    """Build a length-prefixed string, valid or not."""
    return struct.pack(">H", len(text)) + text


def publish(
    topic: bytes,
    payload: bytes = b"x",
    *,
    qos: int = 0,
    packet_id: int = 1,
    properties: bytes = b"",
    flags: int = 0,
) -> bytes:
    """Build a PUBLISH of MQTT 5."""
    identifier = struct.pack(">H", packet_id) if qos else b""
    body = string(topic) + identifier + varint(len(properties)) + properties + payload
    return frame(PUBLISH, body, flags | qos << 1)


def answer(kind: int, packet_id: int, codes: bytes = b"", flags: int = 0) -> bytes:
    """Build a PUBACK, PUBREC, PUBREL, PUBCOMP; for SUBACK and UNSUBACK see `suback`."""
    return frame(kind, struct.pack(">H", packet_id) + codes, flags)


def suback(packet_id: int, codes: bytes, kind: int = SUBACK) -> bytes:
    """Build a SUBACK or UNSUBACK without properties."""
    return frame(kind, struct.pack(">H", packet_id) + b"\x00" + codes)


class Connection(Protocol):
    """What a peer needs of its socket, or of a websocket on top of it."""

    def sendall(self, data: bytes, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def shutdown(self, how: int, /) -> None: ...
    def setsockopt(self, level: int, name: int, value: bytes, /) -> None: ...
    def close(self) -> None: ...


class Peer:
    """One connection as the script sees it."""

    def __init__(self, connection: Connection) -> None:
        self.connection: Connection = connection
        self.received: list[bytes] = []
        self.packet_id = 0
        self.gone = threading.Event()
        self._data = b""

    def send(self, data: bytes) -> None:
        """Send all at once."""
        self.connection.sendall(data)

    def drip(self, data: bytes, gap: float) -> None:
        """Send byte by byte, at most until the test is over."""
        for byte in data:
            self.connection.sendall(bytes([byte]))
            if self.gone.wait(gap):
                return

    def idle(self, seconds: float) -> None:
        """Neither read nor write for a while, at most until the test is over."""
        self.gone.wait(seconds)

    def expect(self, kind: int, timeout: float = 5.0) -> bytes:
        """Read until a packet of this kind; keep its packet id."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            packet = self.next()
            if packet is None:
                break
            if packet[0] >> 4 == kind:
                self.packet_id = _packet_id(packet)
                return packet
        raise AssertionError(f"the client did not send packet type {kind}: {self.received!r}")

    def answer_pings(self, seconds: float) -> None:
        """Be a living but silent broker for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            packet = self.next()
            if packet is None:
                return
            if packet[0] >> 4 == PINGREQ:
                self.send(frame(PINGRESP))

    def close(self) -> None:
        """Hang up properly."""
        self.connection.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Hang up with a reset."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def drain(self) -> None:
        """Read until the client is gone."""
        while self.next() is not None:
            pass

    def next(self) -> bytes | None:
        """Read the next packet; None when the client is gone."""
        while True:
            packet = _take(self._data)
            if packet is not None:
                self._data = self._data[len(packet) :]
                self.received.append(packet)
                return packet
            try:
                data = self.connection.recv(65536)
            except OSError:
                return None
            if not data:
                return None
            self._data += data


class FakeBroker:
    """Plays ``scripts`` in turn, one to each connection; the last one is repeated."""

    def __init__(self, *scripts: list[Step]) -> None:
        self.scripts = scripts
        self.peers: list[Peer] = []
        self.errors: list[BaseException] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for peer in self.peers:
            peer.gone.set()
            with contextlib.suppress(OSError):
                peer.connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for peer in self.peers:
            peer.connection.close()

    @property
    def received(self) -> list[bytes]:
        """Every packet of every client, in order."""
        return [packet for peer in self.peers for packet in peer.received]

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            peer = Peer(connection)
            script = self.scripts[min(len(self.peers), len(self.scripts) - 1)]
            self.peers.append(peer)
            self._start(lambda peer=peer, script=script: self._play(peer, script))  # type: ignore[misc]

    def _play(self, peer: Peer, script: list[Step]) -> None:
        try:
            for step in script:
                step(peer)
            peer.drain()
            # The client waits for the end of what it hung up on.
            peer.close()
        except OSError:
            pass  # the client left in the middle of the script, which it may
        except AssertionError as error:
            self.errors.append(error)


def _take(data: bytes) -> bytes | None:
    length = shift = 0
    for index in range(1, min(5, len(data))):
        length |= (data[index] & 127) << shift
        shift += 7
        if data[index] < 128:
            end = index + 1 + length
            return data[:end] if len(data) >= end else None
    return None


def _packet_id(packet: bytes) -> int:
    start = 2
    while packet[start - 1] & 128:
        start += 1
    if packet[0] >> 4 == PUBLISH:
        start += 2 + int.from_bytes(packet[start : start + 2])
    return int.from_bytes(packet[start : start + 2])
