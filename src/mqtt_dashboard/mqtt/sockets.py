"""Reading a non-blocking socket in large pieces, with TLS or without."""

import socket
import ssl
from typing import Final

READ_BYTES: Final = 256 * 1024

WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def receive(connection: socket.socket, buffer: bytearray) -> int | None:
    """Read what is there, at most a buffer full; return None at the end of input.

    TLS hands out record after record, and `poll` does not see those it has decrypted already.
    """
    view, filled = memoryview(buffer), 0
    try:
        while filled < len(buffer):
            count = connection.recv_into(view[filled:])
            if not count:
                return filled or None
            filled += count
            if not hidden(connection):
                break
    except WOULD_BLOCK:
        pass
    return filled


def hidden(connection: socket.socket) -> int:
    """Return how many bytes wait that `poll` does not see."""
    return connection.pending() if isinstance(connection, ssl.SSLSocket) else 0
