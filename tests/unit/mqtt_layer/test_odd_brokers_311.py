"""A broker of MQTT 3.1.1 that does wrong: no hang, no dead thread, plain words (P27)."""
# ruff: noqa: E501 - a case is a line

import struct
import time
from collections.abc import Iterator

import pytest

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt import asking
from mqtt_dashboard.mqtt.client import Incoming, Outcome, Outgoing, Session, Wanted
from mqtt_dashboard.mqtt.paho_link import PahoLink
from tests.support.fake_broker import (
    AUTH,
    CONNECT,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
    UNSUBACK,
    UNSUBSCRIBE,
    FakeBroker,
    Peer,
    Step,
    answer,
    frame,
    string,
)
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.odd_cases import expect, reply, send, wait
from tests.unit.mqtt_layer.recorder import Receipts, Recorder, options, running

CONNACK = b"\x20\x02\x00\x00"
ALIVE = frame(PUBLISH, string(b"alive") + b"yes")
HELLO: list[Step] = [expect(CONNECT)]
OPEN: list[Step] = [expect(CONNECT), send(CONNACK)]
WELL: list[Step] = [*OPEN, send(ALIVE), lambda p: p.answer_pings(9)]
AT_MOST_S = 4.5

FORBIDDEN = "does not allow"
NOBODY = "not an MQTT broker"
PACKETS = {
    "PUBACK": (PUBACK, 0, b"\0\1"),
    "PUBREC": (PUBREC, 0, b"\0\1"),
    "PUBREL": (PUBREL, 2, b"\0\1"),
    "PUBCOMP": (PUBCOMP, 0, b"\0\1"),
    "SUBACK": (SUBACK, 0, b"\0\1\0"),
    "UNSUBACK": (UNSUBACK, 0, b"\0\1"),
    "PINGRESP": (PINGRESP, 0, b""),
}
Ending = tuple[str, list[Step], str]


def close(peer: Peer) -> None:
    peer.close()


def message(topic: bytes, packet_id: int, qos: int) -> bytes:
    return frame(PUBLISH, string(topic) + struct.pack(">H", packet_id) + b"x", flags=qos << 1)


def per_packet() -> Iterator[Ending]:
    """Every packet of a broker, cut, swollen or misplaced."""
    for name, (kind, flags, body) in PACKETS.items():
        whole = frame(kind, body, flags)
        yield (f"{name} before CONNACK", [*HELLO, send(whole)], NOBODY)
        yield (
            f"{name} with bytes left over",
            [*OPEN, send(frame(kind, body + b"xyz", flags))],
            FORBIDDEN,
        )
        yield (
            f"{name} with a length of five bytes",
            [*OPEN, send(whole[:1] + b"\x80\x80\x80\x80\x01")],
            FORBIDDEN,
        )
        yield (
            f"half a {name}, then close",
            [*OPEN, send(whole[:-1]), close],
            "closed the connection",
        )
        if body:
            yield (f"{name} without body", [*OPEN, send(frame(kind, b"", flags))], FORBIDDEN)
            yield (f"{name} of one byte", [*OPEN, send(frame(kind, b"\0", flags))], FORBIDDEN)


ENDS: list[Ending] = [
    *per_packet(),
    ("no CONNACK", [wait(3)], "no CONNACK"),
    ("close after CONNECT", [*HELLO, close], "before it answered"),
    ("version refused", [*HELLO, send(b"\x20\x02\0\1")], "does not speak MQTT 3.1.1"),
    ("client id refused", [*HELLO, send(b"\x20\x02\0\2")], "client id is refused"),
    ("unavailable", [*HELLO, send(b"\x20\x02\0\3")], "unavailable"),
    ("bad password", [*HELLO, send(b"\x20\x02\0\4")], "bad user name or password"),
    ("not authorised", [*HELLO, send(b"\x20\x02\0\5")], "not authorised"),
    ("refused, with a session", [*HELLO, send(b"\x20\x02\1\5")], "not authorised"),
    ("refused with code 6", [*HELLO, send(b"\x20\x02\0\6")], "unspecified error"),
    ("refused with code 255", [*HELLO, send(b"\x20\x02\0\xff")], "unspecified error"),
    ("CONNACK without body", [*HELLO, send(b"\x20\0")], "does not speak MQTT 3.1.1"),
    ("CONNACK of one byte", [*HELLO, send(b"\x20\1\0")], "does not speak MQTT 3.1.1"),
    ("CONNACK of three bytes", [*HELLO, send(b"\x20\3\0\0\0")], "does not speak MQTT 3.1.1"),
    ("half a CONNACK", [*HELLO, send(CONNACK[:3]), wait(3)], "no CONNACK"),
    ("half a CONNACK, then close", [*HELLO, send(CONNACK[:3]), close], "before it answered"),
    ("CONNACK, one byte a second", [*HELLO, lambda p: p.drip(CONNACK, 1.0)], "no CONNACK"),
    ("HTTP", [*HELLO, send(b"HTTP/1.1 400 Bad\r\n\r\n" + bytes(99))], NOBODY),
    ("SSH", [*HELLO, send(b"SSH-2.0-x\r\n" + bytes(99))], NOBODY),
    ("zeros", [*HELLO, send(bytes(64))], NOBODY),
    ("a message before CONNACK", [*HELLO, send(ALIVE)], NOBODY),
    ("silence", [*OPEN, wait(4)], "does not answer"),
    ("close", [*OPEN, close], "closed the connection"),
    ("reset", [*OPEN, lambda p: p.reset()], "closed the connection"),
    ("garbage", [*OPEN, send(b"\xff" * 99)], FORBIDDEN),
    ("packet type 0", [*OPEN, send(b"\x00\x00")], FORBIDDEN),
    ("CONNECT from the broker", [*OPEN, send(frame(CONNECT))], FORBIDDEN),
    ("SUBSCRIBE from the broker", [*OPEN, send(frame(SUBSCRIBE, b"\0\1\0\1a\0", 2))], FORBIDDEN),
    ("UNSUBSCRIBE from the broker", [*OPEN, send(frame(UNSUBSCRIBE, b"\0\1\0\1a", 2))], FORBIDDEN),
    ("AUTH from the broker", [*OPEN, send(frame(AUTH))], FORBIDDEN),
    ("QoS 3", [*OPEN, send(message(b"a", 1, 3))], FORBIDDEN),
    ("topic longer than its packet", [*OPEN, send(frame(PUBLISH, b"\0\x09a"))], "the broker"),
    ("PUBLISH without body", [*OPEN, send(frame(PUBLISH))], "the broker"),
    ("PUBLISH of one byte", [*OPEN, send(frame(PUBLISH, b"\0"))], "the broker"),
    ("PUBLISH cut off in its packet id", [*OPEN, send(frame(PUBLISH, string(b"a") + b"\0", 2))], "the broker"),
    ("an empty topic", [*OPEN, send(frame(PUBLISH, string(b"") + b"x"))], FORBIDDEN),
    ("a length of five bytes", [*OPEN, send(b"\x30\xff\xff\xff\xff\x01")], FORBIDDEN),
    ("half a PUBLISH, then silence", [*OPEN, send(ALIVE[:5]), wait(4)], "does not answer"),
    ("a claim of 256 MB, then silence", [*OPEN, send(b"\x30\xff\xff\xff\x7f"), wait(4)], "does not answer"),
    ("a message, one byte a second", [*OPEN, lambda p: p.drip(ALIVE, 1.0)], "does not answer"),
    ("a message, slower than the keep alive", [*OPEN, lambda p: p.drip(frame(PUBLISH, string(b"s") + bytes(99)), 0.1)], "too slowly"),
]  # fmt: skip

# Odd, and harmless: script, messages handed over besides `ALIVE`, QoS published, its outcome.
GOES_ON: list[tuple[str, list[Step], int, int | None, Outcome | None]] = [
    ("CONNACK twice", [send(CONNACK)], 0, None, None),
    ("PINGREQ from the broker", [send(frame(PINGREQ)), expect(PINGRESP)], 0, None, None),
    ("PINGRESP unasked", [send(frame(PINGRESP) * 3)], 0, None, None),
    ("answers for unknown ids", [send(answer(PUBACK, 9) + answer(PUBREC, 9) + answer(PUBCOMP, 9))], 0, None, None),
    ("packet id 0 in an answer", [send(answer(PUBACK, 0))], 0, None, None),
    ("PUBREL for an unknown id", [send(answer(PUBREL, 9, flags=2)), expect(PUBCOMP)], 0, None, None),
    ("packet id 0 at QoS 1", [send(message(b"a", 0, 1)), expect(PUBACK)], 1, None, None),
    ("a packet id twice at QoS 1", [send(message(b"a", 7, 1) * 2), expect(PUBACK), expect(PUBACK)], 2, None, None),
    ("QoS 2, as it should be", [send(message(b"a", 7, 2)), expect(PUBREC), send(answer(PUBREL, 7, flags=2)), expect(PUBCOMP)], 1, None, None),
    ("QoS 2 twice, released twice", [send(message(b"a", 7, 2) * 2), expect(PUBREC), send(answer(PUBREL, 7, flags=2) * 2), expect(PUBCOMP), expect(PUBCOMP)], 1, None, None),
    ("QoS 2 without a release", [send(message(b"a", 7, 2)), expect(PUBREC)], 0, None, None),
    ("QoS 2 again after its release", [send(message(b"a", 7, 2)), expect(PUBREC), send(answer(PUBREL, 7, flags=2)), expect(PUBCOMP), send(message(b"a", 7, 2) + answer(PUBREL, 7, flags=2)), expect(PUBCOMP)], 2, None, None),
    ("the DUP flag at QoS 0", [send(frame(PUBLISH, string(b"a") + b"x", 8))], 1, None, None),
    ("one byte at a time", [lambda p: p.drip(frame(PUBLISH, string(b"slow") + b"x" * 9), 0.02)], 1, None, None),
    ("PUBACK twice", [expect(PUBLISH), reply(PUBACK), reply(PUBACK)], 0, 1, Outcome.ACKED),
    ("PUBACK for another packet", [expect(PUBLISH), reply(PUBACK, shift=1)], 0, 1, Outcome.INDETERMINATE),
    ("no PUBACK", [expect(PUBLISH)], 0, 1, Outcome.INDETERMINATE),
    ("PUBREC for QoS 1", [expect(PUBLISH), reply(PUBREC)], 0, 1, Outcome.INDETERMINATE),
    ("PUBREC twice", [expect(PUBLISH), reply(PUBREC), reply(PUBREC), expect(PUBREL), reply(PUBCOMP)], 0, 2, Outcome.ACKED),
    ("PUBREC, then nothing", [expect(PUBLISH), reply(PUBREC), expect(PUBREL)], 0, 2, Outcome.INDETERMINATE),
]  # fmt: skip


def quick(port: int) -> PahoLink:
    """Return a link that gives up soon."""
    settings = options(port, keepalive=2, ping_after=0.2, answer_timeout=0.5, max_packet_size=4096)
    link = PahoLink(settings, Recorder(), SystemClock())
    recorder = link.listener
    assert isinstance(recorder, Recorder)

    def acknowledge(messages: list[Incoming]) -> None:
        link.acknowledge([entry.token for entry in messages if entry.token])

    recorder.on_messages_do = acknowledge
    return link


@pytest.mark.parametrize(("name", "script", "words"), ENDS, ids=[case[0] for case in ENDS])
def test_ends_in_plain_words(name: str, script: list[Step], words: str) -> None:
    """The connection ends with a sentence, in time, and the next attempt succeeds."""
    with FakeBroker(script, WELL) as broker:
        link = quick(broker.port)
        recorder = link.listener
        assert isinstance(recorder, Recorder)
        started = time.monotonic()
        with running(link) as run:
            loss = run.join()
        assert time.monotonic() - started < AT_MOST_S
        with running(link):
            wait_for(lambda: recorder.messages, "connected again")
    assert words in loss.reason
    assert "internal error" not in loss.reason


@pytest.mark.parametrize(
    ("name", "script", "delivered", "qos", "outcome"), GOES_ON, ids=[case[0] for case in GOES_ON]
)
def test_goes_on(
    name: str, script: list[Step], delivered: int, qos: int | None, outcome: Outcome | None
) -> None:
    """What is odd but harmless costs nothing: the next message arrives."""
    with FakeBroker([*OPEN, *script, send(ALIVE), lambda p: p.answer_pings(9)]) as broker:
        link, receipts = quick(broker.port), Receipts()
        recorder = link.listener
        assert isinstance(recorder, Recorder)

        def publish(_session: Session) -> None:
            if qos is not None:
                deadline = time.monotonic() + 0.7
                link.publish(Outgoing("out", b"1", qos, False, deadline, receipts))  # type: ignore[arg-type]

        recorder.on_open_do = publish
        with running(link):
            wait_for(lambda: any(m.topic == "alive" for m in recorder.messages), "going on")
            if outcome is not None:
                assert receipts.one(3).outcome is outcome
        assert broker.errors == []
    assert sum(m.topic != "alive" for m in recorder.messages) == delivered
    assert recorder.losses[0].reason == "closed by us"


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
    assert (len(recorder.malformed), len(recorder.too_large)) == (3, 1)


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
