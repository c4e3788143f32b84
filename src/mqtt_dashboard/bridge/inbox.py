"""The bounded queue between the MQTT link and the forwarder, and the account of every message.

The link's thread only appends here. When Redis is slow the queue fills: then QoS 0 messages are
left out and counted. QoS 1 messages are always taken, because an agreed Receive Maximum bounds
them; a broker that keeps to none is held off: nothing more is read from it until half is gone.
"""

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from operator import attrgetter
from typing import Final, NamedTuple

from mqtt_dashboard.contract.gaps import GapCause
from mqtt_dashboard.contract.messages import MessageProperties, Traffic
from mqtt_dashboard.mqtt.client import Incoming

# What a queued message costs beside its payload and topic, measured with tracemalloc (bytes), and
# what properties cost beside their texts. A text may take four times its bytes on the wire.
OVERHEAD_BYTES: Final = 200
PROPERTIES_BYTES: Final = 200
PAIR_BYTES: Final = 64
MAX_BATCH: Final = 1000
MAX_BATCH_BYTES: Final = 512 * 1024
# QoS 0 is refused above the limit, so whatever lies so far above it came at QoS 1.
HOLD_ABOVE: Final = 1.25
RESUME_BELOW: Final = 0.5

_topic, _payload, _properties = map(attrgetter, ("topic", "payload", "properties"))


class _Arrival(NamedTuple):
    """The messages of one read; ``skipped`` numbers and ``gap`` stand for what is lost before."""

    received_at: float
    messages: list[Incoming]
    cost: int
    skipped: int = 0
    gap: GapCause | None = None


class Taken(NamedTuple):
    """When messages arrived and which, oldest first, and what was lost right before them.

    ``generation`` is the reign they were received under, see `Inbox.discard`.
    """

    arrivals: list[tuple[float, list[Incoming]]]
    skipped: int
    gap: GapCause | None
    generation: int


def never_hold(_held: bool) -> None:
    """Hold nobody off."""


class Inbox:
    """Messages waiting for Redis. ``received = forwarded + dropped + queued`` at every moment.

    ``hold`` is called with True to stop reading from the broker and with False to go on; it must
    return at once.
    """

    def __init__(self, limit_bytes: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.hold: Callable[[bool], None] = never_hold
        self._limit = limit_bytes
        self._monotonic = monotonic
        self._ready = threading.Condition()
        self._arrivals: deque[_Arrival] = deque()
        # When those that are not settled came, and how many; oldest first.
        self._unsettled: deque[tuple[float, int]] = deque()
        self._held = False
        self._skipped = 0
        self._gap: GapCause | None = None
        self._generation = 0
        self._queued_bytes = 0
        self._queued = 0
        self._received = 0
        self._forwarded = 0
        self._bytes = 0
        self._dropped: Counter[str] = Counter()

    @property
    def generation(self) -> int:
        """How often everything was given up; messages taken before that must not be written."""
        return self._generation

    def offer(self, messages: list[Incoming], received_at: float) -> None:
        """Take the messages of one read; leave QoS 0 out when the queue is full."""
        payload = sum(map(len, map(_payload, messages)))
        cost = payload + _beside_payload(messages)
        with self._ready:
            self._received += len(messages)
            self._bytes += payload
            if self._queued_bytes + cost > self._limit:
                messages = self._make_fit(messages)
                if not messages:
                    return
                cost = _cost(messages)
            arrival = _Arrival(received_at, messages, cost, self._skipped, self._gap)
            self._skipped, self._gap = 0, None
            self._arrivals.append(arrival)
            self._unsettled.append((self._monotonic(), len(messages)))
            self._queued_bytes += cost
            self._queued += len(messages)
            if self._queued_bytes > self._limit * HOLD_ABOVE:
                # Said again with every read: a new connection does not know of it.
                self._held = True
                self.hold(True)
            self._ready.notify()

    def take(self, timeout: float) -> Taken:
        """Wait for messages and return up to a batch of them, with nothing lost in between.

        They count as queued until `settle` is called for them.
        """
        with self._ready:
            if not self._arrivals:
                self._ready.wait(timeout)
            batch: list[tuple[float, list[Incoming]]] = []
            skipped, gap, most, room = 0, None, MAX_BATCH, MAX_BATCH_BYTES
            while self._arrivals and most and room > 0:
                if not batch:
                    skipped, gap = self._arrivals[0].skipped, self._arrivals[0].gap
                elif self._arrivals[0].skipped or self._arrivals[0].gap:
                    break
                arrival = self._pop(most, room)
                batch.append((arrival.received_at, arrival.messages))
                most -= len(arrival.messages)
                room -= arrival.cost
                self._queued_bytes -= arrival.cost
            if self._held and self._queued_bytes < self._limit * RESUME_BELOW:
                self._held = False
                self.hold(False)
            return Taken(batch, skipped, gap, self._generation)

    def settle(self, forwarded: int, dropped: dict[str, int] | None = None) -> None:
        """Close the account of messages that were taken: written, or dropped for a reason."""
        with self._ready:
            self._forwarded += forwarded
            self._forget(forwarded)
            for reason, count in (dropped or {}).items():
                self._dropped[reason] += count
                self._forget(count)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Count messages that arrived but could not even be queued."""
        with self._ready:
            self._received += count
            self._dropped[reason] += count

    def mark_gap(self, cause: GapCause) -> None:
        """Note that an unknown number of messages is lost before the next one that comes."""
        with self._ready:
            # One number is left out, so that whoever only looks at numbers sees it too.
            self._skipped += 1
            self._gap = cause

    def discard(self, reason: str) -> None:
        """Drop everything that waits here, and let what was taken be dropped: see `generation`."""
        with self._ready:
            count = sum(len(arrival.messages) for arrival in self._arrivals)
            taken = self._queued - count
            self._arrivals.clear()
            self._generation += 1
            self._queued_bytes = 0
            self._queued = taken
            self._dropped[reason] += count
            self._unsettled = deque([(self._unsettled[0][0], taken)] if taken else [])
            self._skipped, self._gap = 0, None
            if self._held:
                self._held = False
                self.hold(False)

    def oldest_wait(self) -> float:
        """Return for how many seconds the oldest message waits, 0 when none does."""
        with self._ready:
            if not self._unsettled:
                return 0.0
            return self._monotonic() - self._unsettled[0][0]

    def traffic(self) -> Traffic:
        """Return the account."""
        with self._ready:
            return Traffic(
                received=self._received,
                forwarded=self._forwarded,
                queued=self._queued,
                bytes=self._bytes,
                dropped=dict(self._dropped),
            )

    def _make_fit(self, messages: list[Incoming]) -> list[Incoming]:
        kept = [message for message in messages if message.token]
        if len(kept) < len(messages):
            left_out = len(messages) - len(kept)
            self._dropped["queue_full"] += left_out
            self._skipped += left_out
            self._gap = self._gap or "queue_full"
        return kept

    def _pop(self, most: int, room: int) -> _Arrival:
        """Take the oldest arrival, or the part of it that fits: one message in any case."""
        arrival = self._arrivals.popleft()
        messages, end = arrival.messages, most
        if arrival.cost > room:
            end = _fitting(messages, most, room)
        if end >= len(messages):
            return arrival
        rest = messages[end:]
        rest_cost = _cost(rest)
        self._arrivals.appendleft(_Arrival(arrival.received_at, rest, rest_cost))
        return _Arrival(arrival.received_at, messages[:end], arrival.cost - rest_cost)

    def _forget(self, count: int) -> None:
        self._queued -= count
        while count and self._unsettled:
            came, waiting = self._unsettled.popleft()
            if waiting > count:
                self._unsettled.appendleft((came, waiting - count))
                return
            count -= waiting


def _fitting(messages: list[Incoming], most: int, room: int) -> int:
    for position, message in enumerate(messages[:most]):
        room -= _cost([message])
        if room < 0:
            return max(1, position)
    return most


def _cost(messages: list[Incoming]) -> int:
    return sum(map(len, map(_payload, messages))) + _beside_payload(messages)


def _beside_payload(messages: list[Incoming]) -> int:
    cost = sum(map(str.__sizeof__, map(_topic, messages))) + OVERHEAD_BYTES * len(messages)
    if any(map(_properties, messages)):
        cost += sum(_weight(one.properties) for one in messages if one.properties is not None)
    return cost


def _weight(properties: MessageProperties) -> int:
    """Return the bytes that properties hold in memory."""
    weight = PROPERTIES_BYTES + PAIR_BYTES * len(properties.user_properties)
    for key, value in properties.user_properties:
        weight += sys.getsizeof(key) + sys.getsizeof(value)
    for text in (properties.content_type, properties.response_topic, properties.correlation_data):
        weight += sys.getsizeof(text)
    return weight
