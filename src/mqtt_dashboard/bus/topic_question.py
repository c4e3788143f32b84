"""What to look for in the topic index, and where in the order of names it may stand."""

import itertools
import os.path
import re
from dataclasses import dataclass

from mqtt_dashboard.bus.topic_names import LAST, to_member


@dataclass(frozen=True, slots=True)
class Question:
    """What to look for: all words (letter case does not matter), and an MQTT filter.

    ``text`` is what the words come from; names that begin with it come first. ``readable`` are
    filters of which a topic must also match one; none = no such limit.
    """

    words: tuple[str, ...] = ()
    topic_filter: str | None = None
    prefix: str = ""
    in_values: bool = False
    readable: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Members from ``first`` on and before ``end``; an empty end is behind all of them."""

    first: bytes = b""
    end: bytes = b""

    def bounds(self, behind: bytes) -> tuple[bytes, bytes] | None:
        """Return what is left of it behind a member, as ZRANGEBYLEX takes it; None: nothing."""
        if self.end and behind >= self.end:
            return None
        start, end = self.all
        return (b"(" + behind if behind and behind >= self.first else start), end

    @property
    def all(self) -> tuple[bytes, bytes]:
        """All of it, as ZRANGEBYLEX takes it."""
        start = b"[" + self.first if self.first else b"-"
        return start, b"(" + self.end if self.end else b"+"


def below(prefix: bytes) -> Span:
    """Return the span of everything that begins with ``prefix``."""
    return Span(prefix, prefix + LAST if prefix else b"")


def common_prefix(question: Question) -> bytes | None:
    """Return what every answer begins with, as a member; None when there can be none."""
    levels = (question.topic_filter or "#").split("/")
    fixed = "/".join(itertools.takewhile(lambda level: level not in {"+", "#"}, levels))
    wanted = [fixed, question.prefix, _shared_stem(question.readable)]
    longest = max(wanted, key=len)
    return to_member(longest) if all(longest.startswith(one) for one in wanted) else None


def beginning(question: Question, prefix: bytes) -> list[Span]:
    """Return where names stand that begin with the text."""
    text = to_member(question.text)
    if not text or not (text.startswith(prefix) or prefix.startswith(text)):
        return []
    return [below(max(text, prefix, key=len))]


def others(question: Question, prefix: bytes) -> list[Span]:
    """Return where names stand that do not begin with the text."""
    text, whole = to_member(question.text), below(prefix)
    if not text:
        return [whole]
    if prefix.startswith(text):
        return []
    if not text.startswith(prefix):
        return [whole]
    return [Span(whole.first, text), Span(text + LAST, whole.end)]


def lua_patterns(topic_filter: str) -> list[str]:
    """Return Lua patterns for index members that match an MQTT filter (MQTT 5.0, 4.7)."""
    levels = topic_filter.split("/")
    # A wildcard in front matches no topic that begins with $ (4.7.2).
    guard = "[^$%z]" if levels[0] == "+" else "[^$]"
    if levels == ["#"]:
        return [f"^{guard}.*$"]
    rest = levels[-1] == "#"
    parts = [_lua_level(level) for level in (levels[:-1] if rest else levels)]
    heads = [parts[0]] if levels[0] != "+" else ["", f"{guard}[^%z]*"]
    patterns = []
    for head in heads:
        body = "%z".join([head, *parts[1:]])
        patterns += [f"^{body}$", f"^{body}%z.*$"] if rest else [f"^{body}$"]
    return patterns


def _shared_stem(filters: tuple[str, ...]) -> str:
    """Return what every topic that matches one of some filters begins with."""
    stems = [one.partition("+")[0].partition("#")[0] for one in filters]
    # "a/#" also matches "a" itself.
    plain = [one.removesuffix("/") for one in stems]
    return os.path.commonprefix(plain) if plain else ""  # noqa: RUF071 - letters are meant


def _lua_level(level: str) -> str:
    return "[^%z]*" if level == "+" else re.sub(r"([^\w\s])", r"%\1", level, flags=re.ASCII)
