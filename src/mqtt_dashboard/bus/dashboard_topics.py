"""The topic index as the dashboard reads it: pages, levels of the tree, search.

Each question is one short script in Redis, however many topics there are: a level is read by
jumping over subtrees, a search looks at a bounded number of names per call so that it never holds
up the live path.
"""

import itertools
import os.path
import re
from dataclasses import dataclass
from typing import Any, Final

from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.bus.topic_names import LAST, SEPARATOR, to_member, to_topic
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.topic_entry import TopicEntry
from mqtt_dashboard.errors import ContractError

NAMES_PER_CALL: Final = 10_000
VALUES_PER_CALL: Final = 2000

# KEYS names; ARGV prefix, start, limit. Per child: its name, topics in its subtree.
_LEVEL: Final = """
local prefix, start = ARGV[1], ARGV[2]
local stop = '+'
if prefix ~= '' then stop = '(' .. prefix .. '\\255' end
local found = {}
for _ = 1, tonumber(ARGV[3]) do
  local first = redis.call('ZRANGEBYLEX', KEYS[1], start, stop, 'LIMIT', 0, 1)[1]
  if not first then break end
  local child = string.sub(first, #prefix + 1)
  local cut = string.find(child, '\\0', 1, true)
  if cut then child = string.sub(child, 1, cut - 1) end
  local behind = '(' .. prefix .. child .. '\\0\\255'
  found[#found + 1] = child
  found[#found + 1] = redis.call('ZLEXCOUNT', KEYS[1], '[' .. prefix .. child, behind)
  start = behind
end
return found
"""

# KEYS names, values; ARGV start, end, names to look at, matches wanted, look into values too,
# number of words, number of patterns, words for names..., words for values..., patterns...,
# patterns of what may be read... (none = everything)
# Returns the last name looked at, the matches, and how many names were looked at.
_SEARCH: Final = """
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local wanted, values, words = tonumber(ARGV[4]), nil, tonumber(ARGV[6])
if ARGV[5] == '1' and #names > 0 then
  local topics = {}
  for i, name in ipairs(names) do topics[i] = string.gsub(name, '%z', '/') end
  values = redis.call('HMGET', KEYS[2], unpack(topics))
end
local function has_words(text, from)
  text = string.lower(text)
  for i = from, from + words - 1 do
    if not string.find(text, ARGV[i], 1, true) then return false end
  end
  return true
end
local first = 8 + 2 * words
local behind = first + tonumber(ARGV[7])
local function fits(name, from, stop)
  if from == stop then return true end
  for i = from, stop - 1 do
    if string.find(name, ARGV[i]) then return true end
  end
  return false
end
local function holds(i)
  return values and values[i] and has_words(values[i], 8 + words)
end
local found = {}
for i, name in ipairs(names) do
  local readable = fits(name, first, behind) and fits(name, behind, #ARGV + 1)
  if readable and (has_words(name, 8) or holds(i)) then
    found[#found + 1] = name
    if #found == wanted then return {name, found, i} end
  end
end
if #names < tonumber(ARGV[3]) then return {false, found, #names} end
return {names[#names], found, #names}
"""


@dataclass(frozen=True, slots=True)
class TopicPage:
    """Entries of the topic index; ``last`` is the last name looked at, None at the end.

    ``looked_at`` counts the names compared for this page.
    """

    entries: list[TopicEntry]
    last: str | None
    unreadable: int = 0
    looked_at: int = 0


@dataclass(frozen=True, slots=True)
class Child:
    """One step below a level: its name, the topics in its subtree, its own entry if it is one."""

    name: str
    topic: str
    topics: int | None
    entry: TopicEntry | None


@dataclass(frozen=True, slots=True)
class LevelPage:
    """Children of a level in order; ``more`` tells whether the page was full."""

    children: list[Child]
    more: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What to look for: all words (letter case does not matter), and an MQTT filter.

    ``readable`` are filters of which a topic must also match one; none = no such limit.
    """

    words: tuple[str, ...] = ()
    topic_filter: str | None = None
    prefix: str = ""
    in_values: bool = False
    readable: tuple[str, ...] = ()


class DashboardTopics:
    """The dashboard's questions to the index; errors are `BusError`."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._address = address
        self._names, self._values = channels.topic_names, channels.topic_values
        self._level = client.register_script(_LEVEL)
        self._search = client.register_script(_SEARCH)

    def count(self) -> int:
        """Return how many topics are known."""
        with plain_errors(self._address):
            return int(self._client.zcard(self._names))

    def one(self, topic: str) -> TopicEntry | None:
        """Return the entry of one topic; None when it is not known or cannot be read."""
        with plain_errors(self._address):
            value: Any = self._client.hget(self._values, topic)
        return _entry(value)

    def level(self, parent: str | None, after: str | None, limit: int) -> LevelPage:
        """Return a page of what is directly below ``parent``; None is the root."""
        prefix = b"" if parent is None else to_member(parent) + SEPARATOR
        start = b"[" + prefix if prefix else b"-"
        if after is not None:
            start = b"(" + prefix + to_member(after) + SEPARATOR + LAST
        with plain_errors(self._address):
            flat: Any = self._level(keys=[self._names], args=[prefix, start, limit])
            names: list[bytes] = flat[::2]
            topics = [(prefix + name).replace(SEPARATOR, b"/") for name in names]
            values: Any = self._client.hmget(self._values, topics) if topics else []
        children = [
            Child(to_topic(name), topic.decode(errors="replace"), int(count), _entry(value))
            for name, topic, count, value in zip(names, topics, flat[1::2], values, strict=True)
        ]
        return LevelPage(children, more=len(children) == limit)

    def candidates(self, question: Question) -> int:
        """Return how many names a search has to look at in all, by where they may stand."""
        common = _common_prefix(question)
        if common is None:
            return 0
        prefix = to_member(common)
        start, end = (b"[" + prefix, b"(" + prefix + LAST) if prefix else (b"-", b"+")
        with plain_errors(self._address):
            return int(self._client.zlexcount(self._names, start, end))

    def search(self, question: Question, after: str | None, limit: int) -> TopicPage:
        """Look at a bounded number of names behind ``after``; the page may be short."""
        common = _common_prefix(question)
        if common is None:
            return TopicPage([], None)
        prefix = to_member(common)
        start = b"[" + prefix if prefix else b"-"
        if after is not None and to_member(after) >= prefix:
            start = b"(" + to_member(after)
        end = b"(" + prefix + LAST if prefix else b"+"
        patterns = [] if question.topic_filter is None else lua_patterns(question.topic_filter)
        # Letter case is folded for ASCII only: that is what Redis can do, too.
        words = [word.encode().lower() for word in question.words]
        in_names = [word.replace(b"/", SEPARATOR) for word in words]
        step = VALUES_PER_CALL if question.in_values else NAMES_PER_CALL
        counts = [step, limit, int(question.in_values), len(words), len(patterns)]
        allowed = [one for each in question.readable for one in lua_patterns(each)]
        arguments: list[bytes | str | int] = [start, end, *counts]
        arguments += [*in_names, *words, *patterns, *allowed]
        with plain_errors(self._address):
            last, names, looked_at = self._search(
                keys=[self._names, self._values],
                args=arguments,
            )
            topics = [name.replace(SEPARATOR, b"/") for name in names]
            values: Any = self._client.hmget(self._values, topics) if topics else []
        entries = [_entry(value) for value in values]
        return TopicPage(
            entries=[entry for entry in entries if entry is not None],
            last=to_topic(last) if last else None,
            unreadable=sum(entry is None for entry in entries),
            looked_at=int(looked_at),
        )


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


def _common_prefix(question: Question) -> str | None:
    """Return what every answer begins with; None when there can be none."""
    levels = (question.topic_filter or "#").split("/")
    fixed = "/".join(itertools.takewhile(lambda level: level not in {"+", "#"}, levels))
    wanted = [fixed, question.prefix, _shared_stem(question.readable)]
    longest = max(wanted, key=len)
    return longest if all(longest.startswith(one) for one in wanted) else None


def _shared_stem(filters: tuple[str, ...]) -> str:
    """Return what every topic that matches one of some filters begins with."""
    stems = [one.partition("+")[0].partition("#")[0] for one in filters]
    # "a/#" also matches "a" itself.
    plain = [one.removesuffix("/") for one in stems]
    return os.path.commonprefix(plain) if plain else ""  # noqa: RUF071 - letters are meant


def _lua_level(level: str) -> str:
    return "[^%z]*" if level == "+" else re.sub(r"([^\w\s])", r"%\1", level, flags=re.ASCII)


def _entry(value: bytes | None) -> TopicEntry | None:
    if value is None:
        return None
    try:
        return codec.unpack_entry(value)
    except ContractError:
        return None
