"""A websocket that goes wrong, below MQTT: both links end in plain words or carry on (P27)."""
# ruff: noqa: E501 - a case is a line

import time
from collections.abc import Callable

import pytest

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt.client import Outgoing
from mqtt_dashboard.mqtt.paho_link import PahoLink
from mqtt_dashboard.mqtt.threaded_link import ThreadedLink
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.fake_broker import CONNECT, FakeBroker, Peer, Step, connack, frame, publish
from tests.support.fake_broker import PUBLISH as PUBLISH_KIND
from tests.support.fake_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    answer_http,
    closing,
    raw,
    shake,
    side,
    ws_frame,
)
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.odd_cases import expect, send, wait
from tests.unit.mqtt_layer.recorder import Receipts, Recorder, options, running

KINDS: dict[type[ThreadedLink], tuple[bytes, Callable[[bytes], bytes]]] = {
    V5Link: (connack(), publish),
    PahoLink: (b"\x20\x02\0\0", lambda topic: frame(PUBLISH_KIND, bytes([0, len(topic)]) + topic + b"x")),
}  # fmt: skip


@pytest.fixture(params=KINDS, ids=["v5", "paho"])
def kind(request: pytest.FixtureRequest) -> type[ThreadedLink]:
    """Choose the link under test."""
    link: type[ThreadedLink] = request.param
    return link


def quick(
    kind: type[ThreadedLink], broker: FakeBroker, limit: int = 4096
) -> tuple[ThreadedLink, Recorder]:
    """Return a link that gives up soon."""
    recorder = Recorder()
    settings = options(
        broker.port, transport="websockets", ws_path="/mqtt", ping_after=0.2, answer_timeout=0.5, max_packet_size=limit
    )  # fmt: skip
    return kind(settings, recorder, SystemClock()), recorder


def http(status: str, *headers: str) -> Step:
    return answer_http("\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode())


def pings_only(peer: Peer) -> None:
    for _ in range(20):
        raw(ws_frame(b"", PING))(peer)
        peer.idle(0.1)


HANDSHAKES: list[tuple[str, list[Step], str]] = [
    ("wrong path", [http("404 Not Found", "Content-Length: 0")], "answered HTTP 404: there is no websocket at this path"),
    ("sign-in", [http("401 Unauthorized", "Content-Length: 0")], "HTTP 401: the HTTP server asks for a sign-in"),
    ("forbidden", [http("403 Forbidden", "Content-Length: 0")], "HTTP 403"),
    ("redirect", [http("301 Moved", "Location: http://elsewhere/", "Content-Length: 0")], "HTTP 301"),
    ("a page", [http("200 OK", "Content-Length: 4"), wait(1)], "HTTP 200: no websocket was opened"),
    ("upgrade to something else", [http("426 Upgrade Required", "Content-Length: 0")], "HTTP 426"),
    ("server error", [http("500 Oops", "Content-Length: 0")], "HTTP 500"),
    ("status 100", [http("100 Continue")], "HTTP 100"),
    ("no subprotocol", [shake(sec_websocket_protocol=None), wait(1)], "names no subprotocol mqtt"),
    ("another subprotocol", [shake(sec_websocket_protocol=b"mqttv3.1"), wait(1)], "unrecognized subprotocol"),
    ("a subprotocol beyond ASCII", [shake(sec_websocket_protocol=b"\xff"), wait(1)], "does not speak websocket"),
    ("wrong proof", [shake(sec_websocket_accept=b"AAAA"), wait(1)], "Bad accept token"),
    ("no proof", [shake(sec_websocket_accept=None), wait(1)], "Bad accept token"),
    ("no upgrade header", [shake(upgrade=None), wait(1)], "Upgrade"),
    ("no connection header", [shake(connection=None), wait(1)], "Connection"),
    ("an extension nobody asked for", [shake(sec_websocket_extensions=b"permessage-deflate"), wait(1)], "does not speak websocket"),
    ("MQTT instead of HTTP", [answer_http(connack() * 9 + b"\r\n\r\n"), wait(1)], "does not speak websocket"),
    ("hang-up", [lambda p: p.close()], "is this port for websockets?"),
    ("hang-up in the middle", [answer_http(b"HTTP/1.1 101 Swi"), lambda p: p.close()], "is this port for websockets?"),
    ("reset", [answer_http(b""), lambda p: p.reset()], "hung up"),
    ("silence", [wait(3)], "does not answer in time"),
    ("headers that drip", [answer_http(b"HTTP/1.1 101 S"), lambda p: p.drip(b"witching Protocols\r\n" * 9, 0.1)], "does not answer in time"),
    ("headers without end", [answer_http(b"HTTP/1.1 101 S\r\n" + b"a: b\r\n" * 9999), wait(1)], "does not speak websocket"),
]  # fmt: skip

FAULTS: list[tuple[str, list[Step], str]] = [
    ("text", [raw(ws_frame(b"hello", TEXT))], "sent text; MQTT takes binary frames only"),
    ("an empty text", [raw(ws_frame(b"", TEXT))], "sent text"),
    ("text that is not UTF-8", [raw(ws_frame(b"\xff\xfe", TEXT))], "broke the websocket protocol"),
    ("a masked frame", [raw(ws_frame(b"x", mask=True))], "broke the websocket protocol"),
    ("an unknown opcode", [raw(ws_frame(b"x", 3))], "broke the websocket protocol"),
    ("an unknown control opcode", [raw(ws_frame(b"x", 11))], "broke the websocket protocol"),
    ("a reserved bit", [raw(ws_frame(b"x", rsv=4))], "broke the websocket protocol"),
    ("a continuation of nothing", [raw(ws_frame(b"x", CONTINUATION))], "broke the websocket protocol"),
    ("a message inside a message", [raw(ws_frame(b"\xd0", fin=False) + ws_frame(b"\0"))], "broke the websocket protocol"),
    ("a long ping", [raw(ws_frame(bytes(126), PING))], "broke the websocket protocol"),
    ("half a ping", [raw(ws_frame(b"x", PING, fin=False))], "broke the websocket protocol"),
    ("a length in too many bytes", [raw(b"\x82\x7e\x00\x01x")], "broke the websocket protocol"),
    ("a length of 2^63", [raw(b"\x82\x7f\x80" + bytes(7))], "broke the websocket protocol"),
    ("a claim of 256 MB inside a frame", [send(b"\x30\xff\xff\xff\x7f")], "the broker"),
    ("half a frame, then silence", [raw(b"\x82"), wait(3)], "does not answer"),
    ("silence", [wait(3)], "does not answer"),
    ("pings of the websocket only", [pings_only], "does not answer"),
    ("close", [raw(closing()), wait(3)], "the broker closed the connection"),
    ("close, going away", [raw(closing(1001)), wait(3)], "the broker closed the connection"),
    ("close without a code", [raw(closing(None)), wait(3)], "the broker closed the connection"),
    ("close, protocol error", [raw(closing(1002)), wait(3)], "closed the websocket: protocol error"),
    ("close, policy", [raw(closing(1008, b"not\r\nyou")), wait(3)], "closed the websocket: policy violation (not??you)"),
    ("close, too big", [raw(closing(1009)), wait(3)], "message too big"),
    ("close, a code of its own", [raw(closing(4001)), wait(3)], "closed the websocket: code 4001"),
    ("close with half a code", [raw(ws_frame(b"\x03", CLOSE))], "broke the websocket protocol"),
    ("close with a code that is never sent", [raw(closing(1005))], "broke the websocket protocol"),
    ("close with text that is not UTF-8", [raw(closing(1000, b"\xff"))], "broke the websocket protocol"),
    ("end without a close", [lambda p: p.close()], "the broker closed the connection"),
    ("reset", [wait(0.1), lambda p: p.reset()], "the broker closed the connection"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "script", "words"), HANDSHAKES, ids=[c[0] for c in HANDSHAKES])
def test_handshake(kind: type[ThreadedLink], name: str, script: list[Step], words: str) -> None:
    """Whatever answers the handshake, the loss says what, with the URL, and soon."""
    with FakeBroker(script) as broker:
        link, recorder = quick(kind, broker)
        started = time.monotonic()
        loss = link.run()
        assert time.monotonic() - started < 2.5
    assert words in loss.reason
    assert f"127.0.0.1:{broker.port}" in loss.reason or "closed" in loss.reason
    assert "internal error" not in loss.reason
    assert recorder.sessions == []


@pytest.mark.parametrize(("name", "script", "words"), FAULTS, ids=[c[0] for c in FAULTS])
def test_fault(kind: type[ThreadedLink], name: str, script: list[Step], words: str) -> None:
    """A broken websocket costs the connection with a sentence; messages before it arrive."""
    hello, message = KINDS[kind]
    opening: list[Step] = [shake(), expect(CONNECT), send(hello), send(message(b"before"))]
    well: list[Step] = [shake(), expect(CONNECT), send(hello), lambda p: p.answer_pings(9)]
    with FakeBroker([*opening, *script], well) as broker:
        link, recorder = quick(kind, broker)
        started = time.monotonic()
        loss = link.run()
        assert time.monotonic() - started < 2.5
        with running(link):
            wait_for(lambda: len(recorder.sessions) == 2, "connected again")
    assert words in loss.reason
    assert "internal error" not in loss.reason
    assert [m.topic for m in recorder.messages] == ["before"]


def pieces(data: bytes) -> bytes:
    """Cut into one fragment a byte, with pings in between, empty fragments, and one message."""
    parts = [ws_frame(data[:1], BINARY, fin=False)]
    parts += [
        ws_frame(b"ping", PING) + ws_frame(data[i : i + 1], 0, fin=False)
        for i in range(1, len(data))
    ]
    return b"".join(parts) + ws_frame(b"", CONTINUATION, fin=False) + ws_frame(b"", CONTINUATION)


STYLES: dict[str, Callable[[bytes], bytes]] = {
    "one frame": ws_frame,
    "a frame a byte": lambda data: b"".join(ws_frame(bytes([byte])) for byte in data),
    "a fragment a byte": pieces,
    "empty frames": lambda data: ws_frame(b"") * 5 + ws_frame(data) + ws_frame(b"") * 5,
    "pongs unasked": lambda data: ws_frame(b"x", PONG) * 5 + ws_frame(data),
    "the beginning of a frame of 1 TB": lambda data: b"\x82\x7f" + (1 << 40).to_bytes(8) + data,
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_any_framing(kind: type[ThreadedLink], style: str) -> None:
    """Packets may lie across frames and fragments in any way; one read is one batch."""
    hello, message = KINDS[kind]
    stream = b"".join(message(b"t/%d" % number) for number in range(50))
    script: list[Step] = [shake(), expect(CONNECT), send(hello), wait(0.1)]
    with FakeBroker([*script, raw(STYLES[style](stream)), lambda p: p.idle(9)]) as broker:
        link, recorder = quick(kind, broker)
        with running(link):
            wait_for(lambda: len(recorder.messages) == 50, "every message")
    assert [m.topic for m in recorder.messages] == [f"t/{number}" for number in range(50)]
    assert len(recorder.batches) <= 5
    assert recorder.malformed == []


def test_greeting_in_the_same_write(kind: type[ThreadedLink]) -> None:
    """CONNACK and messages that come together with the answer to the handshake are not lost."""
    hello, message = KINDS[kind]
    script: list[Step] = [
        shake(early=ws_frame(hello + message(b"early"))),
        lambda p: p.answer_pings(9),
    ]
    with FakeBroker(script) as broker:
        link, recorder = quick(kind, broker)
        with running(link):
            wait_for(lambda: recorder.messages, "the early message")


def test_a_flood_of_pings(kind: type[ThreadedLink]) -> None:
    """Pings are answered, at least the latest; a flood of them changes nothing."""
    hello, message = KINDS[kind]
    flood = b"".join(ws_frame(b"%d" % number, PING) for number in range(5000))
    script: list[Step] = [
        shake(),
        expect(CONNECT),
        send(hello),
        raw(flood + ws_frame(message(b"after"))),
    ]
    with FakeBroker([*script, lambda p: p.answer_pings(9)]) as broker:
        link, recorder = quick(kind, broker)
        with running(link):
            wait_for(lambda: recorder.messages, "the message after the flood")
            peer = broker.peers[0]
            wait_for(lambda: (PONG, b"4999") in side(peer).frames, "the last pong")


def test_what_the_server_sees(kind: type[ThreadedLink]) -> None:
    """The request names path and subprotocol, and the link closes with a Close frame."""
    hello, _message = KINDS[kind]
    script: list[Step] = [shake(), expect(CONNECT), send(hello), lambda p: p.answer_pings(9)]
    with FakeBroker(script) as broker:
        link, recorder = quick(kind, broker)
        with running(link):
            wait_for(lambda: recorder.sessions, "connected")
        peer = broker.peers[0]
        wait_for(lambda: any(opcode == CLOSE for opcode, _ in side(peer).frames), "a Close frame")
    request = side(peer).request
    assert request.startswith(b"GET /mqtt HTTP/1.1\r\n")
    assert b"sec-websocket-protocol: mqtt\r\n" in request.lower()
    assert f"127.0.0.1:{broker.port}".encode() in request


def test_a_large_message_over_a_slow_reader(kind: type[ThreadedLink]) -> None:
    """What does not fit into the socket at once is continued, byte for byte, with pings between."""
    hello, _message = KINDS[kind]
    payload = bytes(range(256)) * 16_384
    seen: list[bytes] = []

    def read_slowly(peer: Peer) -> None:
        side(peer).raw.sendall(ws_frame(b"now", PING))
        time.sleep(0.3)
        seen.append(peer.expect(PUBLISH_KIND))

    script: list[Step] = [
        shake(),
        expect(CONNECT),
        send(hello),
        read_slowly,
        lambda p: p.answer_pings(9),
    ]
    with FakeBroker(script) as broker:
        link, recorder = quick(kind, broker)
        receipts = Receipts()
        with running(link):
            wait_for(lambda: recorder.sessions, "connected")
            link.publish(Outgoing("big", payload, 0, False, time.monotonic() + 9, receipts))
            receipts.one()
            wait_for(lambda: seen, "the message")
        assert broker.errors == []
    assert seen[0].endswith(payload)


def test_large_messages_come_in(kind: type[ThreadedLink]) -> None:
    """Messages of 8 MiB arrive whole, be it in one frame or in many."""
    hello, _message = KINDS[kind]
    body = bytes(range(256)) * 32_768
    properties = b"\0" if kind is V5Link else b""
    packet = frame(PUBLISH_KIND, b"\0\3big" + properties + body)
    cut = [packet[start : start + 65_000] for start in range(0, len(packet), 65_000)]
    frames = [ws_frame(packet), *map(ws_frame, cut)]
    script: list[Step] = [shake(), expect(CONNECT), send(hello), raw(b"".join(frames))]
    with FakeBroker([*script, lambda p: p.answer_pings(9)]) as broker:
        link, recorder = quick(kind, broker, limit=1 << 24)
        with running(link):
            wait_for(lambda: len(recorder.messages) == 2, "both messages")
    assert all(message.payload == body for message in recorder.messages)
