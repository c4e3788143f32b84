"""The end of the message log: what a bridge wrote there and may not have written elsewhere.

Read backwards for the place to begin at, then forwards from there, bounded in bytes and in time.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct

from mqtt_dashboard.bus.connection import Client
from mqtt_dashboard.bus.log_pages import backwards, forwards
from mqtt_dashboard.contract import CONTRACT_VERSION, codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import Batch
from mqtt_dashboard.errors import ContractError

TAIL_BYTES: Final = 64 * 1024 * 1024
TAIL_S: Final = 10.0


class _Head(Struct, array_like=True, gc=False):
    """The beginning of a `Batch`; its messages are not unpacked."""

    version: int
    epoch: int
    first_seq: int


_heads = msgspec.msgpack.Decoder(_Head)


@dataclass(frozen=True)
class Tail:
    """From where to read on (None: there is nothing), and whether nothing lies before that."""

    start: str | None
    reached: bool


class LogTail:
    """Reads the log for the bridge; errors are `BusError`."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._log = channels.message_log
        self._address = address

    def find(self, mark: tuple[int, int], monotonic: Callable[[], float] = time.monotonic) -> Tail:
        """Look for the oldest entry with messages after ``mark``, the epoch and number of one."""
        until = monotonic() + TAIL_S
        start, size = None, 0
        oldest: tuple[int, int] | None = None
        for position, packed in backwards(self._client, self._log, self._address, "+"):
            head = _head(packed)
            size += len(packed)
            if head is not None:
                start, oldest = position, (head.epoch, head.first_seq)
                if oldest <= mark:
                    return Tail(start, reached=True)
            if size > TAIL_BYTES or monotonic() > until:
                return Tail(start, reached=False)
        follows = oldest is None or oldest == (mark[0], mark[1] + 1)
        return Tail(start, follows)

    def read(self, tail: Tail) -> Iterator[Batch | None]:
        """Give the batches of a tail, oldest first; None for one that cannot be read."""
        if tail.start is None:
            return
        for _, packed in forwards(self._client, self._log, self._address, tail.start):
            try:
                batch = codec.unpack_batch(packed)
            except ContractError:
                yield None
            else:
                yield batch if batch.version == CONTRACT_VERSION else None


def _head(packed: bytes) -> _Head | None:
    try:
        head = _heads.decode(packed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return head if head.version == CONTRACT_VERSION else None
