"""A broker for one client that grants, refuses or ignores filters as the test says.

It keeps the session over connections when told so, sends retained messages by Retain Handling, and
one copy of a message for each subscription that matches, with its identifier, as mosquitto does.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from mqtt_dashboard.contract.topics import matches, split_shared
from tests.support.fake_broker import (
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBLISH,
    SUBACK,
    SUBSCRIBE,
    UNSUBACK,
    UNSUBSCRIBE,
    FakeBroker,
    Peer,
    answer,
    connack,
    frame,
    publish,
    suback,
)

NOT_AUTHORISED: Final = 0x87
QUOTA_EXCEEDED: Final = 0x97
# What a rule says of a filter: the QoS granted or the error, None for no answer at all.
Rule = Callable[[str], int | None]


class Asked(NamedTuple):
    """One filter of a SUBSCRIBE packet."""

    filter: str
    qos: int
    retained: bool
    identifier: int


@dataclass
class Held:
    """One subscription; ``properties`` go with each message it brings."""

    qos: int
    properties: bytes


def grant(_topic_filter: str) -> int:
    """Grant every filter."""
    return 1


def refusing(*filters: str) -> Rule:
    """Return a rule that refuses some filters and grants all others."""
    return lambda one: NOT_AUTHORISED if one in filters else 1


class GrantingBroker(FakeBroker):
    """See above. ``rule`` and ``keeps_session`` may change at any time."""

    def __init__(self, rule: Rule = grant, *, keeps_session: bool = False) -> None:
        super().__init__([self._serve])
        self.rule = rule
        self.keeps_session = keeps_session
        self.retained: dict[str, bytes] = {}
        self.asked: list[Asked] = []
        self.given_up: list[str] = []
        self.held: dict[str, Held] = {}
        self.connects = 0
        self._lock = threading.RLock()
        self._peer: Peer | None = None
        self._packet_id = 0

    def publish(self, topic: str, payload: str = "x", *, qos: int = 0) -> int:
        """Send a message once for each subscription that matches; return how often."""
        with self._lock:
            matching = [
                held for name, held in self.held.items() if matches(split_shared(name)[1], topic)
            ]
            for held in matching:
                self._send(topic, payload.encode(), min(qos, held.qos), held.properties)
            return len(matching)

    def send(self, topic: str, topic_filter: str) -> None:
        """Send a message for one subscription, whether it matches or not."""
        with self._lock:
            self._send(topic, b"x", 0, self.held[topic_filter].properties)

    def asked_for(self, topic_filter: str) -> list[Asked]:
        """Return how a filter was asked for, in order."""
        return [one for one in list(self.asked) if one.filter == topic_filter]

    def _serve(self, peer: Peer) -> None:
        peer.expect(CONNECT)
        with self._lock:
            self.connects += 1
            present = self.keeps_session and bool(self.held)
            if not present:
                self.held.clear()
            self._peer = peer
            peer.send(connack(present=present))
        while (packet := peer.next()) is not None:
            with self._lock:
                self._answer(peer, packet)

    def _answer(self, peer: Peer, packet: bytes) -> None:
        kind = packet[0] >> 4
        if kind == PINGREQ:
            peer.send(frame(PINGRESP))
        elif kind == PUBLISH and packet[0] & 6:
            peer.send(answer(PUBACK, _publish_id(packet)))
        elif kind == SUBSCRIBE:
            self._subscribe(peer, _body(packet))
        elif kind == UNSUBSCRIBE:
            self._unsubscribe(peer, _body(packet))
        elif kind == DISCONNECT:
            self._peer = None

    def _subscribe(self, peer: Peer, body: bytes) -> None:
        packet_id, length = int.from_bytes(body[:2]), body[2]
        properties, rest = body[3 : 3 + length], body[3 + length :]
        codes, new = [], []
        while rest:
            name, options = _filter(rest), rest[2 + int.from_bytes(rest[:2])]
            rest = rest[3 + int.from_bytes(rest[:2]) :]
            retained = not options & 0x20
            self.asked.append(Asked(name, options & 3, retained, _identifier(properties)))
            code = self.rule(name)
            if code is not None and code < 0x80:
                code = min(code, options & 3)
                self.held[name] = Held(code, properties)
                new += [(name, code)] if retained else []
            codes.append(code)
        if None not in codes:
            peer.send(suback(packet_id, bytes(code for code in codes if code is not None), SUBACK))
        for name, qos in new:
            for topic, payload in self.retained.items():
                if matches(name, topic):
                    self._send(topic, payload, qos, properties, flags=1)

    def _unsubscribe(self, peer: Peer, body: bytes) -> None:
        packet_id, rest = int.from_bytes(body[:2]), body[3 + body[2] :]
        codes = []
        while rest:
            name, rest = _filter(rest), rest[2 + int.from_bytes(rest[:2]) :]
            self.given_up.append(name)
            codes.append(0 if self.held.pop(name, None) else 0x11)
        peer.send(suback(packet_id, bytes(codes), UNSUBACK))

    def _send(
        self, topic: str, payload: bytes, qos: int, properties: bytes, *, flags: int = 0
    ) -> None:
        self._packet_id = self._packet_id % 60_000 + 1
        if self._peer is not None:
            self._peer.send(
                publish(
                    topic.encode(),
                    payload,
                    qos=qos,
                    packet_id=self._packet_id,
                    properties=properties,
                    flags=flags,
                )
            )


def _body(packet: bytes) -> bytes:
    start = 1
    while packet[start] & 128:
        start += 1
    return packet[start + 1 :]


def _publish_id(packet: bytes) -> int:
    body = _body(packet)
    start = 2 + int.from_bytes(body[:2])
    return int.from_bytes(body[start : start + 2])


def _filter(rest: bytes) -> str:
    return rest[2 : 2 + int.from_bytes(rest[:2])].decode()


def _identifier(properties: bytes) -> int:
    """Read the subscription identifier, the only property the bridge sends."""
    value = shift = 0
    for byte in properties[1:]:
        value |= (byte & 127) << shift
        shift += 7
    return value
