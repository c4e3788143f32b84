"""The topic index as the dashboard reads it: one topic, levels of the tree, search.

Each question is one short script in Redis, however many topics there are: a level is read by
jumping over subtrees.
"""

from dataclasses import dataclass
from typing import Any, Final

from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.bus.topic_names import LAST, SEPARATOR, to_member, to_topic
from mqtt_dashboard.bus.topic_question import Question
from mqtt_dashboard.bus.topic_search import TopicPage, TopicSearch, entry_of
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.topic_entry import TopicEntry

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


class DashboardTopics:
    """The dashboard's questions to the index; errors are `BusError`."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._address = address
        self._names, self._values = channels.topic_names, channels.topic_values
        self._level = client.register_script(_LEVEL)
        self._search = TopicSearch(client, channels, address)

    def count(self) -> int:
        """Return how many topics are known."""
        with plain_errors(self._address):
            return int(self._client.zcard(self._names))

    def one(self, topic: str) -> TopicEntry | None:
        """Return the entry of one topic; None when it is not known or cannot be read."""
        with plain_errors(self._address):
            value: Any = self._client.hget(self._values, topic)
        return entry_of(value)

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
            Child(to_topic(name), topic.decode(errors="replace"), int(count), entry_of(value))
            for name, topic, count, value in zip(names, topics, flat[1::2], values, strict=True)
        ]
        return LevelPage(children, more=len(children) == limit)

    def candidates(self, question: Question) -> int:
        """Return how many names a search has to look at in all, by where they may stand."""
        return self._search.candidates(question)

    def search(self, question: Question, after: str | None, limit: int) -> TopicPage:
        """Look at a bounded number of names behind ``after``; see `TopicSearch.page`."""
        return self._search.page(question, after, limit)
