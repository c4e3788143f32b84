"""Both links under load and over time: nothing lost, nothing held back for ever."""

import time
from typing import Any

from paho.mqtt.enums import MQTTErrorCode

from mqtt_dashboard.mqtt.client import (
    Outcome,
    Outgoing,
    Wanted,
)
from mqtt_dashboard.mqtt.paho_link import PahoLink
from mqtt_dashboard.mqtt.threaded_link import ThreadedLink
from tests.support.connected import Connected
from tests.support.fake_broker import CONNACK, FakeBroker, frame
from tests.support.servers import Broker, wait_for
from tests.unit.mqtt_layer.recorder import Receipts, options, running

ODD_TOPICS = ["a b/c", "quote\"'/x", "/", "//", "ümläut/日本/🚆", "x" * 1000, "per.cent%20/\\"]


def test_unacknowledged_comes_again(kind: type[ThreadedLink], broker: Broker) -> None:
    """QoS 1 messages that were not acknowledged are delivered again, the others are not (P37)."""
    publisher = Connected(kind, options(broker.port, "publisher"))
    reader = Connected(kind, options(broker.port))
    with running(publisher.link):
        publisher.opened()
        with running(reader.link):
            reader.opened()
            reader.subscribe(Wanted("q", 1))
            for number in range(6):
                publisher.publish("q", str(number).encode())
            messages = reader.received(6)
            reader.link.acknowledge([m.token for m in messages[:3]])
            # Out of order: the fifth must wait for the fourth, so the broker keeps both.
            reader.link.acknowledge([messages[4].token])
        old_tokens = [m.token for m in messages]
        reader.recorder.batches.clear()
        with running(reader.link):
            wait_for(lambda: len(reader.recorder.sessions) == 2, "connected again")
            again = reader.received(3)
            assert [(m.payload, m.dup) for m in again] == [(b"3", True), (b"4", True), (b"5", True)]
            # Acknowledgements of the earlier connection must not count for this one.
            reader.link.acknowledge(old_tokens)
            assert not set(old_tokens) & {m.token for m in again}
        reader.recorder.batches.clear()
        with running(reader.link):
            assert len(reader.received(3)) == 3


def test_pause_holds_back_and_loses_nothing(kind: type[ThreadedLink], broker: Broker) -> None:
    """While paused nothing is read, silence is no loss, and afterwards all arrives."""
    publisher = Connected(kind, options(broker.port, "publisher"))
    settings = options(broker.port, ping_after=0.3, answer_timeout=0.5, keepalive=2)
    reader = Connected(kind, settings)
    with running(publisher.link), running(reader.link):
        publisher.opened()
        reader.opened()
        reader.subscribe(Wanted("p", 1))
        reader.link.pause(paused=True)
        time.sleep(0.1)
        for number in range(50):
            publisher.publish("p", str(number).encode())
        time.sleep(4)
        assert reader.recorder.messages == []
        assert reader.recorder.losses == []
        reader.link.pause(paused=False)
        seen = 0
        deadline = time.monotonic() + 10
        while seen < 50 and time.monotonic() < deadline:
            messages = reader.recorder.messages
            reader.link.acknowledge([m.token for m in messages[seen:]])
            seen = len(messages)
            time.sleep(0.02)
        assert [m.payload for m in reader.recorder.messages] == [str(n).encode() for n in range(50)]
        assert reader.recorder.losses == []


def test_too_large_is_left_out(kind: type[ThreadedLink], broker: Broker) -> None:
    """A message above the limit never reaches the owner and does not end the connection (P44)."""
    publisher = Connected(kind, options(broker.port, "publisher"))
    reader = Connected(kind, options(broker.port, max_packet_size=2048))
    with running(publisher.link), running(reader.link):
        publisher.opened()
        reader.opened()
        reader.subscribe(Wanted("big", 1))
        publisher.publish("big", bytes(5000))
        publisher.publish("big", b"small")
        assert [m.payload for m in reader.received(1)] == [b"small"]
        assert reader.recorder.losses == []


def test_a_burst_arrives_in_large_batches(kind: type[ThreadedLink], broker: Broker) -> None:
    """A burst is complete, in order, and handed over in far fewer calls than messages."""
    publisher = Connected(kind, options(broker.port, "publisher"))
    reader = Connected(kind, options(broker.port))
    with running(publisher.link), running(reader.link):
        publisher.opened()
        reader.opened()
        reader.subscribe(Wanted("burst", 0))
        receipts = Receipts()
        for start in range(0, 5000, 500):
            for number in range(start, start + 500):
                deadline = time.monotonic() + 30
                message = Outgoing("burst", b"%d" % number, 0, False, deadline, receipts)
                publisher.link.publish(message)
            wait_for(lambda end=start + 500: len(receipts) == end, "sent")  # type: ignore[misc]
        messages = reader.received(5000)
        assert [int(m.payload) for m in messages] == list(range(5000))
        assert len(reader.recorder.batches) < 2500


def test_what_was_written_before_the_end_was_sent() -> None:
    """P54: QoS 0, 3.1.1: a whole message went out, then writing failed: sent, not to repeat."""
    quiet = [lambda peer: peer.send(frame(CONNACK, b"\0\0")), lambda peer: peer.idle(30)]
    with FakeBroker(quiet) as server:
        connected = Connected(PahoLink, options(server.port))
        with running(connected.link) as run:
            connected.opened()
            conversation: Any = connected.link._current

            def write_the_rest_and_fail() -> int:
                conversation._published.extend(conversation._mids)
                return int(MQTTErrorCode.MQTT_ERR_CONN_LOST)

            # Nobody reads, so the message stays half written until the socket takes more.
            conversation._client.loop_write = write_the_rest_and_fail
            receipts = Receipts()
            message = Outgoing("t", bytes(16_000_000), 0, False, time.monotonic() + 30, receipts)
            connected.link.publish(message)
            receipt = receipts.one()
            assert (receipt.outcome, receipt.unsent) == (Outcome.SENT, False)
            run.join()


def test_pushed_out(kind: type[ThreadedLink], broker: Broker) -> None:
    """A second client with the same id ends the first at once; the second stays (P41)."""
    first, second = (Connected(kind, options(broker.port)) for _ in range(2))
    with running(first.link) as run:
        first.opened()
        with running(second.link):
            second.opened()
            loss = run.join()
            assert second.recorder.losses == []
    assert "closed the connection" in loss.reason or loss.taken_over


def test_keep_alive_holds_an_idle_connection(kind: type[ThreadedLink], broker: Broker) -> None:
    """With a keep alive of 1 s the broker does not give an idle client up."""
    connected = Connected(kind, options(broker.port, keepalive=1))
    with running(connected.link):
        connected.opened()
        time.sleep(3)
        assert connected.recorder.losses == []
        assert connected.publish("a", b"") is Outcome.ACKED
