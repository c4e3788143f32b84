"""What a socket may send at all, judged before Engine.IO and Socket.IO read it.

Their code raises on a packet that is none, which would leave the connection half open and fill the
log, and collects binary parts without a bound. Our clients send text packets of four kinds only.
"""

from typing import Final

import msgspec

# Pong, closing, upgrading and doing nothing need no content.
BARE: Final = frozenset({"1", "3", "5", "6"})
MESSAGE: Final = "4"
CONNECT, DISCONNECT, EVENT, ACK = "0", "1", "2", "3"
MOST_DIGITS: Final = 15
DIGITS: Final = frozenset("0123456789")


def is_sound(packet: object) -> bool:
    """Tell whether a message of a websocket is a packet that a client of ours may send."""
    if not isinstance(packet, str):
        return False
    if packet in BARE:
        return True
    if not packet.startswith(MESSAGE):
        return False
    # There is one namespace only, and it may be named.
    kind, content = packet[1:2], packet[2:].removeprefix("/,")
    if kind == DISCONNECT:
        return not content
    if kind == CONNECT:
        return not content or isinstance(_json(content), dict)
    return kind in (EVENT, ACK) and _is_sound_list(kind, content)


def _is_sound_list(kind: str, content: str) -> bool:
    """Tell whether an event has a name, and an answer the number of a question."""
    number, content = _number(content)
    data = _json(content)
    if not isinstance(data, list) or len(number) > MOST_DIGITS:
        return False
    return bool(number) if kind == ACK else bool(data) and isinstance(data[0], str)


def _number(content: str) -> tuple[str, str]:
    """Split the number of a question from what follows it."""
    end = next((at for at, one in enumerate(content) if one not in DIGITS), len(content))
    return content[:end], content[end:]


def _json(text: str) -> object:
    """Return what a JSON text means; nothing is what no sound packet holds."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
