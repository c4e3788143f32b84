"""A broker that sends more at once than anybody can confirm is held off, not hung up on."""

import struct
import threading
import time

import pytest

from mqtt_dashboard.mqtt.paho_link import PahoLink
from mqtt_dashboard.mqtt.threaded_link import ThreadedLink
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.connected import Connected
from tests.support.fake_broker import (
    CONNECT,
    PUBLISH,
    FakeBroker,
    Step,
    connack,
    frame,
    publish,
    string,
)
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.odd_cases import expect, send
from tests.unit.mqtt_layer.recorder import options, running

COUNT = 68_000


def flood(protocol: int) -> bytes:
    """Build QoS 1 messages whose packet ids come round again."""
    packets = bytearray()
    for number in range(COUNT):
        packet_id = number % 65_535 + 1
        if protocol == 5:
            packets += publish(b"t", b"%d" % number, qos=1, packet_id=packet_id)
        else:
            body = string(b"t") + struct.pack(">H", packet_id) + b"%d" % number
            packets += frame(PUBLISH, body, 2)
    return bytes(packets)


LINKS = pytest.mark.parametrize(
    ("kind", "protocol", "hello"),
    [(V5Link, 5, connack(present=True)), (PahoLink, 4, b"\x20\x02\x01\x00")],
    ids=["v5", "paho"],
)


@LINKS
def test_a_connection_that_breaks_in_a_pause_is_noticed(
    kind: type[ThreadedLink], protocol: int, hello: bytes
) -> None:
    """P27: although nothing is read, the end of the connection is told at once."""
    broken = threading.Event()
    script: list[Step] = [
        expect(CONNECT),
        send(hello),
        lambda _peer: broken.wait(10),
        lambda peer: peer.reset(),
    ]
    with FakeBroker(script) as broker:
        reader = Connected(kind, options(broker.port))
        with running(reader.link):
            reader.opened()
            reader.link.pause(paused=True)
            broken.set()
            wait_for(lambda: reader.recorder.losses, f"MQTT {protocol}: the end is told", 10)


@LINKS
def test_a_crowd_waits_at_the_broker(kind: type[ThreadedLink], protocol: int, hello: bytes) -> None:
    """G1: far fewer are taken than there are packet ids; once they are confirmed the rest comes."""
    script = [expect(CONNECT), send(hello + flood(protocol))]
    with FakeBroker(script) as broker:
        reader = Connected(kind, options(broker.port, ping_after=0.5, answer_timeout=0.5))
        seen = reader.recorder
        with running(reader.link):
            reader.opened()
            wait_for(lambda: sum(map(len, seen.batches)) >= 30_000, "a crowd has come", 30)
            time.sleep(2)  # longer than an unanswered question may stay open
            assert sum(map(len, seen.batches)) < 65_535
            assert seen.losses == []
            acknowledged = 0

            def all_came() -> bool:
                nonlocal acknowledged
                batches = list(seen.batches)[acknowledged:]
                acknowledged += len(batches)
                reader.link.acknowledge([message.token for batch in batches for message in batch])
                return sum(map(len, seen.batches)) == COUNT

            wait_for(all_came, "all came", 60)
            assert seen.losses == []
        assert [int(message.payload) for message in seen.messages] == list(range(COUNT))
