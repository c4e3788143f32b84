"""What a client may send over the live channel, looked at before any library unpacks it.

The libraries below accept much that nobody here uses: binary packets that wait for any number of
attachments, namespaces, acknowledgements. Whoever sends such things is no client of ours, and the
connection ends.
"""

import re
from typing import Final

import msgspec

CONNECT: Final = "40"
# Engine.IO: 1 close, 3 pong, 4 message; Socket.IO inside: 0 connect, 1 disconnect, 2 event.
_WITHOUT_DATA: Final = {"1", "2", "3", "41", "40"}
_EVENT: Final = re.compile(r"42([0-9]{0,15})(?=\[)")
# Sent as events they would call what only the server calls, and upset its accounts.
RESERVED: Final = {"connect", "disconnect"}
MAX_AUTH_CHARACTERS: Final = 4096


def is_ours(message: object) -> bool:
    """Tell whether a websocket message is a packet that a client of ours may send."""
    if not isinstance(message, str):
        return False
    if message in _WITHOUT_DATA:
        return True
    if message.startswith("40{"):
        return len(message) <= MAX_AUTH_CHARACTERS and isinstance(_decoded(message[2:]), dict)
    head = _EVENT.match(message)
    if head is None:
        return False
    event = _decoded(message[head.end() :])
    if not isinstance(event, list) or not event or not isinstance(event[0], str):
        return False
    return event[0] not in RESERVED


def is_connect(message: object) -> bool:
    """Tell whether a packet asks for the live channel, as the first one has to."""
    return isinstance(message, str) and message.startswith(CONNECT)


def _decoded(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
