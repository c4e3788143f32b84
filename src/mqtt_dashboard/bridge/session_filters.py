"""All filters of the bridge's session: held, asked for, refused, and on their way out."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.broker_filter import BrokerFilter
from mqtt_dashboard.bridge.copies import Copies
from mqtt_dashboard.bridge.coverage import EVERYTHING
from mqtt_dashboard.bridge.session_book import SessionBook
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.session import SessionFilter

RETRY_FIRST_S: Final = 5.0
RETRY_MAX_S: Final = 300.0
# A filter given up so long ago is no longer held: the broker has answered, or never will.
STRUCK_OUT_AFTER_S: Final = 15.0
MAX_LEAVING: Final = 1000
# What asks for retained messages once more bears this one.
CRAWL_IDENTIFIER: Final = 1
MAX_IDENTIFIER: Final = 268_435_455
# Identifiers of each life of the bridge begin with its time, in seconds: none is used again while
# messages may wait at the broker that bear it, whatever is forgotten in between.
SECONDS_COUNTED: Final = 1 << 27

log = logs.get(__name__)


@dataclass
class Refusal:
    """The broker's refusal of a filter, on the present connection, or its silence."""

    error: str
    times: int
    retry_at: float


class SessionFilters:
    """What the broker holds; every method is called under the ``lock``."""

    def __init__(self, book: SessionBook, clock: Clock, lock: threading.Lock) -> None:
        self.book = book
        self.copies = Copies(lock)
        self.held: dict[str, BrokerFilter] = {}
        self.refusals: dict[str, Refusal] = {}
        self._clock = clock
        # Given up, and when the broker was told; None: not yet on this connection.
        self._leaving: dict[str, float | None] = {}
        self._age = 0
        self._rank = 0
        self._number = CRAWL_IDENTIFIER + int(clock.now()) % SECONDS_COUNTED
        # Copies of a filter that an earlier bridge asked for once more may still come.
        self._crawled = False
        # Answers still to come for filters that were given up before.
        self._owed: Counter[str] = Counter()

    @property
    def identified(self) -> bool:
        """Whether messages may come with identifiers."""
        return self._crawled or any(one.identifier or one.in_force for one in self.held.values())

    def adopt(self, stored: Sequence[SessionFilter]) -> None:
        """Take over what an earlier bridge has written down of the session."""
        self._forget()
        self.book.begin(stored)
        for entry in sorted(stored, key=lambda one: one.rank):
            if entry.identifier == CRAWL_IDENTIFIER:
                self._leaving[entry.filter] = None
                continue
            one = self.add(entry.filter)
            one.complete, one.rank, one.number = entry.complete, entry.rank, entry.identifier
            if one.number:
                self.copies.add(one)
            self._rank = max(self._rank, one.rank)
            self._number = max(self._number, one.number)

    def new_connection(self, *, kept: bool) -> None:
        """Note a new connection; when the session was not kept, the broker holds nothing."""
        self.refusals.clear()
        self._owed.clear()
        if not kept:
            self._forget()
            self.book.begin([])
            return
        self._crawled = bool(self._leaving)
        if not self.held and not self._leaving:
            # Nothing was written down: an earlier release did not, or Redis was emptied. What is
            # held by default may be held.
            self._leaving = dict.fromkeys(EVERYTHING)
        for topic_filter in self._leaving:
            self._leaving[topic_filter] = None
        for one in self.held.values():
            one.new_connection()
        self.copies.changed()

    def add(self, topic_filter: str) -> BrokerFilter:
        """Begin with a filter that is not held."""
        self._age += 1
        one = self.held[topic_filter] = BrokerFilter(topic_filter, self._age)
        self._leaving.pop(topic_filter, None)
        return one

    def identifier_of(self, one: BrokerFilter, *, needed: bool) -> int:
        """Return the identifier a filter is to have; it keeps its own as long as it is held."""
        if not needed:
            return 0
        if not one.number:
            one.number = self._next_number()
            self.copies.add(one)
        return one.number

    def note(self, one: BrokerFilter) -> None:
        """Write a filter down."""
        self.book.note(one.filter, complete=one.complete, identifier=one.number, rank=one.rank)

    def owed(self, topic_filter: str) -> bool:
        """Tell whether an answer belongs to what was given up since, and cross it off."""
        owed = self._owed.pop(topic_filter, 0)
        if owed > 1:
            self._owed[topic_filter] = owed - 1
        return owed > 0

    def answered(self, one: BrokerFilter, qos: int | None, error: str | None) -> None:
        """Note the broker's answer to a filter."""
        now = self._clock.monotonic()
        if error is not None:
            before = self.refusals.get(one.filter)
            times = before.times + 1 if before else 1
            pause = min(RETRY_FIRST_S * 2 ** min(times - 1, 10), RETRY_MAX_S)
            self.refusals[one.filter] = Refusal(error, times, now + pause)
            one.refused()
            log.warning("mqtt.filter_refused", filter=one.filter, reason=error, retry_in_s=pause)
        else:
            self.refusals.pop(one.filter, None)
            one.pending, one.confirmed, one.granted = False, True, qos
            one.in_force, one.since = one.identifier, now
            if one.step == "live" and not one.live:
                self._rank += 1
                one.rank = self._rank
            log.info("mqtt.granted", filter=one.filter, qos=qos)
        self.note(one)
        self.copies.changed()

    def give_up(self, topic_filter: str) -> None:
        """Let go of a filter; `departures` says when the broker is to be told."""
        one = self.held.pop(topic_filter, None)
        if one is not None:
            self.copies.remove(one)
            if one.pending:
                self._owed[topic_filter] += 1
        self._leaving[topic_filter] = None
        while len(self._leaving) > MAX_LEAVING:
            self._strike(next(iter(self._leaving)))

    def departures(self, now: float) -> list[str]:
        """Return the filters to give up at the broker; strike out those given up long ago."""
        due = [one for one, told in self._leaving.items() if told is None]
        over = [
            one
            for one, told in self._leaving.items()
            if told is not None and now - told > STRUCK_OUT_AFTER_S
        ]
        for one in over:
            self._strike(one)
        self._leaving.update(dict.fromkeys(due, now))
        return due

    def lend(self, topic_filter: str) -> None:
        """Note that a filter is held for a moment, outside of what is wanted."""
        self._leaving.pop(topic_filter, None)
        self.book.note(topic_filter, complete=False, identifier=CRAWL_IDENTIFIER, rank=0)

    def take_back(self, topic_filter: str, *, answered: bool) -> None:
        """Give up a filter that was lent."""
        self.give_up(topic_filter)
        if not answered:
            self._owed[topic_filter] += 1

    def forget_refusals(self, known: AbstractSet[str]) -> None:
        """Forget the refusals of all other filters."""
        for topic_filter in self.refusals.keys() - known:
            del self.refusals[topic_filter]

    def next_due(self, hold: Iterable[str]) -> float:
        """Return when there is a filter to ask for again, or one to strike out."""
        retries = [self.refusals[one].retry_at for one in hold if one in self.refusals]
        told = [time + STRUCK_OUT_AFTER_S for time in self._leaving.values() if time is not None]
        return min([*retries, *told], default=float("inf"))

    def not_sent(self, asked: Iterable[str], departing: Iterable[str]) -> None:
        """Note that the broker was told nothing."""
        for topic_filter in asked:
            if topic_filter in self.held:
                self.held[topic_filter].new_connection()
        for topic_filter in departing:
            self._leaving[topic_filter] = None

    def _strike(self, topic_filter: str) -> None:
        del self._leaving[topic_filter]
        if topic_filter not in self.held:
            self.book.strike(topic_filter)

    def _forget(self) -> None:
        self.held.clear()
        self._leaving.clear()
        self.copies.clear()
        self._crawled = False

    def _next_number(self) -> int:
        if self._number < MAX_IDENTIFIER:
            self._number += 1
            return self._number
        used = {one.number for one in self.held.values()}
        return next(one for one in range(CRAWL_IDENTIFIER + 1, MAX_IDENTIFIER) if one not in used)
