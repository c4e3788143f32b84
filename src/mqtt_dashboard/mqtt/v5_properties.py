"""The properties of MQTT 5 packets (MQTT 5.0, 2.2.2): read for PUBLISH, checked for all others."""

from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from mqtt_dashboard.contract.messages import MessageProperties
from mqtt_dashboard.mqtt.reasons import MALFORMED, BrokerError

_short = Struct(">H").unpack_from
_long = Struct(">I").unpack_from


class UnreadableError(Exception):
    """One PUBLISH cannot be read; it is left out and counted."""


def read_properties(
    data: bytes, start: int, stop: int
) -> tuple[MessageProperties | None, tuple[int, ...], int | None, int]:
    """Read the properties of a PUBLISH (MQTT 5.0, 3.3.2.3).

    Return those that belong to the message, the subscription identifiers, the topic alias, and
    where the payload begins.
    """
    length, position = _varint(data, start, stop)
    end = position + length
    if end > stop:
        raise UnreadableError("the properties of a message are longer than it")
    found: dict[str, Any] = {}
    pairs: list[tuple[str, str]] = []
    identifiers: list[int] = []
    alias: int | None = None
    while position < end:
        kind = data[position]
        if kind == 0x26:
            key, position = _text(data, position + 1, end)
            value, position = _text(data, position, end)
            pairs.append((key, value))
        elif kind == 0x0B:
            identifier, position = _varint(data, position + 1, end)
            identifiers.append(identifier)
        elif kind == 0x23:
            alias, position = _topic_alias(data, position + 1, end, alias)
        elif kind in _READERS:
            name, reader = _READERS[kind]
            if name in found:
                raise UnreadableError(f"the property {name} appears twice")
            found[name], position = reader(data, position + 1, end)
        else:
            raise UnreadableError(f"a message has the unknown property 0x{kind:02X}")
    if not found and not pairs:
        return None, tuple(identifiers), alias, end
    properties = MessageProperties(**found, user_properties=pairs)
    return properties, tuple(identifiers), alias, end


def _topic_alias(data: bytes, start: int, stop: int, known: int | None) -> tuple[int, int]:
    """Read an alias; what is wrong with it is the broker's doing and no publisher's (3.3.2.3.4)."""
    if known is not None:
        raise BrokerError("the broker gave a message two topic aliases")
    if start + 2 > stop:
        raise BrokerError("the broker sent a topic alias that is cut off", MALFORMED)
    return data[start] << 8 | data[start + 1], start + 2


def _varint(data: bytes, start: int, stop: int) -> tuple[int, int]:
    value = 0
    for index in range(start, min(start + 4, stop)):
        value |= (data[index] & 127) << 7 * (index - start)
        if data[index] < 128:
            return value, index + 1
    raise UnreadableError("the properties are cut off")


def _byte(data: bytes, start: int, stop: int) -> tuple[int, int]:
    _check_room(start + 1, stop)
    return data[start], start + 1


def _four_bytes(data: bytes, start: int, stop: int) -> tuple[int, int]:
    _check_room(start + 4, stop)
    return _long(data, start)[0], start + 4


def _binary(data: bytes, start: int, stop: int) -> tuple[bytes, int]:
    _check_room(start + 2, stop)
    end = start + 2 + _short(data, start)[0]
    _check_room(end, stop)
    return data[start + 2 : end], end


def _text(data: bytes, start: int, stop: int) -> tuple[str, int]:
    raw, end = _binary(data, start, stop)
    try:
        return raw.decode(), end
    except UnicodeDecodeError:
        raise UnreadableError("a property is not valid UTF-8") from None


def _check_room(end: int, stop: int) -> None:
    if end > stop:
        raise UnreadableError("a property is cut off")


_READERS: Final[dict[int, tuple[str, Callable[[bytes, int, int], tuple[Any, int]]]]] = {
    0x01: ("payload_format_indicator", _byte),
    0x02: ("message_expiry_interval", _four_bytes),
    0x03: ("content_type", _text),
    0x08: ("response_topic", _text),
    0x09: ("correlation_data", _binary),
}

# Where the properties begin in the body of a packet the broker sends, by packet type.
_OFFSETS: Final = {2: 2, 4: 3, 5: 3, 6: 3, 7: 3, 9: 2, 11: 2, 14: 1, 15: 1}
_SIZES: Final = (
    dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1)
    | dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2)
    | dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4)
)
_TEXTS: Final = {0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F}
_BINARIES: Final = {0x09, 0x16}


def check_texts(frame: bytes, body: int) -> None:
    """Raise `UnreadableError` for text that is not UTF-8: the codec would panic at it.

    Anything else that is wrong is left for the codec to refuse.
    """
    offset = _OFFSETS.get(frame[0] >> 4)
    if offset is None or body + offset >= len(frame) or frame.isascii():
        return
    length, position = _varint(frame, body + offset, len(frame))
    end = min(position + length, len(frame))
    while position < end:
        kind, position = frame[position], position + 1
        if kind in _SIZES:
            position += _SIZES[kind]
        elif kind == 0x0B:
            _, position = _varint(frame, position, end)
        elif kind in _BINARIES:
            _, position = _binary(frame, position, end)
        elif kind in _TEXTS or kind == 0x26:
            for _ in range(2 if kind == 0x26 else 1):
                _, position = _text(frame, position, end)
        else:
            return
