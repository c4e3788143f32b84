"""Bring the broker's subscriptions in line with the wanted filters, in two steps each.

Step one asks for a filter at QoS 0 with its retained messages, step two for the same filter at
QoS 1 without them: at QoS 1 a broker's queue limit silently cuts a large retained snapshot, at
QoS 0 it does not (mosquitto: 1,020 of 20,000 against all). MQTT 5.0, 3.8.4 makes the replacement
lossless. MQTT 3.1.1 has no Retain Handling, so there it is one step at QoS 1.
"""

import threading
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.subscriptions import SYSTEM_FILTER, Subscriptions
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.messages import GrantedFilter
from mqtt_dashboard.errors import DashboardError
from mqtt_dashboard.mqtt.client import Session, Wanted

# A broker may refuse "#" to everybody but not this, which matches the same topics (EMQX does).
FALLBACK: Final = {"#": "+/#"}
QUIET_S: Final = 0.5
SNAPSHOT_MAX_S: Final = 30.0

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
        self._retained_at = float("-inf")

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
        desired = self._subscriptions.desired()
        for refused in self._refused & desired.keys():
            desired[FALLBACK[refused]] = desired[refused]
        now = self._clock.monotonic()
        two_steps = session.protocol == "5.0"
        ask = []
        for topic_filter, qos in desired.items():
            held = self._held.get(topic_filter)
            if held is None:
                first = two_steps and not session.session_present
                step: Literal["snapshot", "live"] = "snapshot" if first else "live"
                self._held[topic_filter] = _Held(qos, step, now)
                # $SYS sends a value only when it changes: without its snapshot most are unknown.
                retained = first or not two_steps or topic_filter == SYSTEM_FILTER
                ask.append(_wanted(topic_filter, 0 if first else qos, retained=retained))
            elif held.step == "snapshot" and qos and self._snapshot_done(held, now):
                held.step = "live"
                ask.append(_wanted(topic_filter, qos, retained=False))
        drop = [topic_filter for topic_filter in self._held if topic_filter not in desired]
        for topic_filter in drop:
            del self._held[topic_filter]
        return ask, drop

    def _snapshot_done(self, held: _Held, now: float) -> bool:
        if held.granted is None:
            return False
        quiet = now - max(self._retained_at, held.since) > QUIET_S
        return quiet or now - held.since > SNAPSHOT_MAX_S


def _wanted(topic_filter: str, qos: int, *, retained: bool) -> Wanted:
    return Wanted(filter=topic_filter, qos=1 if qos else 0, retained=retained)
