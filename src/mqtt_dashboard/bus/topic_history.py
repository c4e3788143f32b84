"""What the message log still holds of one topic: read backwards, bounded in bytes and in time.

An entry of the log is a packed batch of many topics. A topic stands in it as plain UTF-8, so an
entry without these bytes is passed over without being unpacked.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from mqtt_dashboard.bus.connection import Client
from mqtt_dashboard.bus.log_pages import backwards
from mqtt_dashboard.contract import CONTRACT_VERSION, codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import Batch, LogMessage
from mqtt_dashboard.errors import ContractError

SCAN_S: Final = 0.6
SCAN_BYTES: Final = 48 * 1024 * 1024
SCAN_ENTRIES: Final = 20_000

CutBy = Literal["limit", "bytes", "entries", "time"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where to go on: inside the entry at ``position``, with messages numbered below ``seq``."""

    position: str
    seq: int


@dataclass(frozen=True, slots=True)
class Found:
    """One message of the topic, with its number."""

    message: LogMessage
    epoch: int
    seq: int


@dataclass(slots=True)
class History:
    """Messages of a topic, newest first, and how far back the log was read.

    ``back_to`` is when Redis took the oldest entry looked at (seconds since the Unix epoch, by
    Redis' clock), ``cut`` why reading ended before the log did, None when it did not.
    """

    found: list[Found] = field(default_factory=list)
    entries: int = 0
    bytes: int = 0
    unreadable: int = 0
    back_to: float | None = None
    cut: CutBy | None = None
    cursor: Cursor | None = None


class TopicHistory:
    """Reads the message log backwards; errors are `BusError`."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._log = channels.message_log
        self._address = address

    def read(
        self,
        topic: str,
        limit: int,
        start: Cursor | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> History:
        """Return at most ``limit`` messages of a topic, older than ``start`` when given."""
        history = History()
        needle = topic.encode()
        give_up = monotonic() + SCAN_S
        seen: set[tuple[int, int]] = set()
        newest = "+"
        if start is not None:
            newest = start.position if start.seq > 0 else f"({start.position}"
        for position, packed in backwards(self._client, self._log, self._address, newest):
            history.entries += 1
            history.bytes += len(packed)
            history.back_to = int(position.partition("-")[0]) / 1000
            inside = start.seq if start is not None and start.position == position else None
            if needle in packed:
                left = limit - len(history.found)
                self._take(history, seen, packed, topic, inside, left)
            history.cursor = Cursor(position, 0)
            if len(history.found) >= limit:
                history.cursor = Cursor(position, history.found[-1].seq)
                history.cut = "limit"
            elif history.bytes >= SCAN_BYTES:
                history.cut = "bytes"
            elif history.entries >= SCAN_ENTRIES:
                history.cut = "entries"
            elif monotonic() > give_up:
                history.cut = "time"
            if history.cut is not None:
                return history
        history.cursor = None
        return history

    def _take(
        self,
        history: History,
        seen: set[tuple[int, int]],
        packed: bytes,
        topic: str,
        below: int | None,
        limit: int,
    ) -> None:
        batch = _readable(packed)
        if batch is None:
            history.unreadable += 1
            return
        for offset in range(len(batch.messages) - 1, -1, -1):
            message, seq = batch.messages[offset], batch.first_seq + offset
            if message.topic != topic or (below is not None and seq >= below):
                continue
            # A batch may stand in the log twice when Redis answered too late.
            if (batch.epoch, seq) not in seen:
                seen.add((batch.epoch, seq))
                history.found.append(Found(message, batch.epoch, seq))
                limit -= 1
            if limit <= 0:
                return


def _readable(packed: bytes) -> Batch | None:
    try:
        batch = codec.unpack_batch(packed)
    except ContractError:
        return None
    return batch if batch.version == CONTRACT_VERSION else None
