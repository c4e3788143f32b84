"""The one form in which topic names stand in the index: with NUL where the topic has ``/``.

No topic holds a NUL (MQTT 5.0, 1.5.4), and nothing sorts before it, so a topic is directly followed
by everything below it: a level can be read without its subtree.
"""

from typing import Final

SEPARATOR: Final = b"\0"
# Never part of UTF-8, so this is behind everything that begins with what stands before it.
LAST: Final = b"\xff"


def to_member(topic: str) -> bytes:
    """Return the index member of a topic; raise `UnicodeEncodeError` for lone surrogates."""
    return topic.encode().replace(b"/", SEPARATOR)


def to_topic(member: bytes) -> str:
    """Return the topic of an index member; bytes that are no UTF-8 are replaced."""
    return member.replace(SEPARATOR, b"/").decode(errors="replace")
