"""Exchanges a broker leaves half done, answers twice or mixes up: one case a line."""
# ruff: noqa: E501 - a case is a line

from mqtt_dashboard.mqtt.client import Outcome
from tests.support.fake_broker import (
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
    Step,
    answer,
    frame,
    publish,
    suback,
)
from tests.unit.mqtt_layer.odd_cases import Odd, expect, grant, reply, send, wait

CLOSE: Step = lambda peer: peer.close()  # noqa: E731 - reads like the other steps
RESET: Step = lambda peer: peer.reset()  # noqa: E731
RELEASE = answer(PUBREL, 7, flags=2)
TWO = publish(b"two", qos=2, packet_id=7)


def release(shift: int = 0) -> Step:
    return lambda peer: peer.send(answer(PUBREL, peer.packet_id + shift, flags=2))


def grant_with(text: bytes, codes: bytes) -> Step:
    properties = b"\x1f" + len(text).to_bytes(2) + text
    body = bytes([len(properties)]) + properties + codes
    return lambda peer: peer.send(frame(SUBACK, peer.packet_id.to_bytes(2) + body))


RECEIVING = [
    Odd("QoS 2, as it should be", [send(TWO), expect(PUBREC), release(), expect(PUBCOMP)], delivered=1),
    Odd("QoS 2 twice before its release", [send(TWO), expect(PUBREC), send(TWO), release(), expect(PUBCOMP)], delivered=1),
    Odd("QoS 2 twice in one write", [send(TWO * 2), expect(PUBREC)], delivered=1),
    Odd("PUBREL twice", [send(TWO), expect(PUBREC), send(RELEASE * 2), expect(PUBCOMP), expect(PUBCOMP)], delivered=1),
    Odd("PUBREL before the message", [send(RELEASE), expect(PUBCOMP), send(TWO), expect(PUBREC)], delivered=1),
    Odd("PUBREL for the next packet id", [send(TWO), expect(PUBREC), release(1), expect(PUBCOMP)], delivered=1),
    Odd("PUBREL 0x92", [send(TWO), expect(PUBREC), send(frame(PUBREL, b"\0\7\x92", 2)), expect(PUBCOMP)], delivered=1),
    Odd("PUBREL with an unknown code", [send(frame(PUBREL, b"\0\7\x01", 2))], ends="malformed", goodbye=0x81),
    Odd("QoS 2 again after its release", [send(TWO), expect(PUBREC), release(), expect(PUBCOMP), send(TWO), expect(PUBREC)], delivered=2),
    Odd("QoS 2 without a release", [send(TWO), expect(PUBREC)], delivered=1),
    Odd("one packet id at QoS 1 and 2", [send(publish(b"one", qos=1, packet_id=7) + TWO), expect(PUBREC)], delivered=2),
    Odd("QoS 2 that nobody can read", [send(publish(b"\xff", qos=2, packet_id=9)), expect(PUBREC)], malformed=1),
    Odd("QoS 3 with the DUP flag", [send(publish(b"a", qos=3, flags=8))], ends="QoS 3", goodbye=0x81),
    Odd("packet id 0 at QoS 2", [send(publish(b"a", qos=2, packet_id=0))], ends="packet id 0", goodbye=0x82),
    Odd("a message of each kind in one write", [send(publish(b"a") + publish(b"\xff") + TWO + publish(b"+") + publish(b"b", qos=1))], malformed=2, delivered=3),
    Odd("subscription identifier 0", [send(publish(b"a", properties=b"\x0b\0"))], delivered=1),
    Odd("a hundred subscription identifiers", [send(publish(b"a", properties=b"\x0b\1" * 100))], delivered=1),
    Odd("payload format 2", [send(publish(b"a", properties=b"\x01\2"))], delivered=1),
    Odd("an expiry of 0 s", [send(publish(b"a", properties=b"\x02\0\0\0\0"))], delivered=1),
    Odd("a wildcard in the response topic", [send(publish(b"a", properties=b"\x08\0\1#"))], delivered=1),
    Odd("a topic that begins with $", [send(publish(b"$SYS/x") + publish(b"$share/g/a"))], delivered=2),
    Odd("a message nobody asked for", [send(publish(b"never/wanted"))], delivered=1),
    Odd("silence after a QoS 2 message", [send(TWO), expect(PUBREC), wait(4)], ends="does not answer"),
    Odd("close after a QoS 2 message", [send(TWO), expect(PUBREC), CLOSE], ends="closed the connection", delivered=1),
    Odd("reset after a QoS 2 message", [send(TWO), expect(PUBREC), RESET], ends="the broker", delivered=1),
]  # fmt: skip

ALIAS = b"\x23\0\5"
ALIASES = [
    Odd("topic alias 0", [send(publish(b"a", properties=b"\x23\0\0"))], ends="topic alias 0; 1 to 500 were offered", goodbye=0x94),
    Odd("the last topic alias", [send(publish(b"a", properties=b"\x23\x01\xf4") + publish(b"", properties=b"\x23\x01\xf4"))], delivered=2),
    Odd("a topic alias above the maximum", [send(publish(b"a", properties=b"\x23\x01\xf5"))], ends="topic alias 501", goodbye=0x94),
    Odd("topic alias 65,535", [send(publish(b"a", properties=b"\x23\xff\xff"))], ends="topic alias 65535", goodbye=0x94),
    Odd("a topic alias never explained", [send(publish(b"", properties=ALIAS))], ends="topic alias 5 without saying its topic", goodbye=0x82),
    Odd("a topic alias, another one explained", [send(publish(b"a", properties=b"\x23\0\4") + publish(b"", properties=ALIAS))], ends="topic alias 5", goodbye=0x82, delivered=1),
    Odd("two topic aliases", [send(publish(b"a", properties=ALIAS * 2))], ends="two topic aliases", goodbye=0x82),
    Odd("half a topic alias", [send(publish(b"a", properties=b"\x23\0"))], ends="alias that is cut off", goodbye=0x81),
    Odd("a topic alias at QoS 2", [send(publish(b"two", qos=2, packet_id=7, properties=ALIAS) + publish(b"", properties=ALIAS)), expect(PUBREC)], delivered=2),
    Odd("a topic alias for an unreadable topic", [send(publish(b"\xff", properties=ALIAS) + publish(b"", properties=ALIAS) + publish(b"ok", properties=ALIAS) + publish(b"", properties=ALIAS))], malformed=2, delivered=2),
    Odd("a topic alias with other properties", [send(publish(b"a", properties=b"\x01\1" + ALIAS + b"\x0b\1") + publish(b"", properties=b"\x03\0\1t" + ALIAS))], delivered=2),
]  # fmt: skip

SUBSCRIBING = [
    Odd("silence after SUBSCRIBE", [expect(SUBSCRIBE), wait(4)], wants=("a",), ends="does not answer"),
    Odd("close after SUBSCRIBE", [expect(SUBSCRIBE), CLOSE], wants=("a",), ends="closed the connection"),
    Odd("reset after SUBSCRIBE", [expect(SUBSCRIBE), RESET], wants=("a",), ends="the broker"),
    Odd("silence after SUBACK", [expect(SUBSCRIBE), grant(b"\0"), wait(4)], wants=("a",), ends="does not answer"),
    Odd("close after SUBACK", [expect(SUBSCRIBE), grant(b"\0"), CLOSE], wants=("a",), ends="closed the connection"),
    Odd("SUBACK twice", [expect(SUBSCRIBE), grant(b"\0"), grant(b"\0")], wants=("a",), grants=0),
    Odd("SUBACK grants QoS 1 for 0", [expect(SUBSCRIBE), grant(b"\1")], wants=("a",), grants=1),
    Odd("SUBACK grants QoS 2 for 0", [expect(SUBSCRIBE), grant(b"\2")], wants=("a",), grants=2),
    Odd("SUBACK grants QoS 3", [expect(SUBSCRIBE), grant(b"\3")], wants=("a",), ends="malformed", goodbye=0x81),
    Odd("SUBACK with packet id 0 for a real one", [expect(SUBSCRIBE), send(frame(SUBACK, b"\0\0\0\0"))], wants=("a",), ends="packet id 0", goodbye=0x82),
    Odd("SUBACK for the packet before", [expect(SUBSCRIBE), grant(b"\0", shift=-1)], wants=("a",), told="did not answer"),
    Odd("SUBACK 0x80", [expect(SUBSCRIBE), grant(b"\x80")], wants=("a",), told="unspecified error"),
    Odd("SUBACK 0x83", [expect(SUBSCRIBE), grant(b"\x83")], wants=("a",), told="reason of its own"),
    Odd("SUBACK 0x8F", [expect(SUBSCRIBE), grant(b"\x8f")], wants=("a",), told="filter is invalid"),
    Odd("SUBACK 0x91", [expect(SUBSCRIBE), grant(b"\x91")], wants=("a",), told="packet id is in use"),
    Odd("SUBACK 0x9E", [expect(SUBSCRIBE), grant(b"\x9e")], wants=("a",), told="shared"),
    Odd("SUBACK 0xA1", [expect(SUBSCRIBE), grant(b"\xa1")], wants=("a",), told="identifiers"),
    Odd("SUBACK 0xA2", [expect(SUBSCRIBE), grant(b"\xa2")], wants=("a",), told="wildcards"),
    Odd("SUBACK refuses in words", [expect(SUBSCRIBE), grant_with(b"not you", b"\x87")], wants=("a",), told="not authorised (not you)"),
    Odd("a message before SUBACK", [expect(SUBSCRIBE), send(publish(b"a")), grant(b"\0")], wants=("a",), grants=0, delivered=1),
    Odd("SUBACK, one byte at a time", [expect(SUBSCRIBE), lambda p: p.drip(suback(p.packet_id, b"\0"), 0.02)], wants=("a",), grants=0),
    Odd("PUBACK instead of SUBACK", [expect(SUBSCRIBE), reply(PUBACK)], wants=("a",), told="did not answer"),
    Odd("PUBREC instead of SUBACK", [expect(SUBSCRIBE), reply(PUBREC), expect(PUBREL)], wants=("a",), told="did not answer"),
]  # fmt: skip

UNKNOWN = Outcome.INDETERMINATE
FAILED = Outcome.FAILED
PUBLISHING = [
    *(
        Odd(f"PUBACK 0x{code:02X}", [expect(PUBLISH), reply(PUBACK, bytes([code]))], publishes=1, outcome=FAILED)
        for code in (0x80, 0x83, 0x90, 0x91, 0x97, 0x99)
    ),
    *(
        Odd(f"PUBREC 0x{code:02X}", [expect(PUBLISH), reply(PUBREC, bytes([code]))], publishes=2, outcome=FAILED)
        for code in (0x80, 0x83, 0x87, 0x90, 0x91, 0x99)
    ),
    Odd("PUBREC with an unknown code", [expect(PUBLISH), reply(PUBREC, b"\x01")], publishes=2, outcome=UNKNOWN, ends="malformed", goodbye=0x81),
    Odd("PUBCOMP with an unknown code", [expect(PUBLISH), reply(PUBREC), expect(PUBREL), reply(PUBCOMP, b"\x01")], publishes=2, outcome=UNKNOWN, ends="malformed", goodbye=0x81),
    Odd("PUBCOMP 0x92", [expect(PUBLISH), reply(PUBREC), expect(PUBREL), reply(PUBCOMP, b"\x92")], publishes=2, outcome=FAILED),
    Odd("PUBCOMP twice", [expect(PUBLISH), reply(PUBREC), expect(PUBREL), reply(PUBCOMP), reply(PUBCOMP)], publishes=2, outcome=Outcome.ACKED),
    Odd("PUBCOMP for another packet", [expect(PUBLISH), reply(PUBREC), expect(PUBREL), reply(PUBCOMP, shift=1)], publishes=2, outcome=UNKNOWN),
    Odd("PUBREC for another packet", [expect(PUBLISH), reply(PUBREC, shift=1), expect(PUBREL)], publishes=2, outcome=UNKNOWN),
    Odd("PUBREC again after PUBCOMP", [expect(PUBLISH), reply(PUBREC), expect(PUBREL), reply(PUBCOMP), reply(PUBREC), expect(PUBREL)], publishes=2, outcome=Outcome.ACKED),
    Odd("PUBREL instead of PUBREC", [expect(PUBLISH), lambda p: p.send(answer(PUBREL, p.packet_id, flags=2)), expect(PUBCOMP)], publishes=2, outcome=UNKNOWN),
    Odd("SUBACK instead of PUBACK", [expect(PUBLISH), lambda p: p.send(suback(p.packet_id, b"\0"))], publishes=1, outcome=UNKNOWN),
    Odd("PUBCOMP for QoS 1", [expect(PUBLISH), reply(PUBCOMP)], publishes=1, outcome=UNKNOWN),
    Odd("PUBACK, one byte at a time", [expect(PUBLISH), lambda p: p.drip(answer(PUBACK, p.packet_id), 0.02)], publishes=1, outcome=Outcome.ACKED),
    Odd("silence after PUBLISH", [expect(PUBLISH), wait(4)], publishes=1, outcome=UNKNOWN, ends="does not answer"),
    Odd("silence after PUBREC", [expect(PUBLISH), reply(PUBREC), wait(4)], publishes=2, outcome=UNKNOWN, ends="does not answer"),
    Odd("silence after PUBREL", [expect(PUBLISH), reply(PUBREC), expect(PUBREL), wait(4)], publishes=2, outcome=UNKNOWN, ends="does not answer"),
    Odd("close after PUBREL", [expect(PUBLISH), reply(PUBREC), expect(PUBREL), CLOSE], publishes=2, outcome=UNKNOWN, ends="closed"),
    Odd("reset instead of PUBACK", [expect(PUBLISH), RESET], publishes=1, outcome=UNKNOWN, ends="the broker"),
]  # fmt: skip

CASES = [*RECEIVING, *ALIASES, *SUBSCRIBING, *PUBLISHING]
