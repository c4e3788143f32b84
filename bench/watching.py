"""Many viewers in one process: bare websockets under one epoll, as cheap as Python can be.

python -m bench.watching PORT VIEWERS CREDIT FILTERS...
    # prints "ready", then one answer per request

Each viewer watches the filters of one of FILTERS, in turn: "a/#" or, several at once, "a/#,b".
Every frame's arrival is compared with the time its newest message was written; what a frame says
was left out is added up. With CREDIT 1 each viewer gives credit as the page does.
"""

import base64
import itertools
import os
import re
import select
import socket
import struct
import sys
import time
from typing import Final

import msgspec

MARK: Final = b'"payload":"at:'
LEFT_OUT: Final = re.compile(rb'"(?:dropped|conflated)":([1-9]\d*)')
READ_BYTES: Final = 256 * 1024
WINDOW: Final = 8
PORTION: Final = 4


class Span(msgspec.Struct, frozen=True):
    """Count from now on, or (``ended``) return what was counted since."""

    ended: bool


class Watched(msgspec.Struct, frozen=True):
    """What all viewers got; latencies in milliseconds."""

    frames: int = 0
    fewest: int = 0
    messages: int = 0
    left_out: int = 0
    bytes: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


class Watcher:
    """One viewer: reassembles frames and looks at the marks in them."""

    def __init__(self, port: int, filters: str, *, credit: bool) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        if b" 101 " not in head:
            raise OSError(f"no websocket: {head!r}")
        self._credit = credit
        self._owed = 0
        self._buffer = b""
        self._needed = 2
        self._send("40")
        if credit:
            self._send(f'42["credit",{{"frames":{WINDOW}}}]')
        for one in filters.split(","):
            self._send(f'42["subscribe",{{"filter":"{one}"}}]')
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self.frames = self.messages = self.left_out = self.bytes = 0
        self.delays: list[float] = []

    def read(self) -> None:
        """Take what has arrived."""
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise OSError("the server closed a connection")
        buffer = self._buffer + data if self._buffer else data
        while len(buffer) >= self._needed:
            start, end = _bounds(buffer)
            if len(buffer) < end:
                self._needed = end
                break
            self._take(buffer[start:end])
            buffer, self._needed = buffer[end:], 2
        self._buffer = buffer

    def _take(self, text: bytes) -> None:
        if text == b"2":
            self._send("3")
        if not text.startswith(b'42["mqtt_messages"'):
            return
        if self._credit:
            self._owed += 1
            if self._owed == PORTION:
                self._owed = 0
                self._send(f'42["credit",{{"frames":{PORTION}}}]')
        last = text.rfind(MARK)
        if last < 0 or b'"replay":true' in text[-80:]:
            return
        now = time.monotonic()
        begin = last + len(MARK)
        self.delays.append(now - float(text[begin : text.index(b" ", begin)]))
        self.frames += 1
        self.bytes += len(text)
        self.messages += text.count(MARK)
        for part in (text[:120], text[-120:]):
            self.left_out += sum(int(one) for one in LEFT_OUT.findall(part))

    def _send(self, text: str) -> None:
        # A mask of zeros is a valid one and costs nothing.
        data = text.encode()
        self.socket.sendall(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)


def _bounds(buffer: bytes) -> tuple[int, int]:
    """Return where the first frame's text begins and ends; the end may lie behind the buffer."""
    length = buffer[1]
    if length < 126:
        return 2, 2 + length
    start, layout = (4, ">H") if length == 126 else (10, ">Q")
    if len(buffer) < start:
        return start, start + 1
    (length,) = struct.unpack_from(layout, buffer, 2)
    return start, start + length


def _result(watchers: list[Watcher]) -> Watched:
    delays = sorted(delay for one in watchers for delay in one.delays)
    if not delays:
        return Watched()
    p50, p99, worst = (delays[int((len(delays) - 1) * part)] * 1000 for part in (0.5, 0.99, 1))
    messages, left_out = (sum(getattr(w, n) for w in watchers) for n in ("messages", "left_out"))
    return Watched(
        frames=len(delays),
        fewest=min(one.frames for one in watchers),
        messages=messages,
        left_out=left_out,
        bytes=sum(one.bytes for one in watchers),
        p50_ms=p50,
        p99_ms=p99,
        max_ms=worst,
    )


def main() -> None:
    """Connect, then read and answer requests until the input ends."""
    port, count, credit = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1"
    watched = itertools.cycle(sys.argv[4:])
    watchers = [Watcher(port, next(watched), credit=credit) for _ in range(count)]
    poll = select.epoll()
    by_number = {one.socket.fileno(): one for one in watchers}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    poll.register(sys.stdin.fileno(), select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for number, _events in poll.poll():
            watcher = by_number.get(number)
            if watcher is not None:
                watcher.read()
                continue
            line = sys.stdin.readline()
            if not line:
                return
            answer = Watched()
            if msgspec.json.decode(line, type=Span).ended:
                answer = _result(watchers)
            else:
                for one in watchers:
                    one.begin()
            print(msgspec.json.encode(answer).decode(), flush=True)


if __name__ == "__main__":
    main()
