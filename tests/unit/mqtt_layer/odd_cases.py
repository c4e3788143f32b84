"""What a broker may do wrong, one case a line: the table behind `test_odd_brokers`."""
# ruff: noqa: E501 - a case is a line

import struct
from dataclasses import dataclass, field

from mqtt_dashboard.mqtt.client import Outcome
from tests.support.fake_broker import (
    AUTH,
    CONNECT,
    DISCONNECT,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
    Step,
    answer,
    connack,
    frame,
    publish,
    string,
    suback,
)

LIMIT = 4096
ALIVE = publish(b"alive", b"yes")


@dataclass(frozen=True)
class Odd:
    """One misbehaviour. ``ends``: part of the loss, None when the link must go on.

    ``after`` plays after CONNECT and CONNACK, ``raw`` instead of CONNACK. ``goodbye`` is the code
    of the DISCONNECT the link must send. ``delivered`` counts the messages handed over, `ALIVE` not.
    """

    name: str
    after: list[Step] = field(default_factory=list)
    raw: list[Step] | None = None
    ends: str | None = None
    goodbye: int | None = None
    malformed: int = 0
    too_large: int = 0
    wants: tuple[str, ...] = ()
    told: str | None = None
    publishes: int | None = None
    outcome: Outcome | None = None
    flags: dict[str, bool] = field(default_factory=dict)
    grants: int | None = None
    delivered: int | None = None


def send(data: bytes) -> Step:
    return lambda peer: peer.send(data)


def wait(seconds: float) -> Step:
    return lambda peer: peer.idle(seconds)


def expect(kind: int) -> Step:
    return lambda peer: peer.expect(kind)


def reply(kind: int, codes: bytes = b"", shift: int = 0) -> Step:
    return lambda peer: peer.send(answer(kind, peer.packet_id + shift, codes))


def grant(codes: bytes, shift: int = 0) -> Step:
    return lambda peer: peer.send(suback((peer.packet_id + shift) or 1, codes))


def refused(code: int, ends: str, **flags: bool) -> Odd:
    return Odd(f"CONNACK 0x{code:02X}", raw=[send(connack(code))], ends=ends, flags=flags)


USER = b"\x26" + string(b"k") + string(b"\xff")
TEXT_FF = b"\x1f" + string(b"\xff")

CASES = [
    # Instead of CONNACK
    Odd("no CONNACK at all", raw=[wait(3)], ends="no CONNACK"),
    Odd("close after CONNECT", raw=[lambda p: p.close()], ends="closed", flags={"version_refused": True}),
    Odd("reset after CONNECT", raw=[lambda p: p.reset()], ends="closed", flags={"version_refused": True}),
    Odd("half a CONNACK, then silence", raw=[send(b"\x20\x03\x00"), wait(3)], ends="no CONNACK"),
    Odd("half a CONNACK, then close", raw=[send(b"\x20\x03"), lambda p: p.close()], ends="closed"),
    Odd("HTTP instead of MQTT", raw=[send(b"HTTP/1.1 400 Bad Request\r\n\r\n")], ends="not an MQTT"),
    Odd("SSH instead of MQTT", raw=[send(b"SSH-2.0-x\r\n" + bytes(100))], ends="not an MQTT broker"),
    Odd("TLS alert instead of MQTT", raw=[send(b"\x15\x03\x01\x00\x02\x02\x46"), wait(3)], ends="MQTT"),
    Odd("zeros instead of MQTT", raw=[send(bytes(64))], ends="not an MQTT broker"),
    Odd("PUBLISH before CONNACK", raw=[send(ALIVE)], ends="not an MQTT broker"),
    Odd("SUBACK before CONNACK", raw=[send(suback(1, b"\0"))], ends="not an MQTT broker"),
    Odd("DISCONNECT before CONNACK", raw=[send(frame(DISCONNECT, b"\x89"))], ends="not an MQTT broker"),
    Odd("CONNACK of 3.1.1, code 1", raw=[send(b"\x20\x02\x00\x01")], ends="does not speak this version", flags={"version_refused": True}),
    Odd("CONNACK of 3.1.1, code 4", raw=[send(b"\x20\x02\x00\x04")], ends="bad user name or password", flags={"final": True}),
    Odd("CONNACK of 3.1.1, code 5", raw=[send(b"\x20\x02\x00\x05")], ends="not authorised", flags={"final": True}),
    Odd("CONNACK of 3.1.1, code 0", raw=[send(b"\x20\x02\x00\x00")], ends="cut off", goodbye=0x81),
    Odd("CONNACK 0x84 without properties", raw=[send(b"\x20\x02\x00\x84")], ends="version", flags={"version_refused": True}),
    Odd("CONNACK without body", raw=[send(b"\x20\x00")], ends="cut off", goodbye=0x81),
    Odd("CONNACK with broken properties", raw=[send(b"\x20\x05\x00\x00\x05\x7f\x00")], ends="malformed", goodbye=0x81),
    Odd("CONNACK with text that is not UTF-8", raw=[send(connack(properties=TEXT_FF))], ends="UTF-8", goodbye=0x81),
    Odd("refusal with text that is not UTF-8", raw=[send(connack(0x87, properties=TEXT_FF))], ends="not authorised", flags={"final": True}),
    Odd("CONNACK with receive maximum 0 twice", raw=[send(connack(properties=b"\x21\0\1\x21\0\1"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK that claims 256 MB", raw=[send(b"\x20\xff\xff\xff\x7f")], ends="268435460 bytes", goodbye=0x95),
    Odd("CONNACK with a length of five bytes", raw=[send(b"\x20\xff\xff\xff\xff\x01")], ends="impossible length", goodbye=0x81),
    refused(0x84, "does not speak this version", version_refused=True),
    refused(0x85, "client id is refused", final=True),
    refused(0x86, "bad user name or password", final=True),
    refused(0x87, "not authorised", final=True),
    refused(0x88, "unavailable"),
    refused(0x89, "busy"),
    refused(0x8A, "banned", final=True),
    refused(0x95, "too large"),
    refused(0x97, "quota"),
    refused(0x9C, "use another server"),
    refused(0x9F, "rate of connections"),
    refused(0xEE, "reason code 0xEE"),
    # After CONNACK: the end
    Odd("second CONNACK", [send(connack())], ends="CONNACK twice", goodbye=0x82),
    Odd("close without a word", [lambda p: p.close()], ends="the broker closed the connection"),
    Odd("reset", [lambda p: p.reset()], ends="without a word"),
    Odd("silence: half-open", [wait(4)], ends="does not answer"),
    Odd("DISCONNECT 0x8E", [send(frame(DISCONNECT, b"\x8e"))], ends="same client id", flags={"taken_over": True}),
    Odd("DISCONNECT 0x8E with text that is not UTF-8", [send(frame(DISCONNECT, b"\x8e\x04" + TEXT_FF))], ends="same client id", flags={"taken_over": True}),
    Odd("DISCONNECT 0x8B", [send(frame(DISCONNECT, b"\x8b"))], ends="shutting down"),
    Odd("DISCONNECT 0x8D", [send(frame(DISCONNECT, b"\x8d\x00"))], ends="keep alive"),
    Odd("DISCONNECT 0x98", [send(frame(DISCONNECT, b"\x98"))], ends="administrative action"),
    Odd("DISCONNECT with an unknown code", [send(frame(DISCONNECT, b"\xee"))], ends="reason code 0xEE"),
    Odd("DISCONNECT without a code", [send(frame(DISCONNECT))], ends="closed the connection"),
    Odd("DISCONNECT with flags", [send(frame(DISCONNECT, b"", flags=1))], ends="malformed", goodbye=0x81),
    Odd("packet type 0", [send(b"\x00\x00")], ends="malformed", goodbye=0x81),
    Odd("AUTH unasked", [send(frame(AUTH, b"\x18\x00"))], ends="AUTH", goodbye=0x82),
    Odd("CONNECT from the broker", [send(frame(CONNECT, string(b"MQTT") + b"\x05\x02\0\0\0" + string(b"a")))], ends="CONNECT, which is for clients", goodbye=0x82),
    Odd("SUBSCRIBE from the broker", [send(frame(SUBSCRIBE, b"\0\1\0" + string(b"a") + b"\0", flags=2))], ends="SUBSCRIBE, which is for clients", goodbye=0x82),
    Odd("PINGREQ from the broker", [send(b"\xc0\x00")], ends="PINGREQ, which is for clients", goodbye=0x82),
    Odd("PINGRESP with a body", [send(frame(PINGRESP, b"x"))], ends="malformed", goodbye=0x81),
    Odd("garbage after CONNACK", [send(b"\xff" * 50)], ends="broker sent", goodbye=0x81),
    Odd("a claim of 256 MB", [send(b"\x30\xff\xff\xff\x7f"), wait(4)], ends="does not answer"),
    Odd("a whole packet above the limit", [send(publish(b"big", bytes(LIMIT)))], delivered=0, too_large=1),
    Odd("QoS 1 above the limit is acknowledged", [send(publish(b"big", bytes(3 * LIMIT), qos=1, packet_id=7)), expect(PUBACK)], delivered=0, too_large=1),
    Odd("a large message makes an alias that a small one uses", [send(publish(b"big", bytes(LIMIT), properties=b"\x23\0\1") + publish(b"", b"small", properties=b"\x23\0\1"))], delivered=1, too_large=1),
    Odd("a large message whose topic nobody can read", [send(publish(b"\xff", bytes(LIMIT)))], delivered=0, malformed=1),
    Odd("a length of five bytes", [send(b"\x30\xff\xff\xff\xff\x01")], ends="impossible length", goodbye=0x81),
    Odd("half a PUBLISH, then close", [send(ALIVE[:5]), lambda p: p.close()], ends="closed the connection"),
    Odd("half a PUBLISH, then silence", [send(ALIVE[:5]), wait(4)], ends="does not answer"),
    Odd("QoS 3", [send(publish(b"a", qos=3))], ends="QoS 3", goodbye=0x81),
    Odd("packet id 0", [send(publish(b"a", qos=1, packet_id=0))], ends="packet id 0", goodbye=0x82),
    Odd("more in flight than agreed", [send(b"".join(publish(b"a", qos=1, packet_id=i + 1) for i in range(9)))]),
    Odd("a QoS 1 PUBLISH cut off in its packet id", [send(frame(PUBLISH, string(b"a") + b"\0", flags=2))], ends="cut off", goodbye=0x81),
    Odd("PUBACK with an unknown code", [send(answer(PUBACK, 7, b"\x77"))], ends="malformed", goodbye=0x81),
    Odd("PUBACK of one byte", [send(frame(PUBACK, b"\0"))], ends="malformed", goodbye=0x81),
    # After CONNACK: hostile publishers must cost no more than their own message
    Odd("topic that is not UTF-8 (P27)", [send(publish(b"\xff\xfe"))], malformed=1),
    Odd("topic with a surrogate", [send(publish(b"\xed\xa0\x80"))], malformed=1),
    Odd("topic with an overlong form", [send(publish(b"\xc0\xaf"))], malformed=1),
    Odd("topic with U+0000", [send(publish(b"a\0b"))], malformed=1),
    Odd("topic with a wildcard", [send(publish(b"a/#") + publish(b"+"))], malformed=2),
    Odd("empty topic", [send(publish(b""))], malformed=1),
    Odd("PUBLISH without body", [send(frame(PUBLISH))], malformed=1),
    Odd("PUBLISH of one byte", [send(frame(PUBLISH, b"\0"))], malformed=1),
    Odd("topic longer than its packet", [send(frame(PUBLISH, b"\0\x09a"))], malformed=1),
    Odd("PUBLISH that ends before its properties", [send(frame(PUBLISH, string(b"a")))], malformed=1),
    Odd("user property that is not UTF-8", [send(publish(b"a", properties=USER))], malformed=1),
    Odd("content type that is not UTF-8", [send(publish(b"a", properties=b"\x03" + string(b"\xff")))], malformed=1),
    Odd("properties longer than the packet", [send(frame(PUBLISH, string(b"a") + b"\x7f\x01"))], malformed=1),
    Odd("property length that never ends", [send(frame(PUBLISH, string(b"a") + b"\xff\xff\xff\xff\xff"))], malformed=1),
    Odd("unknown property", [send(publish(b"a", properties=b"\x7e\0"))], malformed=1),
    Odd("the same property twice", [send(publish(b"a", properties=b"\x01\1\x01\1"))], malformed=1),
    Odd("property cut off", [send(publish(b"a", properties=b"\x02\0\0"))], malformed=1),
    Odd("string longer than the properties", [send(publish(b"a", properties=b"\x03\0\x09a"))], malformed=1),
    Odd("unreadable at QoS 1: acknowledged all the same", [send(publish(b"\xff", qos=1, packet_id=5)), expect(PUBACK)], malformed=1),
    # After CONNACK: odd, and harmless
    Odd("PINGRESP unasked", [send(frame(PINGRESP) * 3)]),
    Odd("PUBACK for an unknown id", [send(answer(PUBACK, 999))]),
    Odd("PUBCOMP for an unknown id", [send(answer(PUBCOMP, 999))]),
    Odd("PUBREC for an unknown id", [send(answer(PUBREC, 999)), expect(PUBREL)]),
    Odd("PUBREL for an unknown id", [send(answer(PUBREL, 999, flags=2)), expect(PUBCOMP)]),
    Odd("SUBACK for an unknown id", [send(suback(999, b"\0"))]),
    Odd("UNSUBACK for an unknown id", [send(suback(999, b"\0", kind=11))]),
    Odd("the DUP flag at QoS 0", [send(publish(b"a", flags=8))]),
    Odd("one byte at a time", [lambda p: p.drip(publish(b"slow", b"z" * 20), 0.02)]),
    Odd("one byte at a time, slower than the pings", [lambda p: p.drip(publish(b"s", b"z"), 0.25)]),
    Odd("a CONNACK in two halves", raw=[send(connack()[:2]), wait(0.1), send(connack()[2:])]),
    Odd("CONNACK and messages in one write", raw=[send(connack() + publish(b"first") * 3)]),
    Odd("silent but alive", [lambda p: p.answer_pings(1.5)]),
    # Subscriptions
    Odd("SUBACK for another packet", [expect(SUBSCRIBE), grant(b"\0", shift=1)], wants=("a",), told="did not answer"),
    Odd("no SUBACK", [expect(SUBSCRIBE)], wants=("a",), told="did not answer"),
    Odd("SUBACK with too few codes", [expect(SUBSCRIBE), grant(b"\0")], wants=("a", "b"), told="with 1 codes"),
    Odd("SUBACK with too many codes", [expect(SUBSCRIBE), grant(b"\0\0")], wants=("a",), told="with 2 codes"),
    Odd("SUBACK without codes", [expect(SUBSCRIBE), grant(b"")], wants=("a",), told="with 0 codes"),
    Odd("SUBACK not authorised", [expect(SUBSCRIBE), grant(b"\x87")], wants=("a",), told="not authorised"),
    Odd("SUBACK quota", [expect(SUBSCRIBE), grant(b"\x97")], wants=("a",), told="quota"),
    Odd("UNSUBACK instead of SUBACK", [expect(SUBSCRIBE), lambda p: p.send(suback(p.packet_id, b"\0", kind=11))], wants=("a",), told="did not answer"),
    Odd("SUBACK with an unknown code", [expect(SUBSCRIBE), grant(b"\x55")], wants=("a",), ends="malformed", goodbye=0x81),
    Odd("SUBACK cut off", [expect(SUBSCRIBE), send(frame(SUBACK, b"\0"))], wants=("a",), ends="malformed", goodbye=0x81),
    Odd("no wildcards: told without asking", raw=[send(connack(properties=b"\x28\0"))], wants=("a/#",), told="wildcards"),
    Odd("no shared subscriptions: told without asking", raw=[send(connack(properties=b"\x2a\0"))], wants=("$share/g/a",), told="shared"),
    # Publishing
    Odd("PUBACK refuses", [expect(PUBLISH), reply(PUBACK, b"\x87")], publishes=1, outcome=Outcome.FAILED),
    Odd("PUBACK: no subscriber", [expect(PUBLISH), reply(PUBACK, b"\x10")], publishes=1, outcome=Outcome.ACKED),
    Odd("PUBACK for another packet", [expect(PUBLISH), reply(PUBACK, shift=1)], publishes=1, outcome=Outcome.INDETERMINATE),
    Odd("no PUBACK", [expect(PUBLISH)], publishes=1, outcome=Outcome.INDETERMINATE),
    Odd("PUBACK twice", [expect(PUBLISH), reply(PUBACK), reply(PUBACK)], publishes=1, outcome=Outcome.ACKED),
    Odd("PUBREC for QoS 1", [expect(PUBLISH), reply(PUBREC)], publishes=1, outcome=Outcome.INDETERMINATE),
    Odd("PUBACK for QoS 2", [expect(PUBLISH), reply(PUBACK)], publishes=2, outcome=Outcome.INDETERMINATE),
    Odd("PUBREC refuses", [expect(PUBLISH), reply(PUBREC, b"\x97")], publishes=2, outcome=Outcome.FAILED),
    Odd("PUBCOMP before PUBREC", [expect(PUBLISH), reply(PUBCOMP)], publishes=2, outcome=Outcome.INDETERMINATE),
    Odd("PUBREC twice", [expect(PUBLISH), reply(PUBREC), reply(PUBREC), expect(PUBREL), reply(PUBCOMP)], publishes=2, outcome=Outcome.ACKED),
    Odd("PUBREC, then nothing", [expect(PUBLISH), reply(PUBREC)], publishes=2, outcome=Outcome.INDETERMINATE),
    Odd("close instead of PUBACK", [expect(PUBLISH), lambda p: p.close()], ends="closed", publishes=1, outcome=Outcome.INDETERMINATE),
    Odd("QoS above the broker's", raw=[send(connack(properties=b"\x24\0"))], publishes=1, outcome=Outcome.FAILED),
    Odd("larger than the broker takes", raw=[send(connack(properties=b"\x27" + struct.pack(">I", 10)))], publishes=1, outcome=Outcome.FAILED),
]  # fmt: skip
