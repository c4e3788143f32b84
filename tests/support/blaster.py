"""A publisher of bare bytes: as fast as the broker takes them."""

import contextlib
import socket
import threading
from typing import Self

from tests.support.fake_broker import CONNECT, PINGREQ, PINGRESP, frame, string
from tests.support.servers import wait_for


class Blaster:
    """Sends packets that were built beforehand, and throws away what comes back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._settled = 0
        self._asked = 0
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._socket = socket.create_connection(("127.0.0.1", self._port), 10)
        self._socket.settimeout(None)
        hello = string(b"MQTT") + b"\x05\x02\0\0\0" + string(b"blaster")
        self._socket.sendall(frame(CONNECT, hello))
        assert self._socket.recv(100)[3] == 0
        self._reader.start()
        return self

    def __exit__(self, *_details: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(5)
        self._socket.close()

    def send(self, packets: bytes) -> None:
        """Send packets; returns when the kernel has them."""
        self._socket.sendall(packets)

    def settle(self, timeout: float = 60.0) -> None:
        """Wait until the broker has read everything."""
        self._asked += 1
        self.send(frame(PINGREQ))
        wait_for(lambda: self._settled >= self._asked, "the broker took all of it", timeout)

    def _read(self) -> None:
        data, pong = b"", frame(PINGRESP)
        with contextlib.suppress(OSError):
            while more := self._socket.recv(1 << 16):
                data, place = data + more, 0
                # Answers are short: their length is one byte.
                while place + 1 < len(data) and place + 2 + data[place + 1] <= len(data):
                    self._settled += data[place : place + 2] == pong
                    place += 2 + data[place + 1]
                data = data[place:]
