"""A publisher that costs little: every packet is built beforehand and written in large pieces.

Each payload is JSON of an exact size and bears the mark of its run and a sequence number, so that
whoever reads the other end can tell what is missing. Runs as a process of its own::

    python -m bench.load PORT LOAD-AS-JSON     # prints "ready", waits for a line, sends, reports
"""

import socket
import struct
import sys
import time
from itertools import pairwise
from typing import Final

import msgspec

PIECE_BYTES: Final = 32 * 1024
TICK_S: Final = 0.001
# Packet ids are 1 to 65,535: fewer than that may wait for their PUBACK.
WINDOW: Final = 20_000
PUBACK_BYTES: Final = 4
CONNECT: Final = b"\x10\x13\x00\x04MQTT\x04\x02\x00\x00\x00\x07bench-p"


class Load(msgspec.Struct, frozen=True):
    """What to publish; ``rate`` is messages per second, 0 means as fast as the broker takes it."""

    count: int
    topics: int = 1000
    size: int = 100
    qos: int = 0
    rate: int = 0
    run: int = 0

    @property
    def mark(self) -> bytes:
        """Return what stands before the sequence number in each payload of this run."""
        return b"~%03d:" % self.run


class Sent(msgspec.Struct, frozen=True):
    """When each piece was handed to the kernel (monotonic clock), by its first number."""

    pieces: list[tuple[int, float]]
    ended: float


def payload_of(load: Load, device: int) -> tuple[bytes, bytes]:
    """Return what comes before and after the sequence number in a payload of ``load.size``."""
    head = b'{"n":"' + load.mark
    tail = b'","device":%d,"t":21.5,"pad":"' % device
    room = load.size - len(head) - len(tail) - 9 - 2
    return head, tail + b"x" * max(room, 0) + b'"}'


def pieces_of(load: Load) -> list[tuple[int, bytes]]:
    """Return all packets, joined to pieces to write at once, each with its first number."""
    heads = [_head(load, device) for device in range(load.topics)]
    tails = [payload_of(load, device)[1] for device in range(load.topics)]
    start = payload_of(load, 0)[0]
    per_piece = max(round(load.rate * TICK_S), 1) if load.rate else PIECE_BYTES // load.size + 1
    firsts = [*range(0, load.count, per_piece), load.count]
    ids = struct.Struct("!H")
    pieces = []
    for first, end in pairwise(firsts):
        parts: list[bytes] = []
        for number in range(first, end):
            device = number % load.topics
            identifier = ids.pack(number % 65_535 + 1) if load.qos else b""
            parts += (heads[device], identifier, start, b"%09d" % number, tails[device])
        pieces.append((first, b"".join(parts)))
    return pieces


def connect(port: int) -> socket.socket:
    """Open an MQTT 3.1.1 session to publish in."""
    link = socket.create_connection(("127.0.0.1", port), timeout=60)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(CONNECT)
    if link.recv(4) != b"\x20\x02\x00\x00":
        raise RuntimeError("the broker refused the publisher")
    # With a time-out Python would wait for input before each read, also when told not to.
    link.settimeout(None)
    return link


def send(link: socket.socket, load: Load, pieces: list[tuple[int, bytes]]) -> Sent:
    """Write the pieces at the load's rate; at QoS 1 wait for every PUBACK."""
    log: list[tuple[int, float]] = []
    acknowledged = 0
    started = time.monotonic()
    for first, piece in pieces:
        if load.rate:
            time.sleep(max(started + first / load.rate - time.monotonic(), 0))
        if load.qos:
            acknowledged += _drain(link, block=first * PUBACK_BYTES - acknowledged > WINDOW * 4)
        log.append((first, time.monotonic()))
        link.sendall(piece)
    while load.qos and acknowledged < load.count * PUBACK_BYTES:
        acknowledged += _drain(link, block=True)
    ended = time.monotonic()
    link.sendall(b"\xe0\x00")
    return Sent(log, ended)


def _drain(link: socket.socket, *, block: bool) -> int:
    try:
        return len(link.recv(65_536, 0 if block else socket.MSG_DONTWAIT))
    except BlockingIOError:
        return 0


def _head(load: Load, device: int) -> bytes:
    topic = f"bench/site{device % 10}/device{device}/state".encode()
    size = 9 + sum(map(len, payload_of(load, device)))
    length = 2 + len(topic) + (2 if load.qos else 0) + size
    first = 0x30 | load.qos << 1
    return bytes([first]) + _varint(length) + struct.pack("!H", len(topic)) + topic


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def main() -> None:
    """Publish one load when told to."""
    port, load = int(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Load)
    pieces = pieces_of(load)
    with connect(port) as link:
        print("ready", flush=True)
        sys.stdin.readline()
        print(msgspec.json.encode(send(link, load, pieces)).decode(), flush=True)


if __name__ == "__main__":
    main()
