"""Bring the broker's subscriptions in line with the wanted filters, in two steps each.

Step one asks for a filter at QoS 0 with its retained messages, step two for the same filter at
QoS 1 without them: at QoS 1 a broker's queue limit silently cuts a large retained snapshot, at
QoS 0 it does not (mosquitto: 1,020 of 20,000 against all). MQTT 5.0, 3.8.4 makes the replacement
lossless. One step is enough for a filter the session holds already, for one whose messages come by
another filter so far, and for a shared subscription, which brings no retained messages. MQTT 3.1.1
has no Retain Handling, so there it is one step at QoS 1.

What the broker holds in a kept session is in the `session_book`: what nobody wants any more is
given up, and a filter that is new to the session gets its retained messages. A filter is given up
for a wider one only when that one is live. Filters that overlap crosswise get identifiers, by which
`copies` are recognised (P47). What the broker refuses is asked for again, ever more seldom.
"""

import threading
from dataclasses import dataclass
from typing import Final, Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.bridge import coverage
from mqtt_dashboard.bridge.broker_filter import BrokerFilter, Step
from mqtt_dashboard.bridge.session_book import SessionBook
from mqtt_dashboard.bridge.session_filters import CRAWL_IDENTIFIER, SessionFilters
from mqtt_dashboard.bridge.snapshot_ear import SnapshotEar
from mqtt_dashboard.bridge.subscriptions import SYSTEM_FILTER, Subscriptions
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.filter_index import FilterIndex
from mqtt_dashboard.contract.messages import GrantedFilter
from mqtt_dashboard.errors import DashboardError, LinkError
from mqtt_dashboard.mqtt.client import Session, Wanted

QUIET_S: Final = 0.5
SNAPSHOT_MAX_S: Final = 30.0
PENDING: Final = "the broker has not granted every filter yet"

log = logs.get(__name__)


class SubscribingLink(Protocol):
    """The part of a link that is needed here; both methods return at once."""

    def subscribe(self, wanted: list[Wanted]) -> None:
        """Ask for filters."""

    def unsubscribe(self, filters: list[str]) -> None:
        """Give filters up."""


@dataclass(frozen=True)
class _Target:
    """What is to be held: filters with their QoS, and those that need an identifier.

    ``wanted`` is what somebody wants, ``serving`` what brought messages when this was thought out.
    """

    wanted: dict[str, int]
    filters: dict[str, int]
    numbered: set[str]
    serving: FilterIndex


class Reconciler:
    """What is held at the broker against what is wanted.

    `sync`, `borrow` and `give_back` may wait for Redis and for one another, so that nothing they
    send overtakes another; ``wake`` is set when `sync` has something to do. The rest waits for
    nothing: `opened`, `closed`, `granted` and `is_copy` are called on the link's thread.
    """

    def __init__(
        self, subscriptions: Subscriptions, link: SubscribingLink, clock: Clock, book: SessionBook
    ) -> None:
        self.wake = threading.Event()
        self.ear = SnapshotEar(clock)
        self._subscriptions = subscriptions
        self._link = link
        self._clock = clock
        self._book = book
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._filters = SessionFilters(book, clock, self._lock)
        self.is_copy = self._filters.copies.is_copy
        self._session: Session | None = None
        self._connection = 0
        self._target = _Target({}, {}, set(), FilterIndex())
        self._stale = True
        self._revision = 0
        self._next_due = float("inf")
        self._identify_all = False
        self._borrowed: str | None = None
        self._answer: str | None = None
        # Whether copies must be looked for.
        self.overlaps = False

    def restore(self) -> None:
        """Take over what an earlier bridge wrote down of the session. Raise `BusError`."""
        stored = self._book.load()
        with self._lock:
            if self._session is None and stored:
                self._filters.adopt(stored)
            else:
                self._book.rewrite()

    def opened(self, session: Session) -> None:
        """Note a new connection."""
        with self._lock:
            self._session = session
            self._connection += 1
            if self._borrowed is not None:
                self._filters.take_back(self._borrowed, answered=True)
                self._borrowed = None
            self._filters.new_connection(kept=session.session_present)
            self._stale = True
            self.overlaps = self._filters.identified
        self.wake.set()

    def closed(self) -> None:
        """Note that the connection is gone."""
        with self._lock:
            self._session = None
            self.ear.end()

    def granted(self, topic_filter: str, qos: int | None, error: str | None) -> None:
        """Note the broker's answer to one filter."""
        with self._lock:
            one = self._filters.held.get(topic_filter)
            if self._filters.owed(topic_filter):
                return
            if topic_filter == self._borrowed:
                self._answer = error or ""
            elif one is not None and one.pending:
                self._filters.answered(one, qos, error)
                self._stale = True
        self.wake.set()

    def holds(self, topic_filter: str) -> bool:
        """Tell whether a filter is held at the broker, or asked for."""
        with self._lock:
            return topic_filter in self._filters.held

    @property
    def settled(self) -> bool:
        """Whether the broker has answered for every filter and live messages come at their QoS."""
        with self._lock:
            held = self._filters.held.values()
            current = not self._stale and self._revision == self._subscriptions.revision
            current = current and self._session is not None
            return current and bool(held) and not any(one.unsettled for one in held)

    @property
    def sees_everything(self) -> bool:
        """Whether every topic that does not begin with $ comes."""
        with self._lock:
            held = self._filters.held
            return any(one in held and held[one].serves for one in coverage.EVERYTHING)

    def problems(self) -> list[str]:
        """Return what keeps the configured filters from bringing their messages."""
        with self._lock:
            filters = self._filters
            serving = FilterIndex(one.filter for one in filters.held.values() if one.serves)
            found = []
            for topic_filter in (*self._subscriptions.always, *self._subscriptions.system):
                if topic_filter in serving or any(serving.containing(topic_filter)):
                    continue
                refusal = filters.refusals.get(topic_filter)
                if refusal is None:
                    found.append(PENDING)
                elif topic_filter in self._subscriptions.always:
                    found.append(f"the broker refuses the filter {topic_filter}: {refusal.error}")
            return list(dict.fromkeys(found))

    def report(self) -> list[GrantedFilter]:
        """Return each filter with the broker's answer; refused ones too while they are wanted."""
        with self._lock:
            filters, target = self._filters, self._target
            if self._session is None:
                return []
            shown = dict.fromkeys(filters.held)
            shown |= {one: None for one in filters.refusals if one in target.wanted}
            refusals = filters.refusals
            return [
                GrantedFilter(
                    filter=name,
                    qos=filters.held[name].qos if name in filters.held else target.wanted[name],
                    granted=filters.held[name].granted if name in filters.held else None,
                    error=refusals[name].error if name in refusals else None,
                )
                for name in shown
            ]

    def identify_all(self, *, on: bool) -> None:
        """Give every filter an identifier, or again only those that overlap."""
        with self._lock:
            self._stale = self._stale or on != self._identify_all
            self._identify_all = on

    def borrow(self, topic_filter: str) -> None:
        """Ask for what is retained below a filter once more; raise `LinkError`."""
        wanted = Wanted(topic_filter, 0, identifier=CRAWL_IDENTIFIER, retain_as_published=False)
        with self._turn:
            with self._lock:
                connection = self._connection
                self._borrowed, self._answer = topic_filter, None
                self._filters.lend(topic_filter)
            self._book.save()
            with self._lock:
                if self._session is None or connection != self._connection:
                    raise LinkError("the connection to the broker was lost")
                self._link.subscribe([wanted])

    def give_back(self) -> None:
        """Give up the filter that was borrowed; raise `LinkError`."""
        with self._turn, self._lock:
            if self._borrowed is not None:
                self._filters.take_back(self._borrowed, answered=self._answer is not None)
                self._borrowed = None
                self._link.unsubscribe(self._filters.departures(self._clock.monotonic()))

    @property
    def answer(self) -> str | None:
        """The broker's answer for the borrowed filter: its error or "", None until it came."""
        return self._answer

    def sync(self) -> None:
        """Send what is missing, give up what is no longer wanted."""
        with self._turn:
            self._sync()

    def _sync(self) -> None:
        with self._lock:
            session, connection = self._session, self._connection
            stale = self._stale or self._revision != self._subscriptions.revision
            due = stale or self.ear.listening or self._clock.monotonic() >= self._next_due
        if session is None or not due:
            self._book.save()
            return
        if stale:
            self._target = self._aim()
        with self._lock:
            if self._session is None or connection != self._connection:
                return
            ask, drop = self._plan(session)
        self._book.save()
        with self._lock:
            if connection == self._connection:
                self._send(ask, drop)

    def _aim(self) -> _Target:
        """Think out what to hold. Not under the lock: with many filters it takes a while."""
        with self._lock:
            self._stale = False
            refused = set(self._filters.refusals)
            held = {one.filter: (one.qos, one.serves) for one in self._filters.held.values()}
            every = self._identify_all
        self._revision = self._subscriptions.revision
        wanted = self._subscriptions.wanted()
        hold = coverage.to_hold(wanted, refused)
        serving = FilterIndex(one for one, (_qos, serves) in held.items() if serves)
        wider = FilterIndex(one for one in hold if one not in refused)
        for one, (qos, serves) in held.items():
            outer = list(wider.containing(one)) if serves and one not in hold else []
            # What contains it takes its place once that is live, and not before.
            if outer and not any(other in serving for other in outer):
                hold[one] = qos
        numbered = set(hold) if every else coverage.crossing(hold)
        return _Target(wanted, hold, numbered, serving)

    def _plan(self, session: Session) -> tuple[list[Wanted], list[str]]:
        now, filters, target = self._clock.monotonic(), self._filters, self._target
        ask = []
        for topic_filter, qos in target.filters.items():
            one = filters.held.get(topic_filter) or filters.add(topic_filter)
            one.qos = qos
            wanted = self._next_step(one, session, now)
            if wanted is not None:
                filters.note(one)
                ask.append(wanted)
        for topic_filter in [one for one in filters.held if one not in target.filters]:
            filters.give_up(topic_filter)
        filters.forget_refusals(target.wanted.keys() | target.filters.keys())
        drop = filters.departures(now)
        if not any(one.step == "snapshot" for one in filters.held.values()):
            self.ear.end()
        self.overlaps = filters.identified
        self._next_due = filters.next_due(target.filters)
        return ask, drop

    def _next_step(self, one: BrokerFilter, session: Session, now: float) -> Wanted | None:
        """Return what to ask for next for one filter, or None when it is as it should be."""
        if one.pending:
            return None
        needed = session.subscription_ids_available and one.filter in self._target.numbered
        identifier = self._filters.identifier_of(one, needed=needed)
        if one.step is None:
            refusal = self._filters.refusals.get(one.filter)
            if refusal is not None and now < refusal.retry_at:
                return None
            step, retained = self._first_step(one, session)
            return one.ask(step, identifier, retained=retained)
        if one.step == "snapshot" and self._snapshot_done(one, now):
            return one.ask("live", identifier, retained=False)
        if one.identifier != identifier:
            return one.ask(one.step, identifier, retained=False)
        return None

    def _first_step(self, one: BrokerFilter, session: Session) -> tuple[Step, bool]:
        """Return the step to begin with, and whether to ask for retained messages."""
        if one.shared:
            return "live", False
        if session.protocol != "5.0":
            return "live", True
        known = one.complete or any(self._target.serving.containing(one.filter))
        if one.qos and not known:
            self.ear.begin()
            return "snapshot", True
        # $SYS sends a value only when it changes: without its snapshot most are unknown.
        return "live", one.filter == SYSTEM_FILTER or not known

    def _snapshot_done(self, one: BrokerFilter, now: float) -> bool:
        quiet = now - max(self.ear.news_at, one.since) > QUIET_S
        return quiet or now - one.since > SNAPSHOT_MAX_S

    def _send(self, ask: list[Wanted], drop: list[str]) -> None:
        try:
            if ask:
                self._link.subscribe(ask)
            if drop:
                self._link.unsubscribe(drop)
        except DashboardError as error:
            log.info("mqtt.subscribe_postponed", reason=str(error))
            self._filters.not_sent([wanted.filter for wanted in ask], drop)
            self._stale = True
