"""The fence before every write of the bridge: a stale epoch is refused by Redis itself.

A script compares the epoch it was made under with the one in Redis, so a bridge that lost its lease
while it was frozen writes nothing.
"""

from contextlib import AbstractContextManager
from typing import Final

from mqtt_dashboard.bus import connection
from mqtt_dashboard.errors import BusError, FencedError

# KEYS[1] is the epoch's key, ARGV[1] the epoch the write was made under.
FENCE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('FENCED') end
"""


class fencing_errors(AbstractContextManager[None]):  # noqa: N801 - reads as a function
    """`connection.plain_errors`, with the fence's refusal as `FencedError`."""

    def __init__(self, address: str) -> None:
        self._inner = connection.plain_errors(address)

    def __enter__(self) -> None:
        self._inner.__enter__()

    def __exit__(self, *details: object) -> bool | None:
        try:
            return self._inner.__exit__(*details)  # type: ignore[arg-type]
        except BusError as error:
            if "FENCED" in error.reason:
                raise FencedError("another bridge holds the lease") from error
            raise
