"""Who wants which filter, and what the bridge therefore holds at the broker.

References come from the settings (always), from named owners with an expiry (dashboard workers),
and from unnamed subscribe commands (counted). A filter that another one contains is not held at
the broker twice, so a message does not arrive twice (P47).
"""

import threading
from collections.abc import Iterable
from typing import Final

from mqtt_dashboard.contract import topics
from mqtt_dashboard.contract.messages import WantedFilter
from mqtt_dashboard.errors import QueueFullError

SYSTEM_FILTER: Final = "$SYS/#"
MAX_FILTERS: Final = 1000
MAX_QOS: Final = 1
ACCEPT_CACHE: Final = 50_000


class Subscriptions:
    """The wanted filters with their references; safe to use from several threads."""

    def __init__(self, always: Iterable[str], system: Iterable[str] = ()) -> None:
        self._always = frozenset(always)
        # Read by the bridge itself, like $SYS: held at QoS 0 and not forwarded.
        self._system = frozenset({SYSTEM_FILTER, *system})
        self._lock = threading.Lock()
        self._wanted: dict[str, WantedFilter] = {}
        self._accepted: dict[str, bool] = {}

    def restore(self, stored: Iterable[WantedFilter]) -> None:
        """Take over the references another life of the bridge has stored."""
        with self._lock:
            for wanted in stored:
                self._wanted.setdefault(wanted.filter, wanted)
            self._accepted.clear()

    def want(self, topic_filter: str, qos: int, owner: str | None, until: float) -> WantedFilter:
        """Add a reference; return the filter's references, to be stored.

        A named owner holds one reference until ``until`` (Unix time), however often it asks.
        """
        topics.check_filter(topic_filter)
        with self._lock:
            wanted = self._wanted.get(topic_filter)
            if wanted is None:
                if len(self._wanted) >= MAX_FILTERS:
                    raise QueueFullError(f"no more than {MAX_FILTERS} filters can be watched")
                wanted = self._wanted[topic_filter] = WantedFilter(filter=topic_filter)
                self._accepted.clear()
            wanted.qos = max(wanted.qos, min(qos, MAX_QOS))
            if owner is None:
                wanted.count += 1
            else:
                wanted.owners[owner] = until
            return wanted

    def unwant(self, topic_filter: str, owner: str | None) -> WantedFilter | None:
        """Remove a reference; return what is left, or None when nobody wants the filter."""
        with self._lock:
            wanted = self._wanted.get(topic_filter)
            if wanted is None:
                return None
            if owner is None:
                wanted.count = max(wanted.count - 1, 0)
            else:
                wanted.owners.pop(owner, None)
            return self._keep_or_drop(wanted)

    def expire(self, now: float) -> list[str]:
        """Drop owners whose time has passed; return the filters nobody wants any more."""
        gone = []
        with self._lock:
            for wanted in list(self._wanted.values()):
                wanted.owners = {who: end for who, end in wanted.owners.items() if end > now}
                if self._keep_or_drop(wanted) is None:
                    gone.append(wanted.filter)
        return gone

    def desired(self) -> dict[str, int]:
        """Return what to hold at the broker: filter to QoS, none inside another."""
        with self._lock:
            # QoS 1 throughout: a message then comes with the QoS it was published with (at most
            # 1), and QoS >= 1 survives an outage of the bridge. $SYS needs no such care.
            every = dict.fromkeys(self._always | self._wanted.keys(), MAX_QOS)
        every |= dict.fromkeys(self._system, 0)
        return {
            one: qos
            for one, qos in every.items()
            if not any(_makes_needless(other, one) for other in every)
        }

    def accepts(self, topic: str) -> bool:
        """Tell whether somebody wants this topic's messages forwarded."""
        known = self._accepted.get(topic)
        if known is None:
            with self._lock:
                filters = [*self._always, *self._wanted]
                known = any(topics.matches(one, topic) for one in filters)
                if len(self._accepted) >= ACCEPT_CACHE:
                    self._accepted.clear()
                self._accepted[topic] = known
        return known

    @property
    def takes_everything(self) -> bool:
        """Whether every topic that does not begin with $ is wanted."""
        return "#" in self._always or "#" in self._wanted

    def _keep_or_drop(self, wanted: WantedFilter) -> WantedFilter | None:
        if wanted.count or wanted.owners:
            return wanted
        self._wanted.pop(wanted.filter, None)
        self._accepted.clear()
        return None


def _makes_needless(other: str, one: str) -> bool:
    """Tell whether a filter need not be held because of another one.

    Of two that match the same topics, such as ``#`` and ``+/#``, the shorter is held.
    """
    if other == one or not topics.contains(other, one):
        return False
    return not topics.contains(one, other) or (len(other), other) < (len(one), one)
