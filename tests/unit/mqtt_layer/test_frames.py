"""Frames are read as they were written, on the quick way and beside it."""

import pytest

from mqtt_dashboard.mqtt.v5_frames import Decoder
from tests.support.fake_broker import publish

NOTHING_MORE = b"\xd0\0"
LIMIT = 1_000_000
# Around where a length needs one byte more, and where the third byte looks like a topic's length.
SIZES = (0, 1, 115, 116, 117, 118, 119, 16_369, 16_374, 16_375, 16_376, 16_377, 16_378, 20_000)


class Heard:
    """A decoder whose messages are told by what was in their packets."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.packet_ids: list[int] = []
        self.left_out: list[str] = []
        self.controls: list[bytes] = []
        self.decoder = Decoder(
            limit,
            number=self._number,
            settle=lambda _token: None,
            control=lambda _head, frame: self.controls.append(frame),
            left_out=self.left_out.append,
            too_large=lambda size: self.left_out.append(str(size)),
        )

    def _number(self, packet_id: int, _qos: int) -> int:
        self.packet_ids.append(packet_id)
        return len(self.packet_ids)


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("topic", ["t", "levels/of/ten", "ü" * 70], ids=["short", "plain", "wide"])
def test_messages_of_all_sizes(topic: str, qos: int, retain: bool) -> None:
    """Payload, flags and packet id are those that were sent, and the next packet is found."""
    ids = [1 + 251 * number for number in range(len(SIZES))] if qos else []
    data = b"".join(
        publish(topic.encode(), bytes(size), qos=qos, packet_id=packet_id, flags=retain)
        for size, packet_id in zip(SIZES, ids or SIZES, strict=True)
    )
    heard = Heard()
    taken, _ = heard.decoder.decode(data + NOTHING_MORE)
    batch = heard.decoder.batch
    assert [one.payload for one in batch] == [bytes(size) for size in SIZES]
    assert {(one.topic, one.qos, one.retain, one.dup) for one in batch} == {
        (topic, qos, retain, False)
    }
    assert [one.token for one in batch] == (list(range(1, len(SIZES) + 1)) if qos else [0] * 14)
    assert heard.packet_ids == ids
    assert (taken, heard.controls, heard.left_out) == (len(data) + 2, [NOTHING_MORE], [])


@pytest.mark.parametrize("rest", [b"", b"\0\0\0\0\0\0"], ids=["nothing", "zeros"])
@pytest.mark.parametrize("body", [b"\0\1t", b"\0\1t\0\5", b"\0\5t"])
def test_a_message_that_ends_too_early(body: bytes, rest: bytes) -> None:
    """What belongs to the next packet, or to none, is not read as a part of this one."""
    head = 0x32 if len(body) > 4 else 0x30
    heard = Heard()
    heard.decoder.decode(publish(b"before") + bytes([head, len(body)]) + body + rest)
    assert [one.topic for one in heard.decoder.batch] == ["before"]
    assert len(heard.left_out) == 1


def test_the_limit_holds_for_small_messages() -> None:
    """A packet of the limit is read, one byte more is left out."""
    fits, over = publish(b"t", bytes(10)), publish(b"t", bytes(11))
    heard = Heard(len(fits))
    heard.decoder.decode(fits + over + fits)
    assert [len(one.payload) for one in heard.decoder.batch] == [10, 10]
    assert heard.left_out == [str(len(over))]


@pytest.mark.parametrize("size", [16_377, 16_378, 16_379, 20_000])
def test_a_length_of_three_bytes_is_not_taken_for_two(size: int) -> None:
    """Its third byte would pass for a topic of 256 bytes, with a payload made for that."""
    payload = b"x" * 251 + b"\0" + b"x" * (size - 252)
    heard = Heard()
    heard.decoder.decode(publish(b"t", payload, properties=b"\1\1"))
    (message,) = heard.decoder.batch
    assert (message.topic, message.payload) == ("t", payload)
