"""Every packet a broker can send, cut, swollen, mislabelled or misplaced: one case a line."""
# ruff: noqa: E501 - a case is a line

import struct
from collections.abc import Iterator

from tests.support.fake_broker import (
    AUTH,
    CONNACK,
    CONNECT,
    DISCONNECT,
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
    Step,
    connack,
    frame,
    publish,
    string,
    suback,
)
from tests.unit.mqtt_layer.odd_cases import LIMIT, TEXT_FF, Odd, refused, send, wait

CLOSE: Step = lambda peer: peer.close()  # noqa: E731 - reads like the other steps

# Head and a correct body of each packet, as a broker sends it or never should.
PACKETS = {
    "PUBACK": (PUBACK, 0, b"\0\1"),
    "PUBREC": (PUBREC, 0, b"\0\1"),
    "PUBREL": (PUBREL, 2, b"\0\1"),
    "PUBCOMP": (PUBCOMP, 0, b"\0\1"),
    "SUBACK": (SUBACK, 0, b"\0\1\0\0"),
    "UNSUBACK": (UNSUBACK, 0, b"\0\1\0\0"),
    "DISCONNECT": (DISCONNECT, 0, b"\x8b\0"),
    "AUTH": (AUTH, 0, b"\x18\0"),
}
FOR_CLIENTS = {
    "CONNECT": (CONNECT, 0),
    "SUBSCRIBE": (SUBSCRIBE, 2),
    "UNSUBSCRIBE": (UNSUBSCRIBE, 2),
    "PINGREQ": (PINGREQ, 0),
}
ANSWERS = {name: PACKETS[name] for name in ("PUBACK", "PUBREC", "PUBREL", "PUBCOMP")}
GRANTS = {name: PACKETS[name] for name in ("SUBACK", "UNSUBACK")}
HEADS = {name: bytes([kind << 4 | flags]) for name, (kind, flags, _) in PACKETS.items()}
HEADS |= {name: bytes([kind << 4 | flags]) for name, (kind, flags) in FOR_CLIENTS.items()}
HEADS |= {"PINGRESP": b"\xd0", "type 0": b"\x00", "a second CONNACK": b"\x20"}

UNKNOWN_PROPERTY = b"\x7e\0"
TWICE = b"\x1f" + string(b"a") + b"\x1f" + string(b"b")
FOREIGN = b"\x21\0\1"
CUT = b"\x1f\0\x09a"


def bad_properties() -> Iterator[Odd]:
    """Properties that are wrong end the connection: the broker itself wrote them."""
    wrong = {
        "an unknown property": UNKNOWN_PROPERTY,
        "the same property twice": TWICE,
        "a property of another packet": FOREIGN,
        "a property cut off": CUT,
        "text that is not UTF-8": TEXT_FF,
    }
    for what, properties in wrong.items():
        sized = bytes([len(properties)]) + properties
        for name, (kind, flags, _) in ANSWERS.items():
            body = b"\0\1\0" + sized
            yield Odd(
                f"{name} with {what}",
                [send(frame(kind, body, flags))],
                ends="malformed",
                goodbye=0x81,
            )
        for name, (kind, flags, _) in GRANTS.items():
            body = b"\0\1" + sized + b"\0"
            yield Odd(
                f"{name} with {what}",
                [send(frame(kind, body, flags))],
                ends="malformed",
                goodbye=0x81,
            )
        said = b"\x8b" + sized
        yield Odd(f"DISCONNECT with {what}", [send(frame(DISCONNECT, said))], ends="shutting down")


def bad_sizes() -> Iterator[Odd]:
    """Lengths that lie, for every type of packet."""
    for name, head in HEADS.items():
        if head[0] & 0xF0 != 0x30:
            yield Odd(
                f"{name} that claims 256 MB",
                [send(head + b"\xff\xff\xff\x7f")],
                ends="268435460 bytes",
                goodbye=0x95,
            )
        yield Odd(
            f"{name} with a length of five bytes",
            [send(head + b"\x80\x80\x80\x80\x01")],
            ends="impossible length",
            goodbye=0x81,
        )
    for name, (kind, flags, body) in PACKETS.items():
        if name not in {"PUBACK", "SUBACK", "DISCONNECT"}:
            yield Odd(
                f"{name} of one byte",
                [send(frame(kind, body[:1], flags))],
                ends="malformed",
                goodbye=0x81,
            )
        if name != "DISCONNECT":
            yield Odd(
                f"{name} without a body",
                [send(frame(kind, b"", flags))],
                ends="malformed",
                goodbye=0x81,
            )
            swollen = body + b"\0\0xyz" if name in ANSWERS else body + b"\x7f"
            yield Odd(
                f"{name} with bytes left over",
                [send(frame(kind, swollen, flags))],
                ends="broker sent",
            )


def bad_streams() -> Iterator[Odd]:
    """Packets that never end, and flags that are not theirs."""
    for name, (kind, flags, body) in PACKETS.items():
        whole = frame(kind, body, flags)
        yield Odd(
            f"half a {name}, then close", [send(whole[:-1]), CLOSE], ends="closed the connection"
        )
        if name in {"PUBACK", "PUBREL", "SUBACK", "DISCONNECT"}:
            yield Odd(
                f"half a {name}, then silence", [send(whole[:-1]), wait(4)], ends="does not answer"
            )
        if name != "DISCONNECT":
            yield Odd(
                f"{name} with wrong flags",
                [send(frame(kind, body, 9))],
                ends="malformed",
                goodbye=0x81,
            )
    yield Odd(
        "PINGRESP with wrong flags", [send(frame(PINGRESP, b"", 2))], ends="malformed", goodbye=0x81
    )
    yield Odd(
        "the first byte of a packet, then close",
        [send(b"\x30"), CLOSE],
        ends="closed the connection",
    )
    yield Odd(
        "the first byte of a packet, then silence", [send(b"\x30"), wait(4)], ends="does not answer"
    )


def misplaced() -> Iterator[Odd]:
    """Packets a broker must not send, or not yet."""
    unsubscribe = frame(UNSUBSCRIBE, b"\0\1\0" + string(b"a"), flags=2)
    yield Odd(
        "UNSUBSCRIBE from the broker",
        [send(unsubscribe)],
        ends="UNSUBSCRIBE, which is for clients",
        goodbye=0x82,
    )
    for name, (kind, flags, body) in PACKETS.items():
        if name not in {"SUBACK", "DISCONNECT"}:
            yield Odd(
                f"{name} before CONNACK",
                raw=[send(frame(kind, body, flags))],
                ends="not an MQTT broker",
            )
        if name in ANSWERS or name in GRANTS:
            zero = frame(kind, b"\0\0" + body[2:], flags)
            yield Odd(f"{name} with packet id 0", [send(zero)], ends="packet id 0", goodbye=0x82)
    yield Odd("PINGRESP before CONNACK", raw=[send(frame(PINGRESP))], ends="not an MQTT broker")
    yield Odd(
        "CONNACK, SUBACK and DISCONNECT in one write",
        raw=[send(connack() + suback(9, b"\0") + frame(DISCONNECT, b"\x8b"))],
        ends="shutting down",
    )
    yield Odd(
        "AUTH goes on by itself",
        [send(frame(AUTH, b"\x18\x04\x15\0\1a"))],
        ends="AUTH",
        goodbye=0x82,
    )
    yield Odd(
        "AUTH succeeds by itself", [send(frame(AUTH, b"\x00\x00"))], ends="AUTH", goodbye=0x82
    )


GOODBYES = {
    0x04: "reason code 0x04",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "for a reason of its own",
    0x87: "not authorised",
    0x89: "busy",
    0x8F: "filter is invalid",
    0x90: "topic is invalid",
    0x93: "more messages in flight",
    0x94: "topic alias",
    0x95: "too large",
    0x96: "message rate",
    0x97: "quota",
    0x99: "payload does not fit",
    0x9A: "no retained messages",
    0x9B: "does not support this QoS",
    0x9C: "use another server",
    0x9D: "has moved",
    0x9E: "shared subscriptions",
    0x9F: "rate of connections",
    0xA0: "longest time",
    0xA1: "subscription identifiers",
    0xA2: "wildcards",
    0xFF: "reason code 0xFF",
}
FAREWELLS = [
    Odd(f"DISCONNECT 0x{code:02X}", [send(frame(DISCONNECT, bytes([code])))], ends=words)
    for code, words in GOODBYES.items()
]  # fmt: skip
MOVED = b"\x9d\x09\x1c" + string(b"b:1883")
WITH_TEXT = b"\x98\x08\x1f" + string(b"night")

GREETINGS = [
    refused(0x01, "reason code 0x01"),
    refused(0x80, "unspecified error"),
    refused(0x81, "malformed packet"),
    refused(0x82, "protocol error"),
    refused(0x83, "for a reason of its own"),
    refused(0x8C, "bad authentication method", final=True),
    refused(0x90, "topic is invalid"),
    refused(0x99, "payload does not fit"),
    refused(0x9A, "no retained messages"),
    refused(0x9B, "does not support this QoS"),
    refused(0x9D, "has moved"),
    Odd("CONNACK with a reserved flag", raw=[send(frame(CONNACK, b"\2\0\0"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK with all flags", raw=[send(frame(CONNACK, b"\xff\0\0"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK that keeps a session and refuses", raw=[send(connack(0x87, present=True))], ends="not authorised", flags={"final": True}),
    Odd("CONNACK with a session never begun", raw=[send(connack(present=True))]),
    Odd("CONNACK with receive maximum 0", raw=[send(connack(properties=b"\x21\0\0"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK with maximum packet size 0", raw=[send(connack(properties=b"\x27\0\0\0\0"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK with retain available 2", raw=[send(connack(properties=b"\x25\2"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK with wildcards available 2", raw=[send(connack(properties=b"\x28\2"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK with an unknown property", raw=[send(connack(properties=UNKNOWN_PROPERTY))], ends="malformed", goodbye=0x81),
    Odd("CONNACK with a property of PUBLISH", raw=[send(connack(properties=b"\x0b\1"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK with a property twice", raw=[send(connack(properties=b"\x13\0\1\x13\0\2"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK with a property cut off", raw=[send(connack(properties=b"\x13\0"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK with bytes left over", raw=[send(frame(CONNACK, b"\0\0\0xx"))], ends="malformed", goodbye=0x81),
    Odd("CONNACK with wrong flags in its first byte", raw=[send(frame(CONNACK, b"\0\0\0", 1))], ends="not an MQTT broker"),
    Odd("CONNACK of one byte", raw=[send(frame(CONNACK, b"\0"))], ends="cut off", goodbye=0x81),
    Odd("CONNACK, one byte a second", raw=[lambda p: p.drip(connack(), 1.0)], ends="no CONNACK"),
    Odd("CONNACK, byte by byte", raw=[lambda p: p.drip(connack(), 0.02)]),
    Odd("CONNACK with another client id", raw=[send(connack(properties=b"\x12" + string(b"other")))]),
    Odd("CONNACK with keep alive 0", raw=[send(connack(properties=b"\x13\0\0"))]),
    Odd("CONNACK with keep alive 1", raw=[send(connack(properties=b"\x13\0\1"))]),
    Odd("CONNACK with keep alive 65,535, then silence", raw=[send(connack(properties=b"\x13\xff\xff")), wait(4)], ends="does not answer"),
    Odd("CONNACK with keep alive 0, then silence", raw=[send(connack(properties=b"\x13\0\0")), wait(4)], ends="does not answer"),
    Odd("CONNACK with an authentication method nobody asked for", raw=[send(connack(properties=b"\x15" + string(b"a")))]),
    Odd("CONNACK with a thousand user properties", raw=[send(connack(properties=b"\x26\0\0\0\0" * 800))]),
    Odd("CONNACK with topic alias maximum 65,535", raw=[send(connack(properties=b"\x22\xff\xff"))]),
    Odd("DISCONNECT with a server reference", [send(frame(DISCONNECT, MOVED))], ends="has moved"),
    Odd("DISCONNECT with a reason in words", [send(frame(DISCONNECT, WITH_TEXT))], ends="administrative action (night)"),
    Odd("DISCONNECT twice", [send(frame(DISCONNECT, b"\x8b") * 2)], ends="shutting down"),
    Odd("DISCONNECT, then more messages", [send(frame(DISCONNECT, b"\x8b") + publish(b"late"))], ends="shutting down", delivered=0),
    Odd("messages, then DISCONNECT in the same write", [send(publish(b"last") * 3 + frame(DISCONNECT, b"\x8b"))], ends="shutting down", delivered=3),
    Odd("a PUBLISH just within the limit", [send(publish(b"a", bytes(LIMIT - 7)))], delivered=1),
    Odd("a PUBLISH just above the limit", [send(publish(b"a", bytes(LIMIT - 6)))], delivered=0, too_large=1),
    Odd("a PUBLISH of three length bytes", [send(b"\x30\x85\x80\x00" + string(b"a") + b"\0x")], delivered=1),
    Odd("the claim of a large PUBLISH, a byte at a time", [lambda p: p.drip(b"\x30\xff\xff\xff\x7f", 0.02), wait(4)], ends="does not answer"),
    Odd("a message, slower than the keep alive", [lambda p: p.drip(publish(b"slow", b"z" * 40), 0.2)], ends="too slowly"),
    Odd("a message, one byte a second", [lambda p: p.drip(publish(b"slow", b"z" * 5), 1.0)], ends="does not answer"),
    Odd("a packet id used twice at QoS 1", [send(publish(b"a", qos=1, packet_id=struct.unpack(">H", b"\0\7")[0]) * 2)], delivered=2),
]  # fmt: skip

CASES = [*GREETINGS, *FAREWELLS, *bad_properties(), *bad_sizes(), *bad_streams(), *misplaced()]
# The head alone, and what belongs to clients, was worth a line above only once.
assert PUBLISH not in {kind for kind, _, _ in PACKETS.values()}
