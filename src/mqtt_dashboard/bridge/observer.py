"""What the bridge learns from the traffic itself: broker statistics, clients, the topic index."""

import threading
from typing import Final

import msgspec

from mqtt_dashboard.bridge import capabilities, families
from mqtt_dashboard.bridge.accounts import Accounts
from mqtt_dashboard.bridge.client_poller import ClientPoller
from mqtt_dashboard.bridge.clients import Clients
from mqtt_dashboard.bridge.faults import Faults
from mqtt_dashboard.bridge.inbox import Inbox
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.messages import (
    ClientsUpdate,
    GrantedFilter,
    LogMessage,
    Rates,
    StatsUpdate,
)
from mqtt_dashboard.contract.offers import Capabilities
from mqtt_dashboard.mqtt.client import Incoming, Session
from mqtt_dashboard.mqtt.rates import CounterRates
from mqtt_dashboard.mqtt.sys_topics import SysTopics

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

    def __init__(
        self,
        inbox: Inbox,
        index: TopicIndex,
        clients: Clients,
        clock: Clock,
        accounts: Accounts | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self.index = index
        self.clients = clients
        self.accounts = accounts or Accounts(clock, enabled=False)
        self.poller: ClientPoller | None = None
        self._system_messages = 0
        self._session: Session | None = None
        self._session_at = 0.0
        self._inbox = inbox
        self._clock = clock
        self._lock = threading.Lock()
        self._sys = SysTopics()
        self._rates = CounterRates()

    @property
    def family(self) -> str | None:
        """The broker's family as its ``$SYS`` tree gives it away."""
        return self._sys.family or self.clients.family

    def new_session(self, session: Session | None = None) -> None:
        """Forget the broker's values: the next connection may lead to another one."""
        with self._lock:
            self._sys = SysTopics()
            self._session = session
            self._session_at = self._clock.monotonic()
        self.accounts.begin()
        protocol = session.protocol if session is not None else None
        self.clients.begin(protocol, self._clock.now())

    def system(self, message: Incoming) -> None:
        """Read one message of a topic that begins with ``$``; hostile bytes are counted."""
        self._system_messages += 1
        with self._faults.survived("system_message"):
            if message.topic == families.DYNSEC_RESPONSE:
                self.accounts.take(message.payload)
                return
            with self._lock:
                version = self._sys.version
            if self.clients.feed(message.topic, message.payload, version, self._clock.now()):
                return
            with self._lock:
                self._sys.feed(message.topic, message.payload, self._clock.monotonic())

    def note(self, messages: list[LogMessage], last: tuple[int, int]) -> None:
        """Take forwarded messages into the topic index; ``last`` is the number of the last one."""
        self.index.note(messages, last)

    def connected_clients(self) -> int | None:
        """Return the broker's own count of connected clients."""
        with self._lock:
            return self._sys.snapshot(self._clock.monotonic()).clients_connected

    def client_list(self, epoch: int) -> ClientsUpdate:
        """Return the document for `RedisChannels.CLIENT_LIST`."""
        shown, silent = self.clients.shown, self.clients.unnamed
        hint = capabilities.naming_hint(self._family(), shown, silent=silent)
        if self.poller is not None and self.poller.problem is not None:
            hint = self.poller.problem
        connected = self.connected_clients()
        document = self.clients.update(connected, self._clock.now(), epoch, hint)
        asked = self.accounts.now()
        return msgspec.structs.replace(
            document,
            accounts=asked.accounts,
            accounts_total=asked.total,
            accounts_hint=asked.hint,
        )

    def capabilities(self, granted: list[GrantedFilter]) -> Capabilities | None:
        """Return what the broker offers; None while there is no session."""
        if self._session is None:
            return None
        now = self._clock.monotonic()
        with self._lock:
            fields = self._sys.fields
            connected = self._sys.snapshot(now).clients_connected
        asked = self.accounts.now()
        problems = []
        if self.accounts.enabled and asked.hint is not None:
            problems.append(("dynamic_security", asked.hint))
        if self.poller is not None and self.poller.problem is not None:
            problems.append(("client_names", self.poller.problem))
        shown = capabilities.Shown(
            fields=fields,
            clients=self.clients.shown,
            age_s=now - self._session_at,
            silent=self.clients.silent(connected, self._clock.now()),
            refused=capabilities.refusal(granted),
            dynamic_security=asked.answered,
            problems=tuple(problems),
        )
        return capabilities.judge(self._family(), shown)

    def _family(self) -> families.Family:
        with self._lock:
            shape, version = self._sys.shape, self._sys.version
        return families.choose(
            name=self.family, shape=shape, version=version, session=self._session
        )

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
        counters["bridge_system"] = self._system_messages
        return StatsUpdate(
            timestamp=self._clock.now(),
            data=data,
            rates=Rates(**self._rates.update(counters, now, ages)),
            traffic=traffic,
            ages=ages,
            parse_failures=failures,
            epoch=epoch,
        )
