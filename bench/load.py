"""A publisher that costs little: packets are packed beforehand and written in large pieces."""

import json
import socket
import struct
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What to publish; ``rate`` is messages per second, 0 means as fast as the broker takes it."""

    count: int
    topics: int = 1000
    payload_bytes: int = 100
    qos: int = 0
    rate: int = 0


def publish(port: int, load: Load) -> float:
    """Publish the load over MQTT 3.1.1 and return the seconds it took."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as link:
        link.sendall(b"\x10\x13\x00\x04MQTT\x04\x02\x00\x00\x00\x07bench-p")
        if link.recv(4) != b"\x20\x02\x00\x00":
            raise RuntimeError("the broker refused the publisher")
        frames = [_frame(load, number) for number in range(load.topics)]
        started = time.monotonic()
        for first in range(0, load.count, 200):
            part = range(first, min(first + 200, load.count))
            link.sendall(b"".join(frames[number % load.topics] for number in part))
            if load.rate:
                ahead = started + (first + 200) / load.rate - time.monotonic()
                time.sleep(max(ahead, 0))
        took = time.monotonic() - started
        link.sendall(b"\xe0\x00")
        return took


def _frame(load: Load, number: int) -> bytes:
    topic = f"bench/site{number % 10}/device{number}/state".encode()
    payload = json.dumps({"device": number, "temperature": 21.5, "pad": ""}).encode()
    payload = payload[:-2] + b"x" * max(load.payload_bytes - len(payload), 0) + b'"}'
    body = struct.pack("!H", len(topic)) + topic + payload
    return b"\x30" + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)
