"""No bridge at all: documents packed beforehand, to see how fast Redis takes them.

Called like `bench.load`, but the port is that of Redis and the pieces are pipelines of PUBLISH.
"""

import json
import socket
import sys
import time

import msgspec

from bench.load import Load, Sent, payload_of
from bench.sources import command

PER_PIECE = 200


def pieces_of(load: Load) -> list[tuple[int, bytes]]:
    """Return all commands, joined to pipelines, each with its first number."""
    pieces = []
    for first in range(0, load.count, PER_PIECE):
        numbers = range(first, min(first + PER_PIECE, load.count))
        pieces.append((first, b"".join(_publish(load, number) for number in numbers)))
    return pieces


def _publish(load: Load, number: int) -> bytes:
    device = number % load.topics
    head, tail = payload_of(load, device)
    document = {
        "type": "message_received",
        "topic": f"bench/site{device % 10}/device{device}/state",
        "payload": (head + b"%09d" % number + tail).decode(),
        "timestamp": 1_700_000_000.5,
    }
    return command("PUBLISH", "mqtt:messages", json.dumps(document))


def main() -> None:
    """Write one load when told to; one pipeline is always on its way."""
    port, load = int(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Load)
    pieces = pieces_of(load)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as link:
        print("ready", flush=True)
        sys.stdin.readline()
        log = []
        answers = 0
        for first, piece in pieces:
            log.append((first, time.monotonic()))
            link.sendall(piece)
            while answers < first:
                answers += link.recv(65_536).count(b"\n")
        while answers < load.count:
            answers += link.recv(65_536).count(b"\n")
        sent = Sent(log, time.monotonic())
        print(msgspec.json.encode(sent).decode(), flush=True)


if __name__ == "__main__":
    main()
