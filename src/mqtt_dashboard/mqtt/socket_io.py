"""The bytes of a connection: opening the socket, reading in large pieces, writing in order.

Knows nothing of MQTT. All sockets are non-blocking once they are open.
"""

import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mqtt_dashboard.errors import LinkError
from mqtt_dashboard.mqtt.client import LinkOptions
from mqtt_dashboard.mqtt.reasons import network_error

READ_BYTES: Final = 256 * 1024
WRITE_BYTES: Final = 64 * 1024
_DRAIN_SECONDS: Final = 0.2

WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


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


def open_socket(options: LinkOptions) -> socket.socket:
    """Connect, with TLS if asked for; raise `LinkError` in plain words."""
    address = f"{options.host}:{options.port}"
    try:
        context = tls_context(options) if options.tls else None
        plain = socket.create_connection((options.host, options.port), options.answer_timeout)
    except (OSError, ValueError) as error:
        raise LinkError(_said(error, address)) from error
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready = context.wrap_socket(plain, server_hostname=options.host) if context else plain
        ready.setblocking(False)
    except (OSError, ValueError) as error:
        plain.close()
        raise LinkError(_said(error, address)) from error
    return ready


def _said(error: OSError | ValueError, address: str) -> str:
    if isinstance(error, OSError):
        return network_error(error, address)
    return f"{address} is not a usable address: {error}"


def hang_up(connection: socket.socket) -> None:
    """Let what was written arrive before the socket is closed: unread input makes it a reset."""
    with contextlib.suppress(OSError, ValueError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_DRAIN_SECONDS)
        for _ in range(64):
            if not connection.recv(READ_BYTES):
                break


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
    """Collects received bytes until a whole frame is there; every byte is copied twice at most."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = bytearray(READ_BYTES)
        self._rest = bytearray()
        self._need = 0

    @property
    def pending(self) -> bool:
        """Tell whether bytes wait that `poll` does not see: TLS hands out whole records."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def read(self, decode: Callable[[bytes], tuple[int, int]]) -> int | None:
        """Read once, decode what is complete; return the bytes read, None at the end of input.

        ``decode`` returns how many bytes it took and how many it needs to go on.
        """
        count = self._receive()
        if not count:
            return count
        self._rest += memoryview(self._buffer)[:count]
        if len(self._rest) >= self._need:
            data = bytes(self._rest)
            taken, self._need = decode(data)
            self._rest = bytearray(data[taken:])
        return count

    def _receive(self) -> int | None:
        view, filled = memoryview(self._buffer), 0
        try:
            while filled < READ_BYTES:
                count = self._socket.recv_into(view[filled:])
                if not count:
                    return filled or None
                filled += count
                if not self.pending:
                    break
        except WOULD_BLOCK:
            pass
        return filled


class Outlet:
    """Bytes on their way out; ``started`` tells the owner of a part that it cannot be withdrawn."""

    def __init__(self, connection: socket.socket) -> None:
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
