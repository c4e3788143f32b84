"""Continues a subscription where it broke off: from the ring, or else from the message log.

The log is read backwards in pages, in the greenlet of the request, so that what is found joins the
live messages without a seam; where a bound ends the search, the gap is at its far end and told.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from mqtt_dashboard import logs
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import CONTRACT_VERSION
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.fanout import REPLAY_BYTES, REPLAY_MESSAGES, Fanout
from mqtt_dashboard.dashboard.matching import matches_any
from mqtt_dashboard.dashboard.ring import Item, Position, items_of
from mqtt_dashboard.dashboard.viewers import Replay, Resume
from mqtt_dashboard.errors import BusError

PAGE: Final = 8
SEARCHED_MESSAGES: Final = 20_000
SEARCH_S: Final = 2.0
SEARCHES_AT_ONCE: Final = 4

_log = logs.get(__name__)


@dataclass
class Search:
    """Collects what a subscription missed from messages that are handed over newest first."""

    resume: Resume
    upto: Position
    items: list[Item] = field(default_factory=list)
    bytes: int = 0
    searched: int = 0
    reached: bool = False
    oldest: Position | None = None
    broken: bool = False

    def take(self, newest_first: Iterable[Item]) -> bool:
        """Take messages until the wanted position; return whether more are needed."""
        for item in newest_first:
            if item.position > self.upto:
                continue
            if item.position <= self.resume.after:
                self.reached = True
                return False
            self._follow(item.position)
            if self._wanted(item.topic):
                self.items.append(item)
                self.bytes += item.weight
            if self._full():
                return False
        return True

    def result(self) -> Replay:
        """Return what was found, and whether and how much is missing."""
        after, upto = self.resume.after, self.upto
        missing: int | None = None
        if after.epoch == upto.epoch and not self.broken:
            first = upto.seq + 1 if self.oldest is None else self.oldest.seq
            missing = max(0, first - after.seq - 1)
        gap = missing is None or missing > 0
        items = self.items[::-1]
        return Replay(self.resume.topic_filter, items, upto, gap, missing if gap else None)

    def _follow(self, position: Position) -> None:
        before, self.oldest = self.oldest, position
        expected = self.upto if before is None else before._replace(seq=before.seq - 1)
        self.broken = self.broken or position != expected
        self.searched += 1

    def _wanted(self, topic: str) -> bool:
        resume = self.resume
        wanted = matches_any(frozenset([resume.topic_filter]), topic)
        return wanted and not matches_any(resume.seen, topic)

    def _full(self) -> bool:
        return (
            len(self.items) >= REPLAY_MESSAGES
            or self.bytes >= REPLAY_BYTES
            or self.searched >= SEARCHED_MESSAGES
        )


class Resumer:
    """Serves resumed subscriptions, a few at a time."""

    def __init__(
        self, store: DashboardStore, fanout: Fanout, clock: Clock, counters: Counters
    ) -> None:
        self._store = store
        self._fanout = fanout
        self._clock = clock
        self._counters = counters
        self._places = threading.BoundedSemaphore(SEARCHES_AT_ONCE)

    def serve(self, sid: str, topic_filter: str) -> None:
        """Bring a viewer what it missed since it watched this filter before; bounded in time."""
        resume = self._fanout.open_resume(sid, topic_filter)
        if resume is None:
            return
        if resume.upto is None:
            # The log could not be read in time: whatever was missed is unknown.
            found = Replay(topic_filter, [], resume.after, gap=True)
        else:
            found = self._find(resume, resume.upto)
        if found.gap:
            self._counters.add("resumes", "gap")
        else:
            self._counters.add("resumes", "whole")
        self._fanout.finish_resume(sid, resume, found)

    def _find(self, resume: Resume, upto: Position) -> Replay:
        search = Search(resume, upto)
        search.take(self._fanout.recent())
        found = search.result()
        if found.gap and resume.after <= upto and not search.reached:
            found = self._search_log(resume, upto) or found
        return found

    def _search_log(self, resume: Resume, upto: Position) -> Replay | None:
        if not self._places.acquire(timeout=SEARCH_S):
            self._counters.add("resumes", "too_many")
            return None
        try:
            return self._read_back(Search(resume, upto))
        except BusError as error:
            self._counters.add("redis_errors", "resume")
            _log.warning("resume.not_read", reason=error.reason)
            return None
        finally:
            self._places.release()

    def _read_back(self, search: Search) -> Replay:
        deadline = self._clock.monotonic() + SEARCH_S
        before: str | None = None
        while self._clock.monotonic() < deadline:
            entries = self._store.recent_log(before, PAGE)
            for entry in entries:
                batch = entry.batch
                if batch is None or batch.version != CONTRACT_VERSION:
                    continue  # its numbers are then missing, and that is told
                items = list(items_of(batch, self._fanout.payload_limit))
                if not search.take(_reversed(items)):
                    return search.result()
            if len(entries) < PAGE:
                break
            before = entries[-1].position
        return search.result()


def _reversed(items: list[Item]) -> Iterator[Item]:
    return reversed(items)
