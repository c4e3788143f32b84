"""The bridge's side of the topic index in Redis. Every write is fenced by the epoch.

Writes are numbered, and Redis keeps the number of the last one: a Redis that came back with older
data refuses the next write, instead of taking a part of an index for the whole.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from mqtt_dashboard.bus import connection
from mqtt_dashboard.bus.fence import FENCE, fencing_errors
from mqtt_dashboard.bus.topic_names import to_member
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.topic_entry import TopicEntry
from mqtt_dashboard.errors import BusRefusedError, ContractError, FellBackError

CHUNK: Final = 500
SCAN_CHUNK: Final = 2000

# KEYS epoch, names, values, state; ARGV epoch, number of the last write that was confirmed, number
# of this one. A write whose answer was lost may have been done; its number is not used again.
_NUMBERED: Final = (
    FENCE
    + """
local writes = tonumber(redis.call('HGET', KEYS[4], 'writes') or '0')
if not writes or writes < 0 or writes >= 1e15 then writes = 0 end
if writes < tonumber(ARGV[2]) or writes >= tonumber(ARGV[3]) then
  return redis.error_reply('FELL-BACK')
end
redis.call('HSET', KEYS[4], 'writes', ARGV[3])
"""
)

# ARGV 4 and 5: epoch and number of the message up to which the index is whole then, or two empty
# texts; 6: number of new names; then the new names, and topic and entry in turn.
_WRITE: Final = (
    _NUMBERED
    + """
local new = tonumber(ARGV[6])
if new > 0 then
  local members = {}
  for i = 1, new do
    members[2 * i - 1] = '0'
    members[2 * i] = ARGV[6 + i]
  end
  redis.call('ZADD', KEYS[2], unpack(members))
end
if #ARGV > 6 + new then redis.call('HSET', KEYS[3], unpack(ARGV, 7 + new)) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[4], 'epoch', ARGV[4], 'seq', ARGV[5]) end
return new
"""
)

# ARGV 4: number of topics; then the topics, and their names.
_FORGET: Final = (
    _NUMBERED
    + """
local count = tonumber(ARGV[4])
redis.call('HDEL', KEYS[3], unpack(ARGV, 5, 4 + count))
return redis.call('ZREM', KEYS[2], unpack(ARGV, 5 + count))
"""
)


@dataclass
class Loaded:
    """A piece of the stored index; ``unreadable`` counts fields that hold no entry of theirs."""

    entries: list[TopicEntry] = field(default_factory=list)
    unreadable: int = 0


class BridgeTopics:
    """Reads and writes the topic index for the bridge; one thread writes."""

    def __init__(self, client: connection.Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._address = address
        self._keys = [
            channels.bridge_epoch,
            channels.topic_names,
            channels.topic_values,
            channels.topic_state,
        ]
        self._write = client.register_script(_WRITE)
        self._forget = client.register_script(_FORGET)
        self._confirmed = self._asked = 0

    def begin(self) -> tuple[int, int] | None:
        """Go on from the writes Redis has seen; return up to which message the index is whole.

        None when nothing is known of that.
        """
        with fencing_errors(self._address):
            state: Any = self._client.hmget(self._keys[3], ["writes", "epoch", "seq"])
        writes, epoch, seq = map(_number, state)
        self._confirmed = self._asked = writes or 0
        return None if epoch is None or seq is None else (epoch, seq)

    def write(
        self,
        epoch: int,
        entries: Sequence[TopicEntry],
        new: set[str],
        whole_to: tuple[int, int] | None = None,
    ) -> None:
        """Store changed topics; ``new`` names those Redis does not list yet.

        With ``whole_to`` the index is whole up to that message once this is written.
        """
        for start in range(0, max(1, len(entries)), CHUNK):
            chunk = entries[start : start + CHUNK]
            last = start + CHUNK >= len(entries)
            mark = whole_to if last and whole_to is not None else ("", "")
            names = [to_member(entry.topic) for entry in chunk if entry.topic in new]
            arguments: list[bytes | str | int] = [*mark, len(names), *names]
            for entry in chunk:
                arguments += [entry.topic, codec.pack(entry)]
            with self._numbered(epoch) as numbers:
                self._write(keys=self._keys, args=[*numbers, *arguments])

    def forget(self, epoch: int, topics: Sequence[str]) -> None:
        """Remove topics from the index."""
        for start in range(0, len(topics), CHUNK):
            chunk = topics[start : start + CHUNK]
            members = [to_member(topic) for topic in chunk]
            with self._numbered(epoch) as numbers:
                self._forget(keys=self._keys, args=[*numbers, len(chunk), *chunk, *members])

    def names_whole(self) -> bool:
        """Tell whether Redis lists as many topics as it has entries."""
        with fencing_errors(self._address):
            names, entries = self._client.zcard(self._keys[1]), self._client.hlen(self._keys[2])
        return int(names) >= int(entries)

    def values(self, topics: Iterable[str]) -> dict[str, bytes]:
        """Return the stored values of topics, as far as Redis has them."""
        wanted = list(topics)
        found: dict[str, bytes] = {}
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            with fencing_errors(self._address):
                answers: Any = self._client.hmget(self._keys[2], chunk)
            for topic, packed in zip(chunk, answers, strict=True):
                entry = _entry(topic.encode(), packed)
                if entry is not None:
                    found[topic] = entry.payload
        return found

    def load(self) -> Iterator[Loaded]:
        """Read the stored index in pieces."""
        cursor = 0
        while True:
            with fencing_errors(self._address):
                answer: Any = self._client.hscan(self._keys[2], cursor, count=SCAN_CHUNK)
            cursor, fields = answer
            entries = [_entry(name, packed) for name, packed in fields.items()]
            readable = [entry for entry in entries if entry is not None]
            yield Loaded(readable, len(entries) - len(readable))
            if not cursor:
                return

    @contextmanager
    def _numbered(self, epoch: int) -> Iterator[list[int]]:
        self._asked += 1
        try:
            with fencing_errors(self._address):
                yield [epoch, self._confirmed, self._asked]
        except BusRefusedError as error:
            if "FELL-BACK" in error.reason:
                raise FellBackError(
                    f"Redis at {self._address} came back with older data"
                ) from error
            raise
        self._confirmed = self._asked


def _entry(name: bytes, packed: bytes | None) -> TopicEntry | None:
    if packed is None:
        return None
    try:
        entry = codec.unpack_entry(packed)
    except ContractError:
        return None
    return entry if entry.topic.encode() == name else None


def _number(value: bytes | None) -> int | None:
    """Read a number of the state; None for anything else that may stand there."""
    found = value is not None and len(value) <= 15 and value.isdigit()
    return int(value) if found and value is not None else None
