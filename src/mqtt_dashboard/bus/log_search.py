"""Finds a place in the message log by halving its time: a few entries are read, however long it is.

The id of an entry begins with the millisecond Redis took it, and ids only grow. So do numbers and
times of the messages: whatever is asked of an entry holds up to some place and no further.
"""

from collections.abc import Callable
from typing import Any, Final

from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.contract import CONTRACT_VERSION, codec
from mqtt_dashboard.contract.messages import Batch
from mqtt_dashboard.errors import ContractError

# Entries that cannot be understood and are passed over in one step.
UNREADABLE_PASSED: Final = 8
LAST_IN_MILLISECOND: Final = 2**64 - 1


class LogSearch:
    """Reads single entries of the log; errors are `BusError`."""

    def __init__(self, client: Client, log: str, address: str) -> None:
        self._client = client
        self._log = log
        self._address = address

    def last_moment(self, holds: Callable[[Batch], bool]) -> int | None:
        """Return the last millisecond with an entry for which ``holds`` is true.

        It must be true from the log's beginning up to some entry, and of none behind it. At most
        about 45 entries are read, one at a time.
        """
        first = self._from("-")
        if first is None or not holds(first[1]):
            return None
        low, high = first[0], self._newest()
        while low < high:
            middle = (low + high + 1) // 2
            found = self._from(f"{middle}-0")
            if found is not None and found[0] <= high and holds(found[1]):
                low = found[0]
            else:
                high = middle - 1
        return low

    def _from(self, position: str) -> tuple[int, Batch] | None:
        """Return the first entry at or behind a position that can be understood."""
        for _ in range(UNREADABLE_PASSED):
            with plain_errors(self._address):
                entries: Any = self._client.xrange(self._log, min=position, count=1)
            if not entries:
                return None
            here = str(entries[0][0], "ascii")
            batch = readable(entries[0][1].get(b"b", b""))
            if batch is not None:
                return _moment(here), batch
            position = f"({here}"
        return None

    def _newest(self) -> int:
        with plain_errors(self._address):
            entries: Any = self._client.xrevrange(self._log, count=1)
        return _moment(str(entries[0][0], "ascii")) if entries else 0


def readable(packed: bytes) -> Batch | None:
    """Return an entry's batch; None when this version cannot understand it."""
    try:
        batch = codec.unpack_batch(packed)
    except ContractError:
        return None
    return batch if batch.version == CONTRACT_VERSION else None


def _moment(position: str) -> int:
    return int(position.partition("-")[0])
