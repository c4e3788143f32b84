"""Topics and filters: what is valid, what matches, what contains what (MQTT 5.0, 4.7).

Both services judge names by these functions, so a filter means the same everywhere.
"""

import re
from functools import lru_cache

from mqtt_dashboard.errors import TopicError

MAX_TOPIC_BYTES = 65535
LONGEST_KEPT = 1024

# U+0000 is forbidden; the standard lets a receiver end the connection over the others (1.5.4), and
# mosquitto does: over a name that anybody typed, the bridge would be thrown out.
_FORBIDDEN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\ufdd0-\\ufdef"
    + "".join(f"\\U{plane:04x}fffe\\U{plane:04x}ffff" for plane in range(17))
    + "]"
)


def forbidden_character(text: str) -> str | None:
    """Return the first character that no text sent to a broker may hold (MQTT 5.0, 1.5.4)."""
    found = _FORBIDDEN.search(text)
    return found[0] if found else None


def check_topic(topic: str) -> str:
    """Return a valid topic name unchanged; raise `TopicError` otherwise."""
    _check_text(topic, "topic")
    if "+" in topic or "#" in topic:
        raise TopicError("a topic to publish to must not contain the wildcards + or #")
    return topic


def check_filter(topic_filter: str) -> str:
    """Return a valid topic filter unchanged; raise `TopicError` otherwise."""
    _check_text(topic_filter, "filter")
    levels = split_shared(topic_filter)[1].split("/")
    for position, level in enumerate(levels):
        if "#" in level and (level != "#" or position != len(levels) - 1):
            raise TopicError("the wildcard # must be the last level and stand alone in it")
        if "+" in level and level != "+":
            raise TopicError("the wildcard + must stand alone in its level")
    return topic_filter


def split_shared(topic_filter: str) -> tuple[str | None, str]:
    """Split ``$share/<group>/<filter>`` (MQTT 5.0, 4.8.2) into group and filter."""
    if not topic_filter.startswith("$share/"):
        return None, topic_filter
    parts = topic_filter.split("/", 2)
    if len(parts) < 3 or not parts[1] or not parts[2] or "+" in parts[1] or "#" in parts[1]:
        raise TopicError("a shared subscription is written $share/<group>/<filter>")
    return parts[1], parts[2]


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a topic matches a filter; ``#`` and ``+`` never match a leading ``$``."""
    return _levels_match(_split(topic_filter), topic.split("/"))


def contains(outer: str, inner: str) -> bool:
    """Tell whether every topic that matches ``inner`` also matches ``outer``."""
    wide, narrow = _split(outer), _split(inner)
    if narrow[0].startswith("$") and wide[0] in {"#", "+"}:
        return False
    if narrow == ("#",):
        # Every topic has a first level, so +/# says the same.
        return wide in {("#",), ("+", "#")}
    for position, level in enumerate(wide):
        if level == "#":
            return True
        if position >= len(narrow) or narrow[position] == "#":
            return False
        if level not in {"+", narrow[position]}:
            return False
    return len(wide) == len(narrow)


def overlap(one: str, other: str) -> bool:
    """Tell whether some topic matches both filters."""
    left, right = _split(one), _split(other)
    wildcard_first = {left[0], right[0]} & {"#", "+"}
    if wildcard_first and (left[0].startswith("$") or right[0].startswith("$")):
        return False
    for mine, its in zip(left, right, strict=False):
        if "#" in {mine, its}:
            return True
        if mine != its and "+" not in {mine, its}:
            return False
    # "a/#" also matches "a" itself (MQTT 5.0, 4.7.1.2).
    longer = max(left, right, key=len)
    shorter = min(len(left), len(right))
    return len(left) == len(right) or longer[shorter:] == ("#",)


def _split(topic_filter: str) -> tuple[str, ...]:
    # A filter may have 32,000 levels; 4,096 such ones are not kept.
    if len(topic_filter) > LONGEST_KEPT:
        return tuple(topic_filter.split("/"))
    return _split_once(topic_filter)


@lru_cache(maxsize=4096)
def _split_once(topic_filter: str) -> tuple[str, ...]:
    return tuple(topic_filter.split("/"))


def _levels_match(pattern: tuple[str, ...], levels: list[str]) -> bool:
    if levels[0].startswith("$") and pattern[0] in {"#", "+"}:
        return False
    for position, level in enumerate(pattern):
        if level == "#":
            return True
        if position >= len(levels) or level not in {"+", levels[position]}:
            return False
    return len(pattern) == len(levels)


def _check_text(text: str, what: str) -> None:
    if not text:
        raise TopicError(f"a {what} must not be empty")
    if (found := forbidden_character(text)) is not None:
        raise TopicError(f"a {what} must not contain the character U+{ord(found):04X}")
    try:
        length = len(text.encode())
    except UnicodeEncodeError as error:
        raise TopicError(f"a {what} must be valid UTF-8") from error
    if length > MAX_TOPIC_BYTES:
        raise TopicError(f"a {what} must not be longer than {MAX_TOPIC_BYTES} bytes")
