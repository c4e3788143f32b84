"""A broker as MQTT 5 describes it, in memory: for what no real broker does on demand.

What the client sends waits until `process`, what the broker sends until `take`. At QoS 1 a full
window holds messages back while answers go on: they come after what was sent later.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mqtt_dashboard.contract.session import SessionFilter
from mqtt_dashboard.contract.topics import split_shared
from mqtt_dashboard.errors import BusError
from mqtt_dashboard.mqtt.client import Wanted


class Answer(NamedTuple):
    """The answer to one filter."""

    filter: str
    qos: int | None
    error: str | None


class Copy(NamedTuple):
    """One copy of a message: ``number`` says of which."""

    number: int
    topic: str
    identifiers: tuple[int, ...]
    qos: int
    retain: bool = False


@dataclass
class ModelBroker:
    """``matches`` decides; ``one_each``: a copy for each subscription, or one with all of them.

    ``firm``: a filter it refuses ends, although it was granted before.
    """

    matches: Callable[[str, str], bool]
    one_each: bool = True
    firm: bool = False
    refused: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    retained: set[str] = field(default_factory=set)
    held: dict[str, Wanted] = field(default_factory=dict)
    asked: list[Wanted] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    window_full: bool = False
    lost: list[Copy] = field(default_factory=list)
    forgotten: set[int] = field(default_factory=set)
    _requests: deque[Wanted | str] = field(default_factory=deque)
    _sent: deque[Answer | Copy] = field(default_factory=deque)
    _waiting: deque[Copy] = field(default_factory=deque)

    # What the link has -----------------------------------------------------------------------
    def subscribe(self, wanted: list[Wanted]) -> None:
        self._requests += wanted

    def unsubscribe(self, filters: list[str]) -> None:
        self._requests += filters

    # What the test does ----------------------------------------------------------------------
    @property
    def quiet(self) -> bool:
        """Tell whether nothing is on its way in either direction."""
        return not self._requests and not self._sent and not self._waiting

    def process(self, most: int = 1000) -> None:
        """Read what the client sent."""
        for _ in range(min(most, len(self._requests))):
            request = self._requests.popleft()
            if isinstance(request, str):
                self.given_up.append(request)
                self.held.pop(request, None)
            else:
                self._grant(request)

    def take(self) -> Answer | Copy | None:
        """Return what the client reads next."""
        if not self.window_full:
            self._sent += self._waiting
            self._waiting.clear()
        return self._sent.popleft() if self._sent else None

    def publish(self, number: int, topic: str, qos: int, *, mine: bool = True) -> list[Copy]:
        """Send a message; ``mine``: shared subscriptions bring it to this client."""
        matching = [
            entry
            for name, entry in self.held.items()
            if self.matches(split_shared(name)[1], topic) and (mine or "$share" not in name)
        ]
        copies = [
            Copy(
                number, topic, (entry.identifier,) if entry.identifier else (), min(qos, entry.qos)
            )
            for entry in matching
        ]
        if copies and not self.one_each:
            together = tuple(one for copy in copies for one in copy.identifiers)
            best = max(copy.qos for copy in copies)
            copies = [Copy(number, topic, together, best)]
        for copy in copies:
            self._deliver(copy)
        return copies

    def lose_connection(self, *, kept: bool) -> None:
        """End the connection: what is at QoS 1 comes again if the session is kept."""
        rest = [*self._sent, *self._waiting]
        again = [one for one in rest if isinstance(one, Copy) and one.qos and kept]
        self.lost += [one for one in rest if isinstance(one, Copy) and one not in again]
        self._requests.clear()
        self._sent.clear()
        self._waiting = deque(again)
        if not kept:
            self.held.clear()
            self.forgotten |= {one.number for one in self.lost}

    def _grant(self, request: Wanted) -> None:
        self.asked.append(request)
        name = request.filter
        if name in self.silent:
            return
        if name in self.refused:
            if self.firm:
                self.held.pop(name, None)
            self._sent.append(Answer(name, None, "not authorised"))
            return
        self.held[name] = request
        self._sent.append(Answer(name, request.qos, None))
        if request.retained and not name.startswith("$share"):
            numbers = (request.identifier,) if request.identifier else ()
            for topic in sorted(self.retained):
                if self.matches(name, topic):
                    self._deliver(Copy(0, topic, numbers, request.qos, retain=True))

    def _deliver(self, copy: Copy) -> None:
        if copy.qos and (self.window_full or self._waiting):
            self._waiting.append(copy)
        else:
            self._sent.append(copy)


class MemoryStore:
    """Keeps the book of the session; fails on demand."""

    def __init__(self) -> None:
        self.filters: dict[str, SessionFilter] = {}
        self.fails = False

    def load(self) -> list[SessionFilter]:
        if self.fails:
            raise BusError("Redis does not answer")
        return list(self.filters.values())

    def write(
        self, epoch: int, known: Sequence[SessionFilter], gone: Sequence[str], *, anew: bool
    ) -> None:
        assert epoch == 1
        if self.fails:
            raise BusError("Redis does not answer")
        if anew:
            self.filters.clear()
        for one in gone:
            self.filters.pop(one, None)
        self.filters |= {one.filter: one for one in known}
