"""Who wants which filter, and what the bridge therefore asks the broker for.

References come from the settings (always), from named owners with an expiry (dashboard workers),
and from unnamed subscribe commands (counted). A filter that another one contains is not held at
the broker twice, so a message does not arrive twice (P47): see `coverage`.
"""

import threading
from collections.abc import Iterable
from typing import Final

from mqtt_dashboard.bridge import coverage
from mqtt_dashboard.contract import topics
from mqtt_dashboard.contract.filter_index import FilterIndex
from mqtt_dashboard.contract.messages import WantedFilter
from mqtt_dashboard.contract.name_cache import NameCache
from mqtt_dashboard.errors import QueueFullError, TopicError

SYSTEM_FILTER: Final = "$SYS/#"
MAX_FILTERS: Final = 1000
# Each worker is an owner. All of a filter's owners are one document in Redis.
MAX_OWNERS: Final = 1000
MAX_QOS: Final = 1


class Subscriptions:
    """The wanted filters with their references; safe to use from several threads.

    ``revision`` grows whenever a filter comes or goes.
    """

    def __init__(self, always: Iterable[str], system: Iterable[str] = ()) -> None:
        self.always = tuple(dict.fromkeys(always))
        # Read by the bridge itself, like $SYS: held at QoS 0 and not forwarded.
        self.system = tuple(dict.fromkeys([SYSTEM_FILTER, *system]))
        self.revision = 0
        self._lock = threading.Lock()
        self._wanted: dict[str, WantedFilter] = {}
        # By what they match: a shared subscription stands here without its group.
        self._fixed = frozenset(map(coverage.inner, self.always))
        self._index = FilterIndex(self._fixed)
        self._accepted: NameCache[bool] = NameCache()
        self.takes_everything = False
        self._changed()

    def restore(self, stored: Iterable[WantedFilter]) -> None:
        """Take over the references another life of the bridge has stored."""
        with self._lock:
            for wanted in stored:
                if _may_be_watched(wanted.filter):
                    self._wanted.setdefault(wanted.filter, wanted)
                    self._index.add(wanted.filter)
            self._changed()

    def want(self, topic_filter: str, qos: int, owner: str | None, until: float) -> WantedFilter:
        """Add a reference; return the filter's references, to be stored.

        A named owner holds one reference until ``until`` (Unix time), however often it asks.
        """
        topics.check_filter(topic_filter)
        if coverage.is_shared(topic_filter):
            raise TopicError("a shared subscription cannot be watched")
        with self._lock:
            wanted = self._wanted.get(topic_filter)
            if wanted is None:
                if len(self._wanted) >= MAX_FILTERS:
                    raise QueueFullError(f"no more than {MAX_FILTERS} filters can be watched")
                wanted = self._wanted[topic_filter] = WantedFilter(filter=topic_filter)
                self._index.add(topic_filter)
                self._changed()
            wanted.qos = max(wanted.qos, min(qos, MAX_QOS))
            if owner is None:
                wanted.count += 1
            elif owner in wanted.owners or len(wanted.owners) < MAX_OWNERS:
                wanted.owners[owner] = until
            else:
                raise QueueFullError(f"a filter can have no more than {MAX_OWNERS} owners")
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

    def wanted(self) -> dict[str, int]:
        """Return every filter somebody wants, the bridge itself included, with its QoS."""
        with self._lock:
            # QoS 1 throughout: a message then comes with the QoS it was published with (at most
            # 1), and QoS >= 1 survives an outage of the bridge. $SYS needs no such care.
            every = dict.fromkeys([*self.always, *self._wanted], MAX_QOS)
        return every | dict.fromkeys(self.system, 0)

    def desired(self) -> dict[str, int]:
        """Return what to hold at a broker that grants everything."""
        return coverage.to_hold(self.wanted())

    def accepts(self, topic: str) -> bool:
        """Tell whether somebody wants this topic's messages forwarded."""
        known = self._accepted.get(topic)
        if known is None:
            with self._lock:
                known = self._accepted.keep(topic, bool(self._index.matching(topic)))
        return known

    def _keep_or_drop(self, wanted: WantedFilter) -> WantedFilter | None:
        if wanted.count or wanted.owners:
            return wanted
        if self._wanted.pop(wanted.filter, None) is not None:
            if wanted.filter not in self._fixed:
                self._index.discard(wanted.filter)
            self._changed()
        return None

    def _changed(self) -> None:
        self._accepted.clear()
        # Whether every topic that does not begin with $ is wanted.
        self.takes_everything = any(one in self._index for one in coverage.EVERYTHING)
        self.revision += 1


def _may_be_watched(topic_filter: str) -> bool:
    try:
        topics.check_filter(topic_filter)
    except TopicError:
        return False
    return not coverage.is_shared(topic_filter)
