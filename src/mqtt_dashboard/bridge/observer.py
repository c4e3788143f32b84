"""What the bridge learns from the traffic itself: broker statistics, clients, the topic index."""

import threading
from typing import Final

import msgspec

from mqtt_dashboard.bridge.clients import Clients
from mqtt_dashboard.bridge.inbox import Inbox
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.messages import LogMessage, Rates, StatsUpdate
from mqtt_dashboard.mqtt.client import Incoming
from mqtt_dashboard.mqtt.rates import CounterRates
from mqtt_dashboard.mqtt.sys_topics import SysTopics

LOG_PREFIX: Final = "$SYS/broker/log/"

# Rates and the counters they come from.
BROKER_RATES: Final = (
    "publish_received",
    "publish_sent",
    "publish_dropped",
    "bytes_received",
    "bytes_sent",
)


class Observer:
    """Reads ``$SYS`` for the statistics and the clients, and user messages for the index."""

    def __init__(self, inbox: Inbox, index: TopicIndex, clients: Clients, clock: Clock) -> None:
        self.index = index
        self.clients = clients
        self._inbox = inbox
        self._clock = clock
        self._lock = threading.Lock()
        self._sys = SysTopics()
        self._rates = CounterRates()

    @property
    def family(self) -> str | None:
        """The broker's family as its ``$SYS`` tree gives it away."""
        return self._sys.family

    def new_session(self) -> None:
        """Forget the broker's values: the next connection may lead to another one."""
        with self._lock:
            self._sys = SysTopics()
        self.clients.forget()

    def system(self, message: Incoming) -> None:
        """Read one message of a topic that begins with ``$``; hostile bytes are counted."""
        if message.topic.startswith(LOG_PREFIX):
            version = self._sys.snapshot(self._clock.monotonic()).version
            self.clients.feed(message.topic, message.payload, version, self._clock.now())
            return
        with self._lock:
            self._sys.feed(message.topic, message.payload, self._clock.monotonic())

    def note(self, messages: list[LogMessage]) -> None:
        """Take forwarded messages into the topic index."""
        self.index.note(messages)

    def connected_clients(self) -> int | None:
        """Return the broker's own count of connected clients."""
        with self._lock:
            return self._sys.snapshot(self._clock.monotonic()).clients_connected

    def retained_count(self) -> int | None:
        """Return the broker's own count of retained messages, those below ``$SYS`` included."""
        with self._lock:
            return self._sys.snapshot(self._clock.monotonic()).retained

    def stats(self, epoch: int) -> StatsUpdate:
        """Return the document for `RedisChannels.BROKER_STATS`."""
        now = self._clock.monotonic()
        with self._lock:
            data = self._sys.snapshot(now)
            ages = self._sys.ages(now)
            failures = self._sys.parse_failures
        youngest = min(ages.values(), default=None)
        if youngest is not None:
            data = msgspec.structs.replace(data, last_updated=self._clock.now() - youngest)
        traffic = self._inbox.traffic()
        counters: dict[str, int | None] = {name: getattr(data, name) for name in BROKER_RATES}
        counters |= {"bridge_messages": traffic.received, "bridge_bytes": traffic.bytes}
        return StatsUpdate(
            timestamp=self._clock.now(),
            data=data,
            rates=Rates(**self._rates.update(counters, now, ages)),
            traffic=traffic,
            ages=ages,
            parse_failures=failures,
            epoch=epoch,
        )
