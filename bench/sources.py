"""Where the counting process reads: a Redis channel or stream, or the broker itself.

Every source yields bytes as large as they come and understands as little of them as it can.
"""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import hiredis

from mqtt_dashboard.mqtt.v5_loop import DENSE_BYTES, NAP_SECONDS

READ_BYTES: Final = 1024 * 1024
STREAM_PAGE: Final = 2000
CONNECT: Final = b"\x10\x13\x00\x04MQTT\x04\x02\x00\x00\x00\x07bench-c"
SUBSCRIBE: Final = b"\x82\x06\x00\x01\x00\x01#\x00"


def open_source(kind: str, port: int, name: str) -> Iterator[bytes]:
    """Connect and return what arrives: ``channel``, ``stream``, ``mqtt`` or ``mqtt-nap``."""
    link = socket.create_connection(("127.0.0.1", port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if kind == "stream":
        return _stream(link, name)
    if kind == "channel":
        link.sendall(command("SUBSCRIBE", name))
        return _receive(link, nap=False)
    link.sendall(CONNECT)
    if link.recv(4) != b"\x20\x02\x00\x00":
        raise RuntimeError("the broker refused the counter")
    link.sendall(SUBSCRIBE)
    return _receive(link, nap=kind == "mqtt-nap")


def pump(source: Iterator[bytes], take: Callable[[bytes], None]) -> None:
    """Hand over everything the source yields."""
    for data in source:
        take(data)


def command(*words: str) -> bytes:
    """Return a Redis command in RESP."""
    parts = [f"*{len(words)}\r\n"]
    parts += [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return "".join(parts).encode()


def _receive(link: socket.socket, *, nap: bool) -> Iterator[bytes]:
    # One buffer for all reads: to allocate a large one for each would cost more than the reading.
    view = memoryview(bytearray(READ_BYTES))
    while size := link.recv_into(view):
        yield bytes(view[:size])
        if nap and size >= DENSE_BYTES:
            time.sleep(NAP_SECONDS)


def _stream(link: socket.socket, name: str) -> Iterator[bytes]:
    """Follow a stream from its beginning; only the last id of each answer is read."""
    reader, last = hiredis.Reader(), "0-0"
    incoming = _receive(link, nap=False)
    while True:
        words = ("XREAD", "COUNT", str(STREAM_PAGE), "BLOCK", "1000", "STREAMS", name, last)
        link.sendall(command(*words))
        answer: Any = False
        while answer is False:
            data = next(incoming, b"")
            if not data:
                return
            yield data
            reader.feed(data)
            answer = reader.gets()
        if answer:
            last = answer[0][1][-1][0].decode()
