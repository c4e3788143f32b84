"""The bytes of a connection: opening it, reading in large pieces, writing in order.

Knows nothing of MQTT. A `Stream` is a socket, with TLS or without, or a websocket on top of one; it
does not block once it is open.
"""

import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mqtt_dashboard.errors import LinkError
from mqtt_dashboard.mqtt.client import LinkOptions
from mqtt_dashboard.mqtt.reasons import network_error
from mqtt_dashboard.mqtt.sockets import READ_BYTES, WOULD_BLOCK, hidden, receive
from mqtt_dashboard.mqtt.websocket import Opening, WebSocket

WRITE_BYTES: Final = 64 * 1024
HANDSHAKE_BYTES: Final = 4096
_DRAIN_SECONDS: Final = 0.2
_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)

Stream = socket.socket | WebSocket


def tls_context(options: LinkOptions) -> ssl.SSLContext:
    """Return a context that always verifies the broker's certificate and host name."""
    for path in (options.ca_file, options.cert_file, options.key_file):
        if path is not None:
            # The errors of the ssl module do not name the file.
            Path(path).open("rb").close()
    context = ssl.create_default_context(cafile=options.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.cert_file:
        context.load_cert_chain(options.cert_file, options.key_file)
    return context


def open_stream(options: LinkOptions) -> Stream:
    """Connect, with TLS and a websocket if asked for; raise `LinkError` in plain words."""
    address = f"{options.host}:{options.port}"
    try:
        context = tls_context(options) if options.tls else None
        plain = socket.create_connection((options.host, options.port), options.answer_timeout)
    except (OSError, ValueError) as error:
        raise LinkError(_said(error, address)) from error
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready = context.wrap_socket(plain, server_hostname=options.host) if context else plain
        stream = ready if options.transport == "tcp" else _upgrade(ready, options)
        ready.setblocking(False)
    except (OSError, ValueError) as error:
        plain.close()
        raise LinkError(_said(error, address)) from error
    return stream


def _upgrade(connection: socket.socket, options: LinkOptions) -> WebSocket:
    """Open a websocket within the time an answer may take."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    host = f"{host}:{options.port}"
    scheme = "wss" if options.tls else "ws"
    opening = Opening(host, options.ws_path, f"{scheme}://{host}{options.ws_path}")
    deadline = time.monotonic() + options.answer_timeout
    try:
        connection.sendall(opening.request())
        while not opening.take(connection.recv(HANDSHAKE_BYTES)):
            # A byte now and then must not hold the link for ever.
            connection.settimeout(max(0.001, deadline - time.monotonic()))
    except ConnectionError:
        connection.close()
        opening.take(b"")
    except LinkError:
        connection.close()
        raise
    return WebSocket(connection, opening.protocol)


def _said(error: OSError | ValueError, address: str) -> str:
    if isinstance(error, OSError):
        return network_error(error, address)
    return f"{address} is not a usable address: {error}"


def hidden_bytes(stream: Stream) -> bool:
    """Tell whether bytes wait that `poll` does not see, in a TLS record or a frame."""
    return (stream.pending() if isinstance(stream, WebSocket) else hidden(stream)) > 0


def hang_up(connection: Stream) -> None:
    """Let what was written arrive before the socket is closed: unread input makes it a reset."""
    with contextlib.suppress(OSError, ValueError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_DRAIN_SECONDS)
        for _ in range(64):
            if not connection.recv(READ_BYTES):
                break


def confirm(stream: Stream) -> None:
    """Let TCP acknowledge what was read now, not up to 40 ms later.

    Brokers that join small packets (mosquitto as it comes) send nothing more until then: the delay
    of the one side would be the delay of every message. Linux only, and good for one time.
    """
    if _QUICKACK is not None:
        stream.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


class Waker:
    """Makes a loop that waits in `poll` turn at once, from any thread."""

    def __init__(self) -> None:
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)

    def fileno(self) -> int:
        """Return what the loop must watch."""
        return self._inner.fileno()

    def wake(self) -> None:
        """Let the loop turn; a full pipe means that it will anyway."""
        with contextlib.suppress(OSError):
            self._outer.send(b"\0")

    def clear(self) -> None:
        """Take all wake-ups so far."""
        with contextlib.suppress(OSError):
            self._inner.recv(4096)

    def close(self) -> None:
        """Give both ends back."""
        self._inner.close()
        self._outer.close()


class Inlet:
    """Collects received bytes until a whole frame is there; every byte is copied once or twice."""

    def __init__(self, connection: Stream) -> None:
        self._socket = connection
        self._buffer = bytearray(READ_BYTES)
        self._rest = bytearray()
        self._need = 0
        self.advanced = False

    @property
    def waiting(self) -> int:
        """Return how many bytes of an incomplete frame are here."""
        return len(self._rest)

    @property
    def pending(self) -> bool:
        """Tell whether bytes wait that `poll` does not see."""
        return hidden_bytes(self._socket)

    def read(self, decode: Callable[[bytes], tuple[int, int]]) -> int | None:
        """Read once, decode what is complete; return the bytes read, None at the end of input.

        ``decode`` returns how many bytes it took and how many it needs to go on.
        """
        self.advanced = False
        count = (
            self._socket.receive(self._buffer)
            if isinstance(self._socket, WebSocket)
            else receive(self._socket, self._buffer)
        )
        if not count:
            return count
        arrived = memoryview(self._buffer)[:count]
        if len(self._rest) + count < self._need:
            self._rest += arrived
            return count
        data = b"".join((self._rest, arrived))
        taken, self._need = decode(data)
        self._rest = bytearray(memoryview(data)[taken:])
        self.advanced = taken > 0
        return count


class Outlet:
    """Bytes on their way out; ``started`` tells the owner of a part that it cannot be withdrawn."""

    def __init__(self, connection: Stream) -> None:
        self._socket = connection
        self._chunk = memoryview(b"")
        self._finish: Callable[[], None] | None = None
        self._parts: deque[bytes] = deque()

    @property
    def idle(self) -> bool:
        """Tell whether everything was handed to the kernel."""
        return not self._chunk and not self._parts

    def add(self, part: bytes) -> None:
        """Queue bytes that nobody waits for: acknowledgements, requests."""
        self._parts.append(part)

    def send_now(self, part: bytes, finish: Callable[[], None]) -> bool:
        """Begin to send a message when nothing is before it; ``finish`` when the kernel has it."""
        if not self.flush():
            return False
        self._chunk, self._finish = memoryview(part), finish
        self.flush()
        return True

    def flush(self) -> bool:
        """Hand over what the kernel takes; return whether all is gone."""
        while True:
            if not self._chunk:
                if not self._parts:
                    return True
                self._chunk = memoryview(self._gather())
            try:
                count = self._socket.send(self._chunk)
            except WOULD_BLOCK:
                return False
            self._chunk = self._chunk[count:]
            if not self._chunk and self._finish is not None:
                finish, self._finish = self._finish, None
                finish()

    def _gather(self) -> bytes:
        chosen, size = [], 0
        while self._parts and size < WRITE_BYTES:
            part = self._parts.popleft()
            chosen.append(part)
            size += len(part)
        return b"".join(chosen)
