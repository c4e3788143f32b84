"""Looking through the topic index in steps, the likeliest answers first.

A question with words is answered by names that begin with its text, then by all other names, then
(when asked for) by values. Every call looks at a bounded number of names and compares a bounded
number of bytes, so that it never holds up the live path, and gives a cursor to go on from. A topic
answers in one of the steps only.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.bus.topic_names import SEPARATOR, to_member, to_topic
from mqtt_dashboard.bus.topic_question import (
    Question,
    Span,
    beginning,
    below,
    common_prefix,
    lua_patterns,
    others,
)
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.topic_entry import TopicEntry
from mqtt_dashboard.errors import ContractError, FieldRefusedError

NAMES_PER_CALL: Final = 10_000
VALUES_PER_CALL: Final = 2000
# What one call may compare: bytes of names or values, times the words and patterns each is compared
# with. A few ms of Redis for common words, and about 25 to 40 for the worst there are.
WORK_PER_CALL: Final = 512 * 1024
MOST_WORDS: Final = 8

Step = Literal["begins", "names", "values"]
_LETTERS: Final[dict[str, Step]] = {"b": "begins", "n": "names", "v": "values"}
_CURSOR: Final = re.compile(r"([bnv]):(.*)", re.DOTALL)

# ARGV start, end, names to look at, matches wanted, number of words, number of patterns,
# words for names..., words for values..., patterns..., patterns of what may be read... (none =
# everything). What follows returns the last name looked at (false: there are no more), the matches,
# how many names were looked at, and the last of them that may be read.
_COMMON: Final = """
local most, wanted, words = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local lower, find = string.lower, string.find
local function has_words(text, from)
  text = lower(text)
  for i = from, from + words - 1 do
    if not find(text, ARGV[i], 1, true) then return false end
  end
  return true
end
local first = 7 + 2 * words
local behind = first + tonumber(ARGV[6])
local function fits(name, from, stop)
  if from == stop then return true end
  for i = from, stop - 1 do
    if find(name, ARGV[i]) then return true end
  end
  return false
end
local most_work = MOST_WORK
local comparisons = 1 + words + #ARGV + 1 - first
local found, seen, looked, work, start = {}, false, 0, 0, ARGV[1]
-- The next names, few at a time when they are long, and whether there are more.
local count = 16
local function following(largest)
  local names = redis.call('ZRANGEBYLEX', KEYS[1], start, ARGV[2], 'LIMIT', 0, count)
  local more, size = #names == count, 0
  for _, name in ipairs(names) do size = size + #name end
  count = size < 16384 and math.min(2 * count, largest) or math.max(1, math.floor(count / 4))
  start = '(' .. (names[#names] or '')
  return names, more
end
""".replace("MOST_WORK", str(WORK_PER_CALL))

_NAMES: Final = (
    _COMMON
    + """
while true do
  local names, more = following(256)
  for _, name in ipairs(names) do
    looked, work = looked + 1, work + #name * comparisons
    if fits(name, behind, #ARGV + 1) then
      seen = name
      if has_words(name, 7) and fits(name, first, behind) then found[#found + 1] = name end
    end
    if #found == wanted or looked >= most or work > most_work then
      return {name, found, looked, seen}
    end
  end
  if not more then return {false, found, looked, seen} end
end
"""
)

# KEYS names, values. Names that hold the words are the answer of another step.
_VALUES: Final = (
    _COMMON
    + """
while true do
  local names, more = following(32)
  local asked, topics = {}, {}
  for i, name in ipairs(names) do
    work = work + #name * comparisons
    if fits(name, first, behind) and fits(name, behind, #ARGV + 1) and not has_words(name, 7) then
      topics[#topics + 1] = string.gsub(name, '%z', '/')
      asked[i] = #topics
    end
  end
  local values = #topics > 0 and redis.call('HMGET', KEYS[2], unpack(topics)) or {}
  for i, name in ipairs(names) do
    looked = looked + 1
    local value = asked[i] and values[asked[i]]
    if asked[i] then seen = name end
    if value then
      work = work + #value * (1 + words)
      if has_words(value, 7 + words) then found[#found + 1] = name end
    end
    if #found == wanted or looked >= most or work > most_work then
      return {name, found, looked, seen}
    end
  end
  if not more then return {false, found, looked, seen} end
end
"""
)


@dataclass(frozen=True, slots=True)
class TopicPage:
    """Entries of the topic index; ``last`` is the cursor to go on from, None at the end.

    ``looked_at`` counts the names compared for this page, ``looked_at_values`` the values. ``step``
    is what the cursor goes on with; ``between`` tells that it stands at the beginning of a step.
    ``readable`` is a cursor that names nothing but what may be read, None when there is none yet.
    """

    entries: list[TopicEntry]
    last: str | None
    unreadable: int = 0
    looked_at: int = 0
    looked_at_values: int = 0
    step: Step | None = None
    between: bool = False
    readable: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """A step and the member behind which it goes on; without words there is one step, unnamed."""

    step: Step | None
    behind: bytes = b""

    def cursor(self) -> str:
        topic = to_topic(self.behind)
        return topic if self.step is None else f"{self.step[0]}:{topic}"


class TopicSearch:
    """Answers questions page by page; errors are `BusError`."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._address = address
        self._keys = [channels.topic_names, channels.topic_values]
        self._names = client.register_script(_NAMES)
        self._values = client.register_script(_VALUES)

    def candidates(self, question: Question) -> int:
        """Return how many names a search has to look at in all, by where they may stand."""
        prefix = common_prefix(question)
        if prefix is None:
            return 0
        with plain_errors(self._address):
            return int(self._client.zlexcount(self._keys[0], *below(prefix).all))

    def page(self, question: Question, after: str | None, limit: int) -> TopicPage:
        """Look at a bounded number of names behind ``after``; the page may be short, or empty.

        Raise `FieldRefusedError` for a cursor that was never given out.
        """
        prefix = common_prefix(question)
        place: _Place | None = _place(question, after)
        while prefix is not None and place is not None:
            spans = _spans(question, prefix, place.step)
            left = [span for span in spans if span.bounds(place.behind) is not None]
            if left:
                return self._look(question, place, left, limit)
            place = _following(question, place.step)
        return TopicPage([], None)

    def _look(self, question: Question, at: _Place, left: list[Span], limit: int) -> TopicPage:
        """Look at the beginning of what is ``left`` of a step."""
        in_values = at.step == "values"
        script = self._values if in_values else self._names
        bounds = left[0].bounds(at.behind) or left[0].all
        arguments = _arguments(question, VALUES_PER_CALL if in_values else NAMES_PER_CALL, limit)
        with plain_errors(self._address):
            last, names, looked_at, seen = script(keys=self._keys, args=[*bounds, *arguments])
        entries = self._entries(names)
        readable = [entry for entry in entries if entry is not None]
        on: _Place | None = _Place(at.step, last or left[0].end)
        between = not last and len(left) == 1
        if between:
            on = _following(question, at.step)
        return TopicPage(
            entries=readable,
            last=None if on is None else on.cursor(),
            unreadable=len(entries) - len(readable),
            looked_at=0 if in_values else int(looked_at),
            looked_at_values=int(looked_at) if in_values else 0,
            step=None if on is None else on.step,
            between=between,
            readable=_Place(at.step, seen).cursor() if seen else None,
        )

    def _entries(self, names: list[bytes]) -> list[TopicEntry | None]:
        if not names:
            return []
        topics = [name.replace(SEPARATOR, b"/") for name in names]
        with plain_errors(self._address):
            values: Any = self._client.hmget(self._keys[1], topics)
        return [entry_of(value) for value in values]


def entry_of(value: bytes | None) -> TopicEntry | None:
    """Read a value of the index; None when there is none, or it cannot be read."""
    if value is None:
        return None
    try:
        return codec.unpack_entry(value)
    except ContractError:
        return None


def _steps(question: Question) -> tuple[Step | None, ...]:
    if not question.words:
        return (None,)
    first: tuple[Step, ...] = ("begins",) if question.text else ()
    return (*first, "names", *(("values",) if question.in_values else ()))


def _spans(question: Question, prefix: bytes, step: Step | None) -> list[Span]:
    if step == "begins":
        return beginning(question, prefix)
    if step == "names":
        return others(question, prefix)
    return [below(prefix)]


def _following(question: Question, step: Step | None) -> _Place | None:
    steps = _steps(question)
    rest = steps[steps.index(step) + 1 :]
    return _Place(rest[0]) if rest else None


def _place(question: Question, after: str | None) -> _Place:
    steps = _steps(question)
    if not after:
        return _Place(steps[0])
    if steps[0] is None:
        return _Place(None, to_member(after))
    found = _CURSOR.fullmatch(after)
    step = _LETTERS[found[1]] if found else None
    if found is None or step not in steps:
        raise FieldRefusedError("after", "after must be `next` of the page before")
    return _Place(step, to_member(found[2]))


def _arguments(question: Question, names: int, wanted: int) -> list[bytes | str | int]:
    patterns = [] if question.topic_filter is None else lua_patterns(question.topic_filter)
    # Letter case is folded for ASCII only: that is what Redis can do, too.
    words = [word.encode().lower() for word in question.words]
    in_names = [word.replace(b"/", SEPARATOR) for word in words]
    allowed = [one for each in question.readable for one in lua_patterns(each)]
    counts = [names, wanted, len(words), len(patterns)]
    return [*counts, *in_names, *words, *patterns, *allowed]
