"""Payloads at the very limit, and of the largest size there is (G15)."""

import socket
from pathlib import Path

import psutil
import pytest

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from tests.support.fake_broker import (
    CONNECT,
    PUBLISH,
    FakeBroker,
    Peer,
    Step,
    connack,
    frame,
    string,
    varint,
)
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess
from tests.unit.mqtt_layer.odd_cases import ALIVE, expect, send

NAMES = RedisChannels()
MIB = 1024 * 1024
LIMIT = 1_114_112  # MQTT_MAX_PACKET_SIZE as it comes
LARGEST = 268_435_455  # what a length of four bytes can say
GROWTH_BYTES = 64 * MIB
PASSES_S = 2.0


def pour(port: int, topic: bytes, packet: int | None = None, *, payload: int = 0) -> None:
    """Publish at QoS 0 without holding it, as a packet or payload of so many bytes."""
    head = string(topic) + b"\0"
    body = len(head) + payload
    if packet is not None:
        # The length bytes count themselves.
        body = next(
            n for n in range(packet - 2, packet - 6, -1) if 1 + len(varint(n)) + n == packet
        )
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        hello = string(b"MQTT") + b"\x05\x02\0\0\0" + string(b"pourer")
        connection.sendall(frame(CONNECT, hello))
        assert connection.recv(100)[3] == 0
        connection.sendall(bytes([PUBLISH << 4]) + varint(body) + head)
        left, binary = body - len(head), b"\xff" * MIB
        connection.settimeout(60)
        while left:
            left -= connection.send(binary[: min(left, MIB)])
        connection.sendall(b"\xc0\x00")
        assert connection.recv(100)[:1] == b"\xd0", "the broker took all of it"


def sizes(redis_server: RedisServer) -> dict[str, list[int]]:
    """Return the sizes of the payloads in Redis, by topic."""
    found: dict[str, list[int]] = {}
    for _id, fields in redis_server.client().xrange(NAMES.message_log):
        for message in codec.unpack_batch(fields[b"b"]).messages:
            found.setdefault(message.topic, []).append(len(message.payload))
    return found


class Watched:
    """A bridge whose memory and connections are watched from now on."""

    def __init__(self, bridge: BridgeProcess, broker: Broker, redis_server: RedisServer) -> None:
        self.bridge, self.broker, self.redis_server = bridge, broker, redis_server
        self.connects = len(bridge.logged("mqtt.connected"))
        self.before = psutil.Process(bridge.pid).memory_info().rss
        self.turn = 0

    def lives(self) -> None:
        """Show that a message still passes within 2 s, over the same connection."""
        self.turn += 1
        topic = f"alive/{self.turn}"
        pour(self.broker.port, topic.encode(), payload=1)
        wait_for(lambda: topic in sizes(self.redis_server), f"{topic} passes", PASSES_S)
        assert len(self.bridge.logged("mqtt.connected")) == self.connects

    @property
    def growth(self) -> int:
        """Return by how many bytes the memory has grown at its peak."""
        lines = Path(f"/proc/{self.bridge.pid}/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return peak * 1024 - self.before


def test_the_limit_is_exact(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """A packet up to the limit arrives, one byte more is left out; nothing breaks (P44)."""
    watched = Watched(bridge, broker, redis_server)
    pour(broker.port, b"one", payload=1)
    pour(broker.port, b"empty", payload=0)
    pour(broker.port, b"mib", payload=MIB)
    for name, size in ((b"less", LIMIT - 1), (b"just", LIMIT), (b"more", LIMIT + 1)):
        pour(broker.port, name, size)
    watched.lives()
    seen = sizes(redis_server)
    assert (seen["one"], seen["empty"], seen["mib"]) == ([1], [0], [MIB])
    around = LIMIT - 1 - 3 - 2 - 4 - 1
    assert (seen["less"], seen["just"]) == ([around - 1], [around])
    assert "more" not in seen
    assert watched.growth < GROWTH_BYTES


def claim_the_largest(peer: Peer) -> None:
    peer.send(b"\x30" + varint(LARGEST) + string(b"t") + b"\0")
    left = LARGEST - 4
    while left:
        part = min(left, MIB)
        peer.send(bytes(part))
        left -= part


def test_a_broker_that_sends_the_largest_packet(tmp_path: Path, redis_server: RedisServer) -> None:
    """256 MB - 1 from the broker itself are passed over, and the connection goes on."""
    script: list[Step] = [expect(CONNECT), send(connack()), claim_the_largest, send(ALIVE)]
    with FakeBroker([*script, lambda p: p.answer_pings(30)]) as broker:
        process = BridgeProcess(tmp_path, broker.port, redis_server)
        with running(process):
            wait_for(lambda: "alive" in sizes(redis_server), "the next message is in Redis", 20)
            peak = psutil.Process(process.pid).memory_info().rss
            assert len(process.logged("mqtt.too_large")) == 1
            assert process.logged("mqtt.disconnected") == []
    assert peak < 2 * GROWTH_BYTES


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_the_largest_payload_of_all(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """256 MB - 1 through a real broker are passed over like anything else."""
    watched = Watched(bridge, broker, redis_server)
    pour(broker.port, b"huge", LARGEST + 5)
    watched.lives()
    assert "huge" not in sizes(redis_server)
    assert len(bridge.logged("mqtt.too_large")) == 1
    assert watched.growth < GROWTH_BYTES
