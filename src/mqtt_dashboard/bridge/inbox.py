"""The bounded queue between the MQTT link and the forwarder, and the account of every message.

The link's thread only appends here. When Redis is slow the queue fills: then QoS 0 messages are
left out and counted, while QoS 1 messages are always taken, because the broker sends no more of
them than Receive Maximum allows until they are acknowledged.
"""

import threading
from collections import Counter, deque
from typing import Final

from mqtt_dashboard.contract.messages import Traffic
from mqtt_dashboard.mqtt.client import Incoming

# What a queued message costs beside its payload and topic, measured with tracemalloc (bytes).
OVERHEAD_BYTES: Final = 250
MAX_BATCH: Final = 1000
MAX_BATCH_BYTES: Final = 2 * 1024 * 1024

Arrival = tuple[float, list[Incoming], int]


class Inbox:
    """Messages waiting for Redis. ``received = forwarded + dropped + queued`` at every moment."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._ready = threading.Condition()
        self._arrivals: deque[Arrival] = deque()
        self._queued_bytes = 0
        self._queued = 0
        self._received = 0
        self._forwarded = 0
        self._bytes = 0
        self._dropped: Counter[str] = Counter()

    def offer(self, messages: list[Incoming], received_at: float) -> None:
        """Take the messages of one read; leave QoS 0 out when the queue is full."""
        size = sum(len(message.payload) + len(message.topic) for message in messages)
        with self._ready:
            self._received += len(messages)
            self._bytes += sum(len(message.payload) for message in messages)
            cost = size + OVERHEAD_BYTES * len(messages)
            if self._queued_bytes + cost > self._limit:
                messages = self._make_fit(messages)
                if not messages:
                    return
                cost = _cost(messages)
            self._arrivals.append((received_at, messages, cost))
            self._queued_bytes += cost
            self._queued += len(messages)
            self._ready.notify()

    def take(self, timeout: float) -> list[tuple[float, Incoming]]:
        """Wait for messages and return up to a batch of them, oldest first, with arrival times.

        They count as queued until `settle` is called for them.
        """
        with self._ready:
            if not self._arrivals:
                self._ready.wait(timeout)
            batch: list[tuple[float, Incoming]] = []
            size = 0
            while self._arrivals and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
                received_at, messages, cost = self._arrivals.popleft()
                room = MAX_BATCH - len(batch)
                if len(messages) > room:
                    rest = messages[room:]
                    rest_cost = _cost(rest)
                    self._arrivals.appendleft((received_at, rest, rest_cost))
                    messages, cost = messages[:room], cost - rest_cost
                batch += [(received_at, message) for message in messages]
                size += cost
                self._queued_bytes -= cost
            return batch

    def settle(self, forwarded: int, dropped: dict[str, int] | None = None) -> None:
        """Close the account of messages that were taken: written, or dropped for a reason."""
        with self._ready:
            self._forwarded += forwarded
            self._queued -= forwarded
            for reason, count in (dropped or {}).items():
                self._dropped[reason] += count
                self._queued -= count

    def refuse(self, reason: str, count: int = 1) -> None:
        """Count messages that arrived but could not even be queued."""
        with self._ready:
            self._received += count
            self._dropped[reason] += count

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
            self._dropped["queue_full"] += len(messages) - len(kept)
        return kept


def _cost(messages: list[Incoming]) -> int:
    return sum(len(each.payload) + len(each.topic) for each in messages) + OVERHEAD_BYTES * len(
        messages
    )
