"""Whatever bytes come from the broker: nothing raises, nothing is read wrongly (P21, P27)."""

import contextlib

import mqtt5
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mqtt_dashboard.mqtt import broker_log
from mqtt_dashboard.mqtt.client import Incoming
from mqtt_dashboard.mqtt.client_events import Unusable
from mqtt_dashboard.mqtt.rates import CounterRates
from mqtt_dashboard.mqtt.reasons import BrokerError
from mqtt_dashboard.mqtt.receive_order import ReceiveOrder
from mqtt_dashboard.mqtt.sys_dialects import _EMQX, _MOSQUITTO, _VERNEMQ
from mqtt_dashboard.mqtt.sys_topics import SysTopics
from mqtt_dashboard.mqtt.v5_frames import Decoder
from mqtt_dashboard.mqtt.v5_packets import read

LIMIT = 1 << 20
TOPICS = [
    *(f"$SYS/broker/{name}" for name in _MOSQUITTO),
    *(f"$SYS/brokers/n1/{name}" for name in _EMQX),
    *(f"$SYS/n1/{name}" for name in _VERNEMQ),
]
short = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
topic_names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="+#\0"), min_size=1, max_size=300
).filter(lambda text: len(text.encode()) < 1000)
payloads = st.one_of(st.binary(max_size=40), st.binary(min_size=120, max_size=140))


@st.composite
def publishes(draw: st.DrawFn) -> mqtt5.PublishPacket:
    """Draw a PUBLISH with any of its properties."""
    level = draw(st.integers(0, 1))
    optional = st.none() | short
    return mqtt5.PublishPacket(
        draw(topic_names),
        draw(payloads),
        qos=(mqtt5.QoS.AT_MOST_ONCE, mqtt5.QoS.AT_LEAST_ONCE)[level],
        retain=draw(st.booleans()),
        duplicate=bool(level) and draw(st.booleans()),
        packet_id=draw(st.integers(1, 65535)) if level else None,
        payload_format_indicator=draw(st.integers(0, 1)),
        message_expiry_interval=draw(st.none() | st.integers(0, 2**32 - 1)),
        content_type=draw(optional),
        response_topic=draw(st.none() | topic_names),
        correlation_data=draw(st.none() | st.binary(max_size=9)),
        subscription_ids=draw(st.lists(st.integers(1, 268_435_455), max_size=3)),
        user_properties=draw(st.lists(st.tuples(short, short), max_size=3)),
    )


class Wire:
    """A decoder with everything it reports."""

    def __init__(self) -> None:
        self.left_out: list[str] = []
        self.control: list[bytes] = []
        self.too_large: list[int] = []
        order = ReceiveOrder(1, 65_535)
        self.decoder = Decoder(
            LIMIT,
            number=order.number,
            settle=order.settle,
            control=lambda _head, frame: self.control.append(frame),
            left_out=self.left_out.append,
            too_large=self.too_large.append,
        )


def agrees(packet: mqtt5.PublishPacket, message: Incoming) -> bool:
    """Compare what was read with what the codec wrote."""
    properties = message.properties
    return (
        (message.topic, message.payload, message.qos)
        == (packet.topic, packet.payload, int(packet.qos))
        and (message.retain, message.dup) == (packet.retain, packet.duplicate)
        and list(message.identifiers) == packet.subscription_ids
        and bool(message.token) == bool(int(packet.qos))
        and (properties.content_type if properties else None) == packet.content_type
        and (properties.response_topic if properties else None) == packet.response_topic
        and (properties.correlation_data if properties else None) == packet.correlation_data
        and (properties.user_properties if properties else []) == packet.user_properties
        and (properties.message_expiry_interval if properties else None)
        == packet.message_expiry_interval
        and ((properties and properties.payload_format_indicator) or 0)
        == packet.payload_format_indicator
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(publishes(), max_size=6), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_reads_what_the_codec_writes(packets: list[mqtt5.PublishPacket], cuts: list[int]) -> None:
    """However the stream is cut, every message arrives once, in order, with all its properties."""
    wire = Wire()
    stream, rest, turn = b"".join(packet.write() for packet in packets), b"", 0
    while stream:
        size = cuts[turn % len(cuts)]
        rest, stream, turn = rest + stream[:size], stream[size:], turn + 1
        taken, need = wire.decoder.decode(rest)
        rest = rest[taken:]
        assert need > len(rest)
    assert rest == b""
    assert wire.left_out == []
    assert wire.control == []
    assert len(wire.decoder.batch) == len(packets)
    assert all(map(agrees, packets, wire.decoder.batch))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80))
@example(b"\x30\x05\x00\x02\xff\xfe\x00")
@example(b"\x32\x05\x00\x01a\x00\x01")
def test_any_bytes(data: bytes) -> None:
    """Arbitrary bytes are messages, left-out messages, or a mistake of the broker; nothing else."""
    wire = Wire()
    try:
        taken, need = wire.decoder.decode(data)
        assert 0 <= taken <= len(data)
        assert need > len(data) - taken
    except BrokerError:
        pass


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([2, 4, 5, 6, 7, 9, 11, 13, 14, 15]), st.binary(max_size=40))
@example(14, b"\x8e\x04\x1f\x00\x01\xff")
def test_any_control_packet(kind: int, body: bytes) -> None:
    """No packet of the broker makes the codec panic."""
    frame = bytes([kind << 4 | (2 if kind == 6 else 0), len(body)]) + body
    reason = ""
    try:
        read(frame)
    except BrokerError as error:
        reason = error.reason
    # The words of the net behind the check: they would mean that the codec did panic.
    assert reason != "the broker sent a malformed packet"


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(TOPICS) | st.text(max_size=20), st.binary(max_size=30))))
def test_statistics_never_raise(messages: list[tuple[str, bytes]]) -> None:
    """Hostile statistics are counted; what is read is never negative."""
    collector = SysTopics()
    for now, (topic, payload) in enumerate(messages):
        collector.feed(topic, payload, float(now))
    stats = collector.snapshot(float(len(messages)))
    values = [getattr(stats, name) for name in stats.__struct_fields__]
    assert all(value is None or isinstance(value, str) or value >= 0 for value in values)
    assert all(age >= 0 for age in collector.ages(float(len(messages))).values())


lines = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "1: "]),
    st.sampled_from(["New client connected from ", "Client ", "New bridge connected from "]),
    st.text(max_size=40),
    st.sampled_from([" disconnected.", " (p2, c1, k60).", "]: disconnected: x.", "."]),
)


@settings(max_examples=400)
@given(
    st.sampled_from(["N", "E", "W", "M/subscribe", "x"]),
    st.one_of(st.binary(max_size=200), lines.map(lambda text: text.encode(errors="replace"))),
    st.sampled_from([None, "mosquitto version 2.0.11", "mosquitto version 2.1.2"]),
)
def test_log_lines_never_raise(kind: str, line: bytes, version: str | None) -> None:
    """Any line is an event, or nothing, or declared unusable."""
    with contextlib.suppress(Unusable):
        broker_log.BrokerLog().read(broker_log.TOPIC_PREFIX + kind, line, version)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0.01, 100)), max_size=20))
def test_rates_are_never_negative(steps: list[tuple[int, float]]) -> None:
    """Whatever counters do, no rate is below zero (P26)."""
    rates, now = CounterRates(), 0.0
    for value, step in steps:
        now += step
        rate = rates.update({"a": value}, now)["a"]
        assert rate is None or rate >= 0
