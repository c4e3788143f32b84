"""The topic index as somebody sees it who may not read every topic.

Hidden topics behave like unknown ones: they are not listed, not counted, not found, and no cursor
names one. Counting them out takes looking at names, so counts are bounded and unknown beyond that.
"""

import time
from dataclasses import replace
from typing import Any, Final

from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.bus.dashboard_topics import Child, DashboardTopics, LevelPage
from mqtt_dashboard.bus.topic_names import LAST, SEPARATOR, to_member
from mqtt_dashboard.bus.topic_question import Question, lua_patterns
from mqtt_dashboard.bus.topic_search import WORK_PER_CALL, TopicPage
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.policy import Grant
from mqtt_dashboard.contract.topic_entry import TopicEntry
from mqtt_dashboard.errors import BusError

NAMES_PER_CALL: Final = 10_000
NAMES_COUNTED: Final = 100_000
# A search that has come this far ends at the next name that may be told; what is not counted by
# then is unknown.
LONG_ENOUGH_S: Final = 0.8
LONGEST_S: Final = 4.0

# KEYS names. ARGV start, end, names to look at, patterns... Answers the last name looked at
# (false at the end), how many fit, and how many names were looked at.
_COUNT: Final = """
local most, most_work, patterns = tonumber(ARGV[3]), MOST_WORK, #ARGV - 3
local start, few, count, looked, work = ARGV[1], 16, 0, 0, 0
while true do
  local names = redis.call('ZRANGEBYLEX', KEYS[1], start, ARGV[2], 'LIMIT', 0, few)
  for _, name in ipairs(names) do
    looked, work = looked + 1, work + #name * patterns
    for i = 4, #ARGV do
      if string.find(name, ARGV[i]) then count = count + 1 break end
    end
    if looked >= most or work > most_work then return {name, count, looked} end
  end
  if #names < few then return {false, count, looked} end
  start = '(' .. names[#names]
  -- Long names are fetched few at a time.
  few = work < 64 * looked * patterns and 256 or 16
end
""".replace("MOST_WORK", str(WORK_PER_CALL))


class ReadableTopics:
    """Answers as `DashboardTopics` does, for the topics of one grant."""

    def __init__(
        self,
        inner: DashboardTopics,
        client: Client,
        channels: RedisChannels,
        address: str,
        grant: Grant,
    ) -> None:
        self._inner = inner
        self._client = client
        self._names = channels.topic_names
        self._address = address
        self._grant = grant
        self._count = client.register_script(_COUNT)
        self._patterns = [one for each in grant.filters for one in lua_patterns(each)]

    def count(self) -> int | None:
        """Return how many readable topics are known; None when that takes too long to say."""
        return self._count_below(b"-", b"+", time.monotonic() + LONG_ENOUGH_S)

    def candidates(self, question: Question) -> None:  # noqa: ARG002 - as `DashboardTopics` does
        """Tell nothing: it would count hidden names."""
        return

    def one(self, topic: str) -> TopicEntry | None:
        """Return the entry of one topic; None when it is not known, or hidden."""
        return self._inner.one(topic) if self._grant.allows(topic) else None

    def level(self, parent: str | None, after: str | None, limit: int) -> LevelPage:
        """Return a page of what is readable directly below ``parent``."""
        found: list[Child] = []
        began = time.monotonic()
        while True:
            page = self._inner.level(parent, after, limit)
            for child in page.children:
                readable = self._readable(child, began)
                if readable is not None:
                    found.append(readable)
                if len(found) == limit:
                    return LevelPage(found, more=True)
            if not page.more:
                return LevelPage(found, more=False)
            after = page.children[-1].name
            _check_time(began)

    def search(self, question: Question, after: str | None, limit: int) -> TopicPage:
        """Return a full page, or what there is: a cursor names a readable topic, or none."""
        if not self._grant.filters:
            return TopicPage([], None)
        found: list[TopicEntry] = []
        unreadable = 0
        began = time.monotonic()
        narrowed = replace(question, readable=self._grant.filters)
        while True:
            page = self._inner.search(narrowed, after, limit - len(found))
            unreadable += page.unreadable
            found += [entry for entry in page.entries if self._grant.allows(entry.topic)]
            after = page.last
            if after is None or len(found) >= limit or (page.between and found):
                break
            if page.readable is not None and time.monotonic() - began > LONG_ENOUGH_S:
                after = page.readable
                break
            _check_time(began)
        return TopicPage(found, after, unreadable, len(found), step=page.step, between=page.between)

    def _readable(self, child: Child, began: float) -> Child | None:
        below = f"{child.topic}/#"
        if self._grant.covers(below):
            return child
        entry = child.entry if self._grant.allows(child.topic) else None
        if not self._grant.touches(below):
            return None
        member = to_member(child.topic)
        start, end = b"[" + member + SEPARATOR, b"(" + member + SEPARATOR + LAST
        amount = self._count_below(start, end, began + LONG_ENOUGH_S, began)
        if entry is not None and amount is not None:
            amount += 1
        if amount == 0:
            return None
        return Child(child.name, child.topic, amount, entry)

    def _count_below(
        self, start: bytes, end: bytes, until: float, began: float | None = None
    ) -> int | None:
        """Count what may be read; None when it is more than there was time to count.

        With ``began`` None also means that there is something: a level without is not shown.
        """
        total = looked = 0
        while self._patterns:
            with plain_errors(self._address):
                answer: Any = self._count(
                    keys=[self._names], args=[start, end, NAMES_PER_CALL, *self._patterns]
                )
            last, amount, names = answer
            total += int(amount)
            looked += int(names)
            if not last:
                break
            if looked >= NAMES_COUNTED or time.monotonic() > until:
                if began is None or total:
                    return None
                _check_time(began)
            start = b"(" + last
        return total


def _check_time(began: float) -> None:
    if time.monotonic() > began + LONGEST_S:
        raise BusError("looking for readable topics takes too long; narrow the filter")
