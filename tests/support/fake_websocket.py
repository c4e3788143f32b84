"""The server side of a websocket for the fake broker, legal or not; written without our library."""

import base64
import hashlib
import os
import socket
import struct
from typing import Final

from tests.support.fake_broker import Peer, Step

CONTINUATION, TEXT, BINARY = 0, 1, 2
CLOSE, PING, PONG = 8, 9, 10
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def ws_frame(
    data: bytes, opcode: int = BINARY, *, fin: bool = True, rsv: int = 0, mask: bool = False
) -> bytes:
    """Build a frame as a server sends it (``mask``: as it must not)."""
    first = bytes([fin << 7 | rsv << 4 | opcode])
    if len(data) < 126:
        size = bytes([mask << 7 | len(data)])
    elif len(data) < 65_536:
        size = bytes([mask << 7 | 126]) + struct.pack(">H", len(data))
    else:
        size = bytes([mask << 7 | 127]) + struct.pack(">Q", len(data))
    return first + size + (os.urandom(4) if mask else b"") + data


def closing(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """Build a Close frame."""
    return ws_frame(b"" if code is None else struct.pack(">H", code) + reason, CLOSE)


class ServerSide:
    """A connection whose bytes travel in binary frames; ``frames`` are the control frames read."""

    def __init__(self, connection: socket.socket) -> None:
        self.raw = connection
        self.request = b""
        self.frames: list[tuple[int, bytes]] = []
        self._data = b""

    def read_request(self) -> bytes:
        """Read the HTTP request; return the key that must be answered."""
        while b"\r\n\r\n" not in self.request:
            data = self.raw.recv(65536)
            if not data:
                raise OSError("the client left during the handshake")
            self.request += data
        lines = self.request.split(b"\r\n")
        keys = [line for line in lines if line.lower().startswith(b"sec-websocket-key:")]
        return keys[0].split(b":", 1)[1].strip()

    def sendall(self, data: bytes) -> None:
        self.raw.sendall(ws_frame(data))

    def recv(self, _size: int) -> bytes:
        """Return the content of one binary frame, nothing at the end."""
        while True:
            frame = self._frame()
            if frame is None:
                return b""
            opcode, data = frame
            if opcode == BINARY:
                return data
            self.frames.append(frame)
            if opcode == CLOSE:
                return b""

    def shutdown(self, how: int) -> None:
        self.raw.shutdown(how)

    def setsockopt(self, level: int, name: int, value: bytes) -> None:
        self.raw.setsockopt(level, name, value)

    def close(self) -> None:
        self.raw.close()

    def _frame(self) -> tuple[int, bytes] | None:
        head = self._take(2)
        if head is None:
            return None
        assert head[1] & 128, "the client sent a frame without a mask"
        size: int = head[1] & 127
        if size > 125:
            more = self._take(2 if size == 126 else 8)
            size = int.from_bytes(more or b"")
        mask, data = self._take(4), self._take(size)
        if mask is None or data is None:
            return None
        repeated = mask * (size // 4 + 1)
        number = int.from_bytes(data) ^ int.from_bytes(repeated[:size])
        return head[0] & 15, number.to_bytes(size)

    def _take(self, count: int) -> bytes | None:
        while len(self._data) < count:
            data = self.raw.recv(65536)
            if not data:
                return None
            self._data += data
        taken, self._data = self._data[:count], self._data[count:]
        return taken


def accept(key: bytes) -> bytes:
    """Return what proves that the server read the key."""
    return base64.b64encode(hashlib.sha1(key + _GUID).digest())


def response(key: bytes, **changes: bytes | None) -> bytes:
    """Build the answer to a handshake; ``changes`` replace headers, None leaves one out."""
    headers: dict[str, bytes | None] = {
        "upgrade": b"websocket",
        "connection": b"Upgrade",
        "sec_websocket_accept": accept(key),
        "sec_websocket_protocol": b"mqtt",
    }
    lines = [b"HTTP/1.1 101 Switching Protocols"]
    for name, value in (headers | changes).items():
        if value is not None:
            lines.append(name.replace("_", "-").encode() + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def side(peer: Peer) -> ServerSide:
    """Return the websocket of a peer."""
    assert isinstance(peer.connection, ServerSide)
    return peer.connection


def shake(early: bytes = b"", **changes: bytes | None) -> Step:
    """Open the websocket; ``early`` is sent in the same write as the answer."""

    def step(peer: Peer) -> None:
        websocket = ServerSide(peer.connection)  # type: ignore[arg-type]
        key = websocket.read_request()
        websocket.raw.sendall(response(key, **changes) + early)
        peer.connection = websocket

    return step


def answer_http(data: bytes) -> Step:
    """Answer the handshake with other bytes."""

    def step(peer: Peer) -> None:
        websocket = ServerSide(peer.connection)  # type: ignore[arg-type]
        websocket.read_request()
        websocket.raw.sendall(data)

    return step


def raw(data: bytes) -> Step:
    """Send bytes below the websocket."""
    return lambda peer: side(peer).raw.sendall(data)
