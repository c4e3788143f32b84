"""A broker of MQTT 3.1.1 that does wrong: no hang, no dead thread, plain words (P27)."""

import struct

import pytest

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt import asking
from mqtt_dashboard.mqtt.client import Wanted
from mqtt_dashboard.mqtt.paho_link import PahoLink
from tests.support.fake_broker import (
    CONNECT,
    PUBACK,
    PUBLISH,
    SUBACK,
    SUBSCRIBE,
    FakeBroker,
    Step,
    frame,
    string,
)
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.odd_cases import expect, send, wait
from tests.unit.mqtt_layer.recorder import Recorder, options, running

CONNACK = b"\x20\x02\x00\x00"
ALIVE = frame(PUBLISH, string(b"alive") + b"yes")
OPEN: list[Step] = [expect(CONNECT), send(CONNACK)]

ENDS: list[tuple[str, list[Step], str]] = [
    ("no CONNACK", [wait(3)], "no CONNACK"),
    ("close after CONNECT", [expect(CONNECT), lambda p: p.close()], "before it answered"),
    ("version refused", [expect(CONNECT), send(b"\x20\x02\0\1")], "does not speak MQTT 3.1.1"),
    ("bad password", [expect(CONNECT), send(b"\x20\x02\0\4")], "bad user name or password"),
    ("not authorised", [expect(CONNECT), send(b"\x20\x02\0\5")], "not authorised"),
    ("HTTP", [expect(CONNECT), send(b"HTTP/1.1 400 Bad\r\n\r\n" + bytes(99))], "the broker"),
    ("silence", [*OPEN, wait(4)], "does not answer"),
    ("close", [*OPEN, lambda p: p.close()], "closed the connection"),
    ("reset", [*OPEN, lambda p: p.reset()], "closed the connection"),
    ("garbage", [*OPEN, send(b"\xff" * 99)], "the broker"),
    ("packet type 0", [*OPEN, send(b"\x00\x00")], "the broker"),
    ("topic longer than its packet", [*OPEN, send(frame(PUBLISH, b"\0\x09a"))], "the broker"),
    ("PUBLISH without body", [*OPEN, send(frame(PUBLISH))], "the broker"),
    ("PUBACK of one byte", [*OPEN, send(frame(PUBACK, b"\0"))], "the broker"),
    ("a length of five bytes", [*OPEN, send(b"\x30\xff\xff\xff\xff\x01")], "the broker"),
]  # fmt: skip


def quick(port: int) -> PahoLink:
    """Return a link that gives up soon."""
    settings = options(port, ping_after=0.2, answer_timeout=0.5, max_packet_size=4096)
    return PahoLink(settings, Recorder(), SystemClock())


@pytest.mark.parametrize(("name", "script", "words"), ENDS, ids=[case[0] for case in ENDS])
def test_ends_in_plain_words(name: str, script: list[Step], words: str) -> None:
    """The connection ends with a sentence, and `run` returns it."""
    with FakeBroker(script) as broker:
        link = quick(broker.port)
        with running(link) as run:
            loss = run.join()
    assert words in loss.reason
    assert "internal error" not in loss.reason


def test_left_out_and_going_on() -> None:
    """Messages nobody can read are counted, acknowledged, and cost nothing else (P27, P44)."""
    hostile = [
        frame(PUBLISH, string(b"\xff\xfe") + b"x"),
        frame(PUBLISH, string(b"a/#") + b"x"),
        frame(PUBLISH, string(b"big") + bytes(5000)),
        frame(PUBLISH, string(b"\xff") + struct.pack(">H", 7) + b"x", flags=2),
    ]
    script: list[Step] = [*OPEN, send(b"".join(hostile)), expect(PUBACK), send(ALIVE)]
    with FakeBroker([*script, lambda p: p.answer_pings(9)]) as broker:
        link = quick(broker.port)
        recorder = link.listener
        assert isinstance(recorder, Recorder)
        with running(link):
            wait_for(lambda: recorder.messages, "going on")
        assert broker.errors == []
    assert [message.topic for message in recorder.messages] == ["alive"]
    assert len(recorder.malformed) == 4


@pytest.mark.parametrize("codes", [b"\0", b"\0\0\0", b"\x80\x80"])
def test_odd_suback(codes: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SUBACK with too few, too many or failing codes is told for each filter."""
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.4)

    def answer(peer: object) -> None:
        packet_id = struct.pack(">H", peer.packet_id)  # type: ignore[attr-defined]
        peer.send(frame(SUBACK, packet_id + codes))  # type: ignore[attr-defined]

    script: list[Step] = [*OPEN, expect(SUBSCRIBE), answer, lambda p: p.answer_pings(9)]
    with FakeBroker(script) as broker:
        link = quick(broker.port)
        recorder = link.listener
        assert isinstance(recorder, Recorder)
        recorder.on_open_do = lambda _session: link.subscribe([Wanted("a", 0), Wanted("b", 0)])
        with running(link):
            wait_for(lambda: len(recorder.granted) == 2, "answers")
    assert all(qos is None and error for _, qos, error in recorder.granted)
