"""The message log in pages: each call brings about as many bytes as the others.

An entry may hold one message or a thousand, so how many entries a page may have is learned from
the page before.
"""

from collections.abc import Iterator
from typing import Any, Final

from mqtt_dashboard.bus.connection import Client, plain_errors

# What one call may bring: Redis and the caller serve others in between.
CALL_BYTES: Final = 512 * 1024
FIRST_COUNT: Final = 16
MOST_COUNT: Final = 512


def backwards(
    client: Client, log: str, address: str, newest: str, count: int = FIRST_COUNT
) -> Iterator[tuple[str, bytes]]:
    """Give position and packed batch from ``newest`` (as XREVRANGE takes it) to the oldest.

    ``count`` is how many entries the first page may have.
    """
    yield from _pages(client, log, address, newest, count, back=True)


def forwards(client: Client, log: str, address: str, oldest: str) -> Iterator[tuple[str, bytes]]:
    """Give position and packed batch from ``oldest`` (as XRANGE takes it) to the newest."""
    yield from _pages(client, log, address, oldest, FIRST_COUNT, back=False)


def _pages(
    client: Client, log: str, address: str, start: str, count: int, *, back: bool
) -> Iterator[tuple[str, bytes]]:
    while True:
        with plain_errors(address):
            entries: Any = (
                client.xrevrange(log, max=start, min="-", count=count)
                if back
                else client.xrange(log, min=start, max="+", count=count)
            )
        size = 0
        for position, fields in entries:
            packed = fields.get(b"b", b"")
            size += len(packed)
            yield str(position, "ascii"), packed
        if len(entries) < count:
            return
        start = f"({str(entries[-1][0], 'ascii')}"
        count = max(1, min(MOST_COUNT, 2 * count, CALL_BYTES * count // max(1, size)))
