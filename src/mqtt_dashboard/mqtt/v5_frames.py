"""MQTT 5 bytes to messages: cuts a stream into frames and reads PUBLISH packets.

PUBLISH is read here and not by the codec, because its topic and properties are written by any
client of the broker: the codec panics on text that is not UTF-8. What one publisher wrote wrongly
costs that one message; what the broker wrote wrongly ends the connection.
"""

from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from mqtt_dashboard.contract.messages import MessageProperties
from mqtt_dashboard.mqtt.client import Incoming
from mqtt_dashboard.mqtt.reasons import MALFORMED, BrokerError

TOPIC_ALIAS_INVALID: Final = 0x94
PACKET_TOO_LARGE: Final = 0x95

_KNOWN_TOPICS: Final = 16_384

_short = Struct(">H").unpack_from
_long = Struct(">I").unpack_from
_make = tuple.__new__


class UnreadableError(Exception):
    """One PUBLISH cannot be read; it is left out and counted."""


def remaining_length(data: bytes, position: int) -> tuple[int, int]:
    """Read the length after the first byte; return it with where the body begins, or -1."""
    length = shift = 0
    for index in range(position + 1, position + 5):
        if index >= len(data):
            return -1, 0
        byte = data[index]
        length |= (byte & 127) << shift
        if byte < 128:
            return length, index + 1
        shift += 7
    raise BrokerError("the broker sent a packet with an impossible length", MALFORMED)


class Decoder:
    """Reads frames; ``batch`` collects the messages, everything else goes to ``control``.

    ``number`` gives each QoS 1 and 2 message its token and tells by 0 that it was seen already.
    """

    def __init__(
        self,
        max_packet_size: int,
        *,
        number: Callable[[int, int], int],
        settle: Callable[[int], None],
        control: Callable[[int, bytes], None],
        left_out: Callable[[str], None],
    ) -> None:
        self.batch: list[Incoming] = []
        self._limit = max_packet_size
        self._number = number
        self._settle = settle
        self._control = control
        self._left_out = left_out
        self._topics: dict[bytes, str] = {}

    def decode(self, data: bytes) -> tuple[int, int]:
        """Read all complete frames; return the bytes taken and the bytes needed to go on."""
        position, end = 0, len(data)
        while end - position > 1:
            length, body = data[position + 1], position + 2
            if length > 127:
                length, body = remaining_length(data, position)
                if length < 0:
                    return position, end - position + 1
            stop = body + length
            if stop - position > self._limit:
                self._refuse_size(stop - position)
            if stop > end:
                return position, stop - position
            head = data[position]
            if head & 0xF0 == 0x30:
                self._publish(head, data, body, stop)
            else:
                self._control(head, data[position:stop])
            position = stop
        return position, end - position + 1

    def _publish(self, head: int, data: bytes, start: int, stop: int) -> None:
        token = 0
        try:
            middle = start + 2 + (data[start] << 8 | data[start + 1])
            raw, qos = data[start + 2 : middle], head >> 1 & 3
            if qos:
                token = self._identify(data, middle, stop, qos)
                middle += 2
                if not token:
                    return
            properties = None
            if middle < stop and not data[middle]:
                middle += 1
            else:
                properties, middle = read_properties(data, middle, stop)
            topic = self._topics.get(raw) or self._read_topic(raw)
            message = (topic, data[middle:stop], qos, head & 1 == 1, head & 8 == 8)
            self.batch.append(_make(Incoming, (*message, properties, token)))
        except (UnreadableError, IndexError) as error:
            # Acknowledged all the same, or the broker would send it again for ever.
            if token:
                self._settle(token)
            self._left_out(
                str(error) if isinstance(error, UnreadableError) else "a PUBLISH is cut off"
            )

    def _identify(self, data: bytes, position: int, stop: int, qos: int) -> int:
        if qos == 3:
            raise BrokerError("the broker sent a message with QoS 3", MALFORMED)
        if position + 2 > stop:
            raise BrokerError("the broker sent a PUBLISH that is cut off", MALFORMED)
        packet_id = data[position] << 8 | data[position + 1]
        if not packet_id:
            raise BrokerError("the broker sent a message with packet id 0")
        return self._number(packet_id, qos)

    def _read_topic(self, raw: bytes) -> str:
        try:
            topic = raw.decode()
        except UnicodeDecodeError:
            raise UnreadableError("a topic is not valid UTF-8") from None
        if not topic:
            raise UnreadableError("a message has no topic")
        if "\0" in topic or "+" in topic or "#" in topic:
            raise UnreadableError("a topic holds a wildcard or U+0000")
        if len(self._topics) >= _KNOWN_TOPICS:
            self._topics.clear()
        self._topics[raw] = topic
        return topic

    def _refuse_size(self, size: int) -> None:
        reason = f"the broker sent a packet of {size} bytes; at most {self._limit} were agreed"
        raise BrokerError(reason, PACKET_TOO_LARGE)


def read_properties(data: bytes, start: int, stop: int) -> tuple[MessageProperties | None, int]:
    """Read the properties of a PUBLISH (MQTT 5.0, 3.3.2.3); return where the payload begins."""
    length, position = _varint(data, start, stop)
    end = position + length
    if end > stop:
        raise UnreadableError("the properties of a message are longer than it")
    found: dict[str, Any] = {}
    pairs: list[tuple[str, str]] = []
    while position < end:
        kind = data[position]
        if kind == 0x26:
            key, position = _text(data, position + 1, end)
            value, position = _text(data, position, end)
            pairs.append((key, value))
        elif kind == 0x0B:
            _, position = _varint(data, position + 1, end)
        elif kind == 0x23:
            raise BrokerError(
                "the broker used a topic alias, none was offered", TOPIC_ALIAS_INVALID
            )
        elif kind in _READERS:
            name, reader = _READERS[kind]
            if name in found:
                raise UnreadableError(f"the property {name} appears twice")
            found[name], position = reader(data, position + 1, end)
        else:
            raise UnreadableError(f"a message has the unknown property 0x{kind:02X}")
    if not found and not pairs:
        return None, end
    return MessageProperties(**found, user_properties=pairs), end


def _varint(data: bytes, start: int, stop: int) -> tuple[int, int]:
    value = 0
    for index in range(start, min(start + 4, stop)):
        value |= (data[index] & 127) << 7 * (index - start)
        if data[index] < 128:
            return value, index + 1
    raise UnreadableError("the properties of a message are cut off")


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
        raise UnreadableError("a property of a message is not valid UTF-8") from None


def _check_room(end: int, stop: int) -> None:
    if end > stop:
        raise UnreadableError("a property of a message is cut off")


_READERS: Final[dict[int, tuple[str, Callable[[bytes, int, int], tuple[Any, int]]]]] = {
    0x01: ("payload_format_indicator", _byte),
    0x02: ("message_expiry_interval", _four_bytes),
    0x03: ("content_type", _text),
    0x08: ("response_topic", _text),
    0x09: ("correlation_data", _binary),
}
