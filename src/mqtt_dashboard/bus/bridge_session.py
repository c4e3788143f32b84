"""The filters in the bridge's MQTT session, in Redis. Every write is fenced by the epoch."""

from collections.abc import Sequence
from typing import Final

from mqtt_dashboard.bus import connection
from mqtt_dashboard.bus.fence import FENCE, fencing_errors
from mqtt_dashboard.contract import codec, topics
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.session import SessionFilter
from mqtt_dashboard.errors import ContractError

CHUNK: Final = 500

# KEYS epoch, filters; ARGV epoch, 1 = forget what is there, number of filters to remove, these,
# filter, document...
_WRITE: Final = (
    FENCE
    + """
if ARGV[2] == '1' then redis.call('DEL', KEYS[2]) end
local gone = tonumber(ARGV[3])
if gone > 0 then redis.call('HDEL', KEYS[2], unpack(ARGV, 4, 3 + gone)) end
if #ARGV > 3 + gone then redis.call('HSET', KEYS[2], unpack(ARGV, 4 + gone)) end
return 1
"""
)


class BridgeSession:
    """Reads and writes what the broker holds for the bridge; safe to use from several threads."""

    def __init__(self, client: connection.Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._address = address
        self._keys = [channels.bridge_epoch, channels.session_filters]
        self._write = client.register_script(_WRITE)

    def load(self) -> list[SessionFilter]:
        """Read all filters; entries that cannot be read are left out."""
        with fencing_errors(self._address):
            stored = self._client.hvals(self._keys[1])
        known = []
        for document in stored:
            try:
                entry = codec.decode(document, SessionFilter)
                topics.check_filter(entry.filter)
            except ContractError:
                continue
            known.append(entry)
        return known

    def write(
        self, epoch: int, known: Sequence[SessionFilter], gone: Sequence[str], *, anew: bool
    ) -> None:
        """Store filters and remove others; ``anew`` forgets all that was stored before."""
        for start in range(0, max(len(known), len(gone), 1), CHUNK):
            removed = gone[start : start + CHUNK]
            arguments: list[bytes | str | int] = [epoch, int(anew and not start), len(removed)]
            arguments += removed
            for entry in known[start : start + CHUNK]:
                arguments += [entry.filter, codec.encode(entry)]
            with fencing_errors(self._address):
                self._write(keys=self._keys, args=arguments)
