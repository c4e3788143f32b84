"""What the broker holds in the bridge's session, written down so that a later bridge knows it.

A broker keeps the filters of a session over any restart of the bridge, and never lists them. So a
filter is written down before it is asked for, and struck out some time after it was given up. While
Redis is away the book is kept in memory and written when Redis is back.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.session import SessionFilter
from mqtt_dashboard.errors import BusError

RETRY_S: Final = 2.0

log = logs.get(__name__)


class SessionStore(Protocol):
    """Where the book lies; both methods raise `BusError`."""

    def load(self) -> list[SessionFilter]:
        """Read everything."""

    def write(
        self, epoch: int, known: Sequence[SessionFilter], gone: Sequence[str], *, anew: bool
    ) -> None:
        """Store filters and remove others; ``anew`` forgets all that was stored before."""


class SessionBook:
    """The filters of one session, named by client id and broker; safe to use from several threads.

    Only `load` and `save` wait for Redis.
    """

    def __init__(
        self, store: SessionStore, session: str, epoch: Callable[[], int], clock: Clock
    ) -> None:
        self._store = store
        self._session = session
        self._epoch = epoch
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, SessionFilter] = {}
        self._unsaved: dict[str, None] = {}
        self._anew = False
        self._retry_at = float("-inf")

    def load(self) -> list[SessionFilter]:
        """Read what was written down of this session. Raise `BusError`."""
        return [one for one in self._store.load() if one.session == self._session]

    def begin(self, known: Sequence[SessionFilter]) -> None:
        """Hold just these; all else that lies in Redis is of no use any more."""
        with self._lock:
            self._known = {one.filter: one for one in known}
            self._rewrite()

    def rewrite(self) -> None:
        """Write everything again at the next `save`: Redis may have lost it."""
        with self._lock:
            self._rewrite()

    def note(self, topic_filter: str, *, complete: bool, identifier: int, rank: int) -> None:
        """Write down that the broker holds, or may soon hold, a filter."""
        entry = SessionFilter(
            filter=topic_filter,
            session=self._session,
            complete=complete,
            identifier=identifier,
            rank=rank,
        )
        with self._lock:
            if self._known.get(topic_filter) != entry:
                self._known[topic_filter] = entry
                self._unsaved[topic_filter] = None

    def strike(self, topic_filter: str) -> None:
        """Strike out a filter the broker no longer holds."""
        with self._lock:
            if self._known.pop(topic_filter, None) is not None:
                self._unsaved[topic_filter] = None

    def save(self) -> None:
        """Write to Redis what is not there yet; what cannot be written waits."""
        now = self._clock.monotonic()
        with self._lock:
            if now < self._retry_at or not (self._unsaved or self._anew):
                return
            unsaved, self._unsaved = self._unsaved, {}
            anew, self._anew = self._anew, False
            known = [self._known[one] for one in unsaved if one in self._known]
            gone = [one for one in unsaved if one not in self._known]
        try:
            self._store.write(self._epoch(), known, gone, anew=anew)
        except BusError as error:
            log.warning("session.not_saved", reason=error.reason, filters=len(unsaved))
            with self._lock:
                self._unsaved = unsaved | self._unsaved
                self._anew = self._anew or anew
                self._retry_at = now + RETRY_S

    def _rewrite(self) -> None:
        self._unsaved = dict.fromkeys(self._known)
        self._anew = True
