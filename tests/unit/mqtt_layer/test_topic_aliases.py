"""Topic aliases of the broker (MQTT 5.0, 3.3.2.3.4): offered, resolved, forgotten with the link."""

import mqtt5

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.fake_broker import CONNECT, FakeBroker, Step, connack, publish
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.odd_cases import expect, send
from tests.unit.mqtt_layer.recorder import Recorder, options, running


def alias(number: int) -> bytes:
    return b"\x23" + number.to_bytes(2)


def test_aliases_are_offered_and_resolved() -> None:
    """CONNECT offers 500; each stands for the topic last sent with it, and only on this link."""
    said = [
        publish(b"plant/a", b"1", properties=alias(1)),
        publish(b"plant/b", b"2", properties=alias(2)),
        publish(b"", b"3", properties=alias(1)),
        publish(b"plant/c", b"4", properties=alias(1)),
        publish(b"", b"5", qos=1, packet_id=3, properties=alias(1)),
        publish("größe".encode(), b"6", properties=alias(2)),
        publish(b"", b"7", properties=b"\x01\x01" + alias(2)),
    ]
    first: list[Step] = [expect(CONNECT), send(connack() + b"".join(said)), lambda p: p.close()]
    forgotten = publish(b"", b"8", properties=alias(1))
    second: list[Step] = [expect(CONNECT), send(connack() + forgotten), lambda p: p.drain()]
    recorder = Recorder()
    with FakeBroker(first, second) as broker:
        link = V5Link(options(broker.port), recorder, SystemClock())
        link.run()
        with running(link) as run:
            loss = run.join()
        hello = mqtt5.read(memoryview(broker.received[0]))[0]
    assert isinstance(hello, mqtt5.ConnectPacket)
    assert hello.topic_alias_max == 500
    assert [(m.topic, m.payload) for m in recorder.messages] == [
        ("plant/a", b"1"),
        ("plant/b", b"2"),
        ("plant/a", b"3"),
        ("plant/c", b"4"),
        ("plant/c", b"5"),
        ("größe", b"6"),
        ("größe", b"7"),
    ]
    assert "topic alias 1 without saying its topic" in loss.reason
    # An alias is the connection's business, not the message's.
    assert recorder.messages[0].properties is None
    assert recorder.messages[6].properties is not None


def test_long_topics_are_not_remembered() -> None:
    """Topics of 64 KiB are read, also again and again, without being kept (bounded memory)."""
    topics = [b"%05d" % number + b"x" * 65_000 for number in range(20)]
    script: list[Step] = [expect(CONNECT), send(connack())]
    script += [send(b"".join(map(publish, topics)) * 2), lambda p: p.answer_pings(9)]
    recorder = Recorder()
    with FakeBroker(script) as broker:
        link = V5Link(options(broker.port), recorder, SystemClock())
        with running(link):
            wait_for(lambda: len(recorder.messages) == 40, "every message")
    assert [m.topic.encode() for m in recorder.messages] == topics * 2
