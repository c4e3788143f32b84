"""Bring the broker's subscriptions in line with the wanted filters, in two steps each.

Step one asks for a filter at QoS 0 with its retained messages, step two for the same filter at
QoS 1 without them: at QoS 1 a broker's queue limit silently cuts a large retained snapshot, at
QoS 0 it does not (mosquitto: 1,020 of 20,000 against all). MQTT 5.0, 3.8.4 makes the replacement
lossless. MQTT 3.1.1 has no Retain Handling, so there it is one step at QoS 1.

Where two filters overlap crosswise (``a/+`` and ``+/b``) the broker sends a message once for each.
Such filters get subscription identifiers, derived from their text so that they stay the same over
restarts, and only the copy of the filter with the smallest one counts (P47).
"""

import threading
import zlib
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.subscriptions import SYSTEM_FILTER, Subscriptions
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import topics
from mqtt_dashboard.contract.messages import GrantedFilter
from mqtt_dashboard.errors import DashboardError
from mqtt_dashboard.mqtt.client import Session, Wanted

# A broker may refuse "#" to everybody but not this, which matches the same topics (EMQX does).
FALLBACK: Final = {"#": "+/#"}
QUIET_S: Final = 0.5
SNAPSHOT_MAX_S: Final = 30.0
MAX_IDENTIFIER: Final = 268_435_455

log = logs.get(__name__)


class SubscribingLink(Protocol):
    """The part of a link that is needed here."""

    def subscribe(self, wanted: list[Wanted]) -> None:
        """Ask for filters."""

    def unsubscribe(self, filters: list[str]) -> None:
        """Give filters up."""


@dataclass
class _Held:
    qos: int
    step: Literal["snapshot", "live"]
    since: float
    identifier: int = 0
    granted: int | None = None
    error: str | None = None


class Reconciler:
    """What is held at the broker against what is wanted."""

    def __init__(self, subscriptions: Subscriptions, link: SubscribingLink, clock: Clock) -> None:
        self._subscriptions = subscriptions
        self._link = link
        self._clock = clock
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._held: dict[str, _Held] = {}
        self._refused: set[str] = set()
        self._identified: dict[int, str] = {}
        self._retained_at = float("-inf")
        # While retained messages are asked for again every filter has an identifier.
        self.crawling = False

    def opened(self, session: Session) -> None:
        """Note a new connection: with a kept session the retained messages are not asked again."""
        with self._lock:
            self._session = session
            self._held.clear()
            self._refused.clear()

    def closed(self) -> None:
        """Note that the connection is gone."""
        with self._lock:
            self._session = None
            self._held.clear()

    def saw_retained(self) -> None:
        """Note that retained messages are still coming in."""
        self._retained_at = self._clock.monotonic()

    def granted(self, topic_filter: str, qos: int | None, error: str | None) -> None:
        """Note the broker's answer to one filter."""
        with self._lock:
            held = self._held.get(topic_filter)
            if held is not None:
                held.granted, held.error = qos, error
            if error is None:
                log.info("mqtt.granted", filter=topic_filter, qos=qos)
            else:
                log.warning("mqtt.filter_refused", filter=topic_filter, reason=error)
                if topic_filter in FALLBACK:
                    self._refused.add(topic_filter)

    @property
    def overlaps(self) -> bool:
        """Whether some of the held filters overlap, so that copies must be looked for."""
        return self.crawling or bool(self._identified)

    @property
    def settled(self) -> bool:
        """Whether the broker has answered for every filter and live messages come at their QoS."""
        with self._lock:
            held = self._held.values()
            return bool(held) and all(
                one.error is not None
                or (one.granted is not None and (one.step == "live" or not one.qos))
                for one in held
            )

    def holds(self, topic_filter: str) -> bool:
        """Tell whether a filter is held at the broker."""
        with self._lock:
            return topic_filter in self._held

    def is_copy(self, topic: str, identifiers: tuple[int, ...]) -> bool:
        """Tell whether a message with these identifiers is a second copy, to be left out."""
        known = self._identified
        if not any(identifier in known for identifier in identifiers):
            return False
        chosen = min(one for one, held in known.items() if topics.matches(held, topic))
        return chosen not in identifiers

    def sync(self) -> None:
        """Send what is missing, give up what is no longer wanted. Called once a second or more."""
        with self._lock:
            session = self._session
            if session is None:
                return
            ask, drop = self._plan(session)
        try:
            if ask:
                self._link.subscribe(ask)
            if drop:
                self._link.unsubscribe(drop)
        except DashboardError as error:
            log.info("mqtt.subscribe_postponed", reason=str(error))
            with self._lock:
                for wanted in ask:
                    self._held.pop(wanted.filter, None)

    def report(self) -> list[GrantedFilter]:
        """Return each held filter with the broker's answer."""
        with self._lock:
            return [
                GrantedFilter(
                    filter=topic_filter, qos=held.qos, granted=held.granted, error=held.error
                )
                for topic_filter, held in self._held.items()
            ]

    def _plan(self, session: Session) -> tuple[list[Wanted], list[str]]:
        desired = self._desired()
        identifiers = {}
        if session.subscription_ids_available:
            identifiers = _identifiers(desired, every=self.crawling)
        self._identified = {number: one for one, number in identifiers.items()}
        ask = []
        for topic_filter, qos in desired.items():
            number = identifiers.get(topic_filter, 0)
            wanted = self._next_step(topic_filter, qos, number, session)
            if wanted is not None:
                ask.append(wanted)
        drop = [topic_filter for topic_filter in self._held if topic_filter not in desired]
        for topic_filter in drop:
            del self._held[topic_filter]
        return ask, drop

    def _desired(self) -> dict[str, int]:
        desired = self._subscriptions.desired()
        for refused in self._refused & desired.keys():
            desired[FALLBACK[refused]] = desired[refused]
        return desired

    def _next_step(
        self, topic_filter: str, qos: int, identifier: int, session: Session
    ) -> Wanted | None:
        """Return what to ask for next for one filter, or None when it is as it should be."""
        now = self._clock.monotonic()
        held = self._held.get(topic_filter)
        if held is None:
            two_steps = session.protocol == "5.0"
            first = two_steps and not session.session_present
            step: Literal["snapshot", "live"] = "snapshot" if first else "live"
            self._held[topic_filter] = _Held(qos, step, now, identifier)
            # $SYS sends a value only when it changes: without its snapshot most are unknown.
            retained = first or not two_steps or topic_filter == SYSTEM_FILTER
            return _wanted(topic_filter, 0 if first else qos, identifier, retained=retained)
        if held.step == "snapshot" and qos and self._snapshot_done(held, now):
            held.step, held.identifier, held.granted = "live", identifier, None
            return _wanted(topic_filter, qos, identifier, retained=False)
        if held.identifier != identifier:
            held.identifier, held.granted = identifier, None
            present = qos if held.step == "live" else 0
            return _wanted(topic_filter, present, identifier, retained=False)
        return None

    def _snapshot_done(self, held: _Held, now: float) -> bool:
        if held.granted is None:
            return False
        quiet = now - max(self._retained_at, held.since) > QUIET_S
        return quiet or now - held.since > SNAPSHOT_MAX_S


def _identifiers(filters: dict[str, int], *, every: bool) -> dict[str, int]:
    """Return an identifier for each filter that overlaps with another one, or for every one."""
    crossing = [
        one
        for one in filters
        if every or any(other != one and topics.overlap(one, other) for other in filters)
    ]
    return {one: zlib.crc32(one.encode()) % (MAX_IDENTIFIER - 1) + 2 for one in crossing}


def _wanted(topic_filter: str, qos: int, identifier: int, *, retained: bool) -> Wanted:
    return Wanted(topic_filter, 1 if qos else 0, retained=retained, identifier=identifier)
