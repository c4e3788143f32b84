"""MQTT 5 bytes to messages: cuts a stream into frames and reads PUBLISH packets.

PUBLISH is read here and not by the codec, because its topic and properties are written by any
client of the broker: the codec panics on text that is not UTF-8. What one publisher wrote wrongly
costs that one message; what the broker wrote wrongly ends the connection.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

from mqtt_dashboard.contract.messages import MessageProperties
from mqtt_dashboard.mqtt.client import Incoming
from mqtt_dashboard.mqtt.reasons import MALFORMED, BrokerError
from mqtt_dashboard.mqtt.v5_properties import UnreadableError, read_properties

TOPIC_ALIAS_INVALID: Final = 0x94
PACKET_TOO_LARGE: Final = 0x95

# Enough for the busiest topics, and with topics of 64 KiB each no more than 32 MiB.
TOPIC_ALIASES: Final = 500

# The topic, the packet id and the properties of a message that is too large to keep.
_HEAD_BYTES: Final = 256 * 1024

_KNOWN_TOPICS: Final = 16_384
_KNOWN_BYTES: Final = 512

# The longest packet whose length takes two bytes.
_PLAIN_BYTES: Final = 3 + 0x3FFF
# The first byte, two of the length and the length of the topic, or all of it one byte earlier.
_opening = Struct(">BBBH").unpack_from


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
        too_large: Callable[[int], None],
    ) -> None:
        self.batch: list[Incoming] = []
        self._limit = max_packet_size
        self._number = number
        self._settle = settle
        self._control = control
        self._left_out = left_out
        self._too_large = too_large
        self._skip = 0  # bytes still to come of a message that is left out
        self.skipped = 0  # those that have come, 0 when there is no such message
        self._topics: dict[bytes, str] = {}
        self._aliases: dict[int, bytes] = {}

    def decode(self, data: bytes) -> tuple[int, int]:
        """Read all complete frames; return the bytes taken and the bytes needed to go on."""
        end = len(data)
        position = min(self._skip, end)
        if self._skip:
            self._skip -= position
            self.skipped = self.skipped + position if self._skip else 0
        while end - (position := self._plain(data, position, end)) > 1:
            length, body = data[position + 1], position + 2
            if length > 127:
                length, body = remaining_length(data, position)
                if length < 0:
                    return position, end - position + 1
            stop = body + length
            head = data[position]
            if stop - position > self._limit:
                known = min(stop, position + _HEAD_BYTES)
                if head & 0xF0 != 0x30:
                    self._refuse_size(stop - position)
                if known > end:
                    return position, known - position
                self._leave_out(head, data, position, body, stop)
                position = min(stop, end)
                continue
            if stop > end:
                return position, stop - position
            # The length of a topic must be its own: the next bytes are of the next packet.
            if head & 0xF0 == 0x30 and length > 1:
                self._publish(head, data, body, stop)
            else:
                self._other(head, data[position:stop])
            position = stop
        return position, end - position + 1

    def _plain(self, data: bytes, position: int, end: int) -> int:
        """Read messages as long as they are what nearly all are; return where that ends.

        They are whole, of QoS 0 or 1, sent for the first time, below 16 KiB, of a readable topic
        and without properties. It does nothing that the general way does not do, only in half the
        time.
        """
        topic_of, take = self._topics.get, self.batch.append
        last, limit, packet_id = end - 4, min(self._limit, _PLAIN_BYTES), 1
        while position < last:
            head, length, high, named = _opening(data, position)
            if length < 128:
                start, named = position + 4, high << 8 | named >> 8
                stop = position + 2 + length
            else:
                start = position + 5
                stop = position + 3 + (length & 127 | high << 7)
            middle = start + named
            raw = data[start:middle]
            kind = head | 1
            if kind == 0x33 and middle + 2 < stop <= end:
                packet_id = data[middle] << 8 | data[middle + 1]
                middle += 2
            elif kind != 0x31:
                break
            whole = middle < stop <= end and stop - position <= limit
            if not whole or not packet_id or data[middle]:
                break
            topic = topic_of(raw)
            if topic is None:
                try:
                    topic = self._read_topic(raw)
                except UnreadableError:
                    break
            payload = data[middle + 1 : stop]
            if kind == 0x31:
                take(Incoming(topic, payload, 0, head == 0x31, False))
            else:
                token = self._number(packet_id, 1)
                take(Incoming(topic, payload, 1, head == 0x33, False, None, token))
            position = stop
        return position

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
            properties: MessageProperties | None = None
            identifiers: tuple[int, ...] = ()
            if middle < stop and not data[middle]:
                middle += 1
            else:
                properties, identifiers, alias, middle = read_properties(data, middle, stop)
                if alias is not None:
                    raw = self._resolve(alias, raw)
            topic = self._topics.get(raw) or self._read_topic(raw)
            payload, retain, dup = data[middle:stop], head & 1 == 1, head & 8 == 8
            message = Incoming(topic, payload, qos, retain, dup, properties, token, identifiers)
            self.batch.append(message)
        except (UnreadableError, IndexError) as error:
            # Acknowledged all the same, or the broker would send it again for ever.
            if token:
                self._settle(token)
            self._left_out(
                str(error) if isinstance(error, UnreadableError) else "a PUBLISH is cut off"
            )

    def _leave_out(self, head: int, data: bytes, position: int, body: int, stop: int) -> None:
        """Read of a message that is too large what the session must know; drop its payload.

        The broker is not told the limit. Told it, mosquitto 2.0 leaves such messages out without
        a word, and ends with a segmentation fault when it logs that into a topic we watch.
        """
        here = min(stop, len(data))
        before = len(self.batch)
        self._publish(head, data, body, here)
        if len(self.batch) > before:
            token = self.batch.pop().token
            if token:
                self._settle(token)
            self._too_large(stop - position)
        self._skip = stop - here
        self.skipped = here - position if self._skip else 0

    def _other(self, head: int, frame: bytes) -> None:
        if head & 0xF0 != 0x30:
            self._control(head, frame)
        elif head & 6:
            raise BrokerError("the broker sent a PUBLISH that is cut off", MALFORMED)
        else:
            self._left_out("a PUBLISH is cut off")

    def _identify(self, data: bytes, position: int, stop: int, qos: int) -> int:
        if qos == 3:
            raise BrokerError("the broker sent a message with QoS 3", MALFORMED)
        if position + 2 > stop:
            raise BrokerError("the broker sent a PUBLISH that is cut off", MALFORMED)
        packet_id = data[position] << 8 | data[position + 1]
        if not packet_id:
            raise BrokerError("the broker sent a message with packet id 0")
        return self._number(packet_id, qos)

    def _resolve(self, alias: int, raw: bytes) -> bytes:
        """Return the topic an alias stands for, or let it stand for a new one (3.3.2.3.4).

        Bytes are kept, not text: a topic that nobody can read costs its own messages only.
        """
        if not 0 < alias <= TOPIC_ALIASES:
            reason = f"the broker used topic alias {alias}; 1 to {TOPIC_ALIASES} were offered"
            raise BrokerError(reason, TOPIC_ALIAS_INVALID)
        if raw:
            self._aliases[alias] = raw
            return raw
        known = self._aliases.get(alias)
        if known is None:
            raise BrokerError(f"the broker used topic alias {alias} without saying its topic")
        return known

    def _read_topic(self, raw: bytes) -> str:
        try:
            topic = raw.decode()
        except UnicodeDecodeError:
            raise UnreadableError("a topic is not valid UTF-8") from None
        if not topic:
            raise UnreadableError("a message has no topic")
        if "\0" in topic or "+" in topic or "#" in topic:
            raise UnreadableError("a topic holds a wildcard or U+0000")
        # Long ones are rare and not worth their memory: 16,384 of 64 KiB would be a gigabyte.
        if len(raw) <= _KNOWN_BYTES:
            if len(self._topics) >= _KNOWN_TOPICS:
                self._topics.clear()
            self._topics[raw] = topic
        return topic

    def _refuse_size(self, size: int) -> None:
        reason = f"the broker sent a packet of {size} bytes, which is no message"
        raise BrokerError(reason, PACKET_TOO_LARGE)
