"""What a broker says of itself under ``$SYS``, collected into `BrokerStats`.

Payloads are written by whoever may publish there, so nothing in them is trusted: what does not fit
is counted and the field keeps its value. Judged by the monotonic time that is passed in.
"""

from typing import Final

from mqtt_dashboard.contract.messages import BrokerStats
from mqtt_dashboard.mqtt.sys_dialects import LARGEST, Found, Source, Value, family_of, find

_MAX_NODES: Final = 64


class SysTopics:
    """The newest value and its age for each field; start a new one for each connection."""

    def __init__(self) -> None:
        self.parse_failures = 0
        self._family: str | None = None
        self._named: str | None = None
        self._values: dict[str, dict[str, Value]] = {}
        self._sources: dict[str, Source] = {}
        self._times: dict[str, float] = {}
        self._topics: dict[str, Found] = {}

    @property
    def family(self) -> str | None:
        """The broker's family: by its version text, else by the shape of its topics.

        mosquitto names itself in its version; whoever has its topics and does not is another.
        """
        if self._named is None and self._family == "mosquitto" and self.version is not None:
            return None
        return self._named or self._family

    @property
    def shape(self) -> str | None:
        """The broker whose form of ``$SYS`` topics this one has."""
        return self._family

    @property
    def version(self) -> str | None:
        """The broker's version text, of any node."""
        return next((str(one) for one in self._values.get("version", {}).values()), None)

    @property
    def fields(self) -> frozenset[str]:
        """The statistics the broker has told so far."""
        return frozenset(self._values)

    def feed(self, topic: str, payload: bytes, now: float) -> bool:
        """Take one message; return whether it was a statistic that could be read."""
        found = self._look_up(topic)
        if found is None:
            return False
        source = found.source
        before = self._sources.get(source.field)
        if source.weak and before is not None and not before.weak:
            return False
        try:
            value = source.read(payload)
        except ValueError:
            self.parse_failures += 1
            return False
        nodes = self._values.setdefault(source.field, {})
        if before is not None and before.weak and not source.weak:
            nodes.clear()
        if found.node not in nodes and len(nodes) >= _MAX_NODES:
            return False
        if not source.shared and _too_large(value, nodes, found.node):
            self.parse_failures += 1
            return False
        nodes[found.node] = value
        self._sources[source.field] = source
        self._times[source.field] = now
        self._family = self._family or found.family
        if source.field == "version" and isinstance(value, str):
            self._named = family_of(value) or self._named
        return True

    def snapshot(self, now: float, wall: float | None = None) -> BrokerStats:
        """Return all fields; with the wall clock's time ``last_updated`` is set as well."""
        fields = {name: self._combine(name, nodes) for name, nodes in self._values.items()}
        updated = None
        if wall is not None and self._times:
            updated = wall - (now - max(self._times.values()))
        return BrokerStats(**fields, last_updated=updated)  # type: ignore[arg-type]

    def ages(self, now: float) -> dict[str, float]:
        """Return the seconds since the broker last sent each field."""
        return {name: max(0.0, now - time) for name, time in self._times.items()}

    def _look_up(self, topic: str) -> Found | None:
        found = self._topics.get(topic)
        if found is None:
            found = find(topic)
            # Only statistics are kept: other topics hold names that strangers choose.
            if found is not None and len(self._topics) < 100 * _MAX_NODES:
                self._topics[topic] = found
        return found

    def _combine(self, name: str, nodes: dict[str, Value]) -> Value:
        values = list(nodes.values())
        if len(values) == 1 or isinstance(values[0], str):
            return values[0]
        numbers = [value for value in values if not isinstance(value, str)]
        return max(numbers) if self._sources[name].shared else sum(numbers)


def _too_large(value: Value, nodes: dict[str, Value], node: str) -> bool:
    """Tell whether the sum over all nodes would be a number that nobody can store."""
    others = [one for name, one in nodes.items() if name != node and not isinstance(one, str)]
    return not isinstance(value, str) and value + sum(others) > LARGEST
