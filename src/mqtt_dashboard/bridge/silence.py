"""Which topics have gone silent: nothing for three times as long as their own usual period.

A topic that never had a period cannot be missed. Time in which the bridge itself could not listen
counts for nobody's silence.
"""

import heapq
from collections.abc import Callable
from typing import Final

import msgspec

from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.contract.messages import TopicNews, TopicsUpdate

SHOWN: Final = 20
# Slots looked at per hold of the index's lock: about a millisecond.
AT_ONCE: Final = 20_000


class SilenceWatch:
    """Looks through the index now and then.

    ``listening_since`` returns since when (Unix seconds) messages could arrive, None if they can
    not at the moment.
    """

    def __init__(self, index: TopicIndex, listening_since: Callable[[], float | None]) -> None:
        self._index = index
        self._listening_since = listening_since
        self._silent: list[TopicNews] = []
        self._count: int | None = None

    def turn(self, now: float) -> None:
        """Look through the whole index."""
        since = self._listening_since()
        self._silent, self._count = [], None
        if since is None:
            return
        count, newest = 0, list[tuple[float, int]]()
        for first in range(0, self._index.places, AT_ONCE):
            found = self._index.overdue(first, first + AT_ONCE, now, since)
            count += len(found)
            newest = heapq.nlargest(SHOWN, [*newest, *found])
        self._silent = self._index.news(slot for _, slot in newest)
        self._count = count

    def add_to(self, update: TopicsUpdate) -> TopicsUpdate:
        """Return the document with what was found in it."""
        return msgspec.structs.replace(
            update, newest=self._index.newest(), silent=self._silent, silent_count=self._count
        )
