"""Frames written once for all viewers are those the standard asks for (RFC 6455, 5.2)."""

import pytest
from wsproto.frame_protocol import FrameProtocol, Opcode

from mqtt_dashboard.dashboard.websocket import Framer


@pytest.mark.parametrize("length", [1, 125, 126, 127, 65535, 65536, 200_000])
def test_a_frame_is_read_back_by_another_implementation(length: int) -> None:
    """Every form of the length field; text of more bytes than characters."""
    text = "ä" * (length // 2) + "x" * (length % 2)
    reader = FrameProtocol(client=True, extensions=[])
    reader.receive_bytes(Framer().frame(text))
    frames = list(reader.received_frames())
    assert {frame.opcode for frame in frames} == {Opcode.TEXT}
    assert "".join(str(frame.payload) for frame in frames) == text
    assert frames[-1].message_finished


def test_the_same_text_is_framed_once() -> None:
    """All viewers of one text get the same bytes; another text gets its own."""
    framer = Framer()
    first = "ab"
    assert framer.frame(first) is framer.frame(first)
    assert framer.frame("c")[2:] == b"c"
    assert framer.frame(first)[2:] == b"ab"
