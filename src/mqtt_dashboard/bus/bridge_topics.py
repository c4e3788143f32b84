"""The bridge's side of the topic index in Redis. Every write is fenced by the epoch."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from mqtt_dashboard.bus import connection
from mqtt_dashboard.bus.fence import FENCE, fencing_errors
from mqtt_dashboard.bus.topic_names import to_member
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import TopicEntry
from mqtt_dashboard.errors import ContractError

CHUNK: Final = 500
SCAN_CHUNK: Final = 2000

# KEYS epoch, names, values; ARGV epoch, number of new names, new names..., topic, entry...
_WRITE: Final = (
    FENCE
    + """
local new = tonumber(ARGV[2])
if new > 0 then
  local members = {}
  for i = 1, new do
    members[2 * i - 1] = '0'
    members[2 * i] = ARGV[2 + i]
  end
  redis.call('ZADD', KEYS[2], unpack(members))
end
redis.call('HSET', KEYS[3], unpack(ARGV, 3 + new))
return new
"""
)

# KEYS epoch, names, values; ARGV epoch, number of topics, topics..., members...
_FORGET: Final = (
    FENCE
    + """
local count = tonumber(ARGV[2])
redis.call('HDEL', KEYS[3], unpack(ARGV, 3, 2 + count))
return redis.call('ZREM', KEYS[2], unpack(ARGV, 3 + count))
"""
)


class BridgeTopics:
    """Reads and writes the topic index for the bridge; safe to use from several threads."""

    def __init__(self, client: connection.Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._address = address
        self._keys = [channels.bridge_epoch, channels.topic_names, channels.topic_values]
        self._write = client.register_script(_WRITE)
        self._forget = client.register_script(_FORGET)

    def write(self, epoch: int, entries: Sequence[TopicEntry], new: set[str]) -> None:
        """Store changed topics; ``new`` names those Redis does not list yet."""
        for start in range(0, len(entries), CHUNK):
            chunk = entries[start : start + CHUNK]
            names = [to_member(entry.topic) for entry in chunk if entry.topic in new]
            arguments: list[bytes | str | int] = [epoch, len(names), *names]
            for entry in chunk:
                arguments += [entry.topic, codec.pack(entry)]
            with fencing_errors(self._address):
                self._write(keys=self._keys, args=arguments)

    def forget(self, epoch: int, topics: Sequence[str]) -> None:
        """Remove topics from the index."""
        for start in range(0, len(topics), CHUNK):
            chunk = topics[start : start + CHUNK]
            members = [to_member(topic) for topic in chunk]
            with fencing_errors(self._address):
                self._forget(keys=self._keys, args=[epoch, len(chunk), *chunk, *members])

    def count(self) -> int:
        """Return how many topics Redis lists."""
        with fencing_errors(self._address):
            return int(self._client.zcard(self._keys[1]))

    def values(self, topics: Iterable[str]) -> dict[str, bytes]:
        """Return the stored values of topics, as far as Redis has them."""
        wanted = list(topics)
        found: dict[str, bytes] = {}
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            with fencing_errors(self._address):
                answers: Any = self._client.hmget(self._keys[2], chunk)
            for entry in map(_readable, answers):
                if entry is not None:
                    found[entry.topic] = entry.payload
        return found

    def load(self) -> Iterator[list[TopicEntry]]:
        """Read the stored index in chunks; entries that cannot be read are left out."""
        cursor = 0
        while True:
            with fencing_errors(self._address):
                answer: Any = self._client.hscan(self._keys[2], cursor, count=SCAN_CHUNK)
            cursor, chunk = answer
            yield [entry for entry in map(_readable, chunk.values()) if entry is not None]
            if not cursor:
                return


def _readable(packed: bytes | None) -> TopicEntry | None:
    if packed is None:
        return None
    try:
        return codec.unpack_entry(packed)
    except ContractError:
        return None
