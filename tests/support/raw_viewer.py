"""A viewer made of a bare socket, for clients that no library would be: deaf, greedy, silent."""

import base64
import contextlib
import os
import socket
import struct
import threading
from typing import Self

from tests.support.dashboard_server import DashboardServer

PING, PONG = "2", "3"


class RawViewer:
    """A websocket that only does what it is told; a context manager that closes it."""

    def __init__(
        self,
        server: DashboardServer,
        receive_buffer: int | None = None,
        token: str | None = None,
    ) -> None:
        self.texts: list[str] = []
        self._port = server.port
        self._extra = "" if token is None else f"Authorization: Bearer {token}\r\n"
        self._buffer = b""
        self._sending = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="raw reader", daemon=True)
        self.connection = socket.socket()
        if receive_buffer:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

    def __enter__(self) -> Self:
        self.connection.settimeout(5)
        self.connection.connect(("127.0.0.1", self._port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{self._port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n{self._extra}\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.connection.recv(1)
        assert head.startswith(b"HTTP/1.1 101"), head
        self.connection.settimeout(None)
        self.send("40")
        return self

    def __exit__(self, *_details: object) -> None:
        with contextlib.suppress(OSError):  # the server closed it, which many tests want
            self.connection.shutdown(socket.SHUT_RDWR)
        if self._reader.ident:
            self._reader.join(5)
        self.connection.close()

    def read(self) -> Self:
        """From now on read everything and answer pings, in a thread."""
        self._reader.start()
        return self

    def subscribe(self, topic_filter: str, request: int | str = "") -> None:
        """Watch a filter; with a request number an answer is wanted."""
        self.send(f'42{request}["subscribe",{{"filter":"{topic_filter}"}}]')

    def send(self, text: str) -> None:
        """Send one masked text frame."""
        data, mask = text.encode(), os.urandom(4)
        assert len(data) < 126
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        with self._sending:
            self.connection.sendall(bytes([0x81, 0x80 | len(data)]) + mask + masked)

    def frames(self) -> int:
        """Return how many message frames were read."""
        return sum(text.startswith('42["mqtt_messages"') for text in list(self.texts))

    def closed(self) -> bool:
        """Tell whether the server has closed the connection, without reading what is queued."""
        info = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return info[0] != 1  # TCP_ESTABLISHED

    def _read(self) -> None:
        while (text := self._frame()) is not None:
            self.texts.append(text)
            if text == PING:
                self.send(PONG)

    def _frame(self) -> str | None:
        head = self._exactly(2)
        if head is None or head[0] & 0x0F == 8:
            return None
        length = head[1]
        for code, size, layout in ((126, 2, "!H"), (127, 8, "!Q")):
            if length == code:
                more = self._exactly(size)
                if more is None:
                    return None
                (length,) = struct.unpack(layout, more)
                break
        body = self._exactly(length)
        return None if body is None else body.decode()

    def _exactly(self, count: int) -> bytes | None:
        while len(self._buffer) < count:
            try:
                data = self.connection.recv(65536)
            except OSError:
                return None
            if not data:
                return None
            self._buffer += data
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken
