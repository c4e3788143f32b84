"""Below Socket.IO: what the websocket layer gets wrong or leaves open, in one place.

- A send may be partial on a non-blocking socket and two greenlets may send at once; here a send is
  whole and exclusive.
- Compression is refused by not offering it, so that no small frame inflates into a large one.
- The kernel's buffer is bounded, so that what a slow viewer sees is not long past.
- A client that sends without end is read slowly, and between others: its reader would not let go.
"""

import socket
import struct
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from flask_socketio import SocketIO
from mqtt_dashboard.dashboard.websocket import MAX_MESSAGE_BYTES

SEND_BUFFER_BYTES: Final = 128 * 1024
# What one client may send at once, and per second after that.
INTAKE_BURST_BYTES: Final = 2 * MAX_MESSAGE_BYTES
INTAKE_BYTES_PER_S: Final = 256 * 1024
SOCKET_KEYS: Final = ("gunicorn.socket", "werkzeug.socket")
DISCARD: Final = struct.pack("ii", 1, 0)
LINE: Final = "mqtt_dashboard.line"


class Line:
    """A connected socket whose sends are whole and one at a time."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._intake = float(INTAKE_BURST_BYTES)
        self._read_at = time.monotonic()

    def recv(self, size: int) -> bytes:
        """Read what is there, but let others go first, and wait when it has been too much."""
        data: bytes = self._sock.recv(size)
        now = time.monotonic()
        refilled = self._intake + (now - self._read_at) * INTAKE_BYTES_PER_S
        self._intake = min(refilled, INTAKE_BURST_BYTES) - len(data)
        self._read_at = now
        if self._intake < 0 or len(data) == size:
            time.sleep(max(0.0, -self._intake / INTAKE_BYTES_PER_S))
        return data

    def send(self, data: bytes) -> int:
        """Send everything before anybody else may send."""
        with self._lock:
            sent: int = self._sock.send(data)
            while sent < len(data):
                sent += self._sock.send(memoryview(data)[sent:])
        return sent

    def cut(self, *, discard: bool = False) -> None:
        """Close both directions at once; whoever waits on the socket wakes up.

        With ``discard`` the kernel forgets what it could not deliver and resets the connection;
        else a peer that does not read would never notice, and the kernel would keep all of it.
        """
        try:
            if discard:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DISCARD)
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is closed already, which is what was wanted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def prepare_upgrade(environ: dict[str, Any]) -> None:
    """Make a websocket upgrade safe: whole sends, no compression."""
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    for key in SOCKET_KEYS:
        if key in environ:
            # A large kernel buffer would show a slow viewer the past instead of dropping some.
            environ[key].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            environ[LINE] = environ[key] = Line(environ[key])


class PacketJson:
    """JSON for Socket.IO packets: strict, fast, and takes documents that are JSON already."""

    @staticmethod
    def dumps(value: object, **_options: object) -> str:
        """Return a value as JSON."""
        return msgspec.json.encode(value).decode()

    @staticmethod
    def loads(text: str | bytes, **_options: object) -> Any:
        """Read JSON; NaN and infinities are refused."""
        return msgspec.json.decode(text)


class SocketOutlet:
    """The fan-out's way to the sockets of this worker."""

    def __init__(self, socketio_server: SocketIO) -> None:
        self._server = socketio_server.server

    def send(self, sids: Sequence[str], event: str, document: bytes) -> None:
        """Queue one event, already in JSON, for some viewers."""
        self._server.emit(event, msgspec.Raw(document), to=list(sids), namespace="/")

    def unread(self, sid: str) -> int:
        """Return how many packets wait in a viewer's queue."""
        engine_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        engine_socket = self._server.eio.sockets.get(engine_sid or "")
        return 0 if engine_socket is None else engine_socket.queue.qsize()

    def cut(self, sid: str) -> None:
        """Close a viewer's connection at once, without waiting for what is queued."""
        engine_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        line = self._server.environ.get(engine_sid or "", {}).get(LINE)
        if line is not None:
            line.cut(discard=True)

    def cut_all(self) -> None:
        """Close all connections, when the worker stops."""
        for environ in list(self._server.environ.values()):
            line = environ.get(LINE)
            if line is not None:
                line.cut()
