"""From the inbox to Redis: seal a batch, write it in one round trip, then acknowledge.

A batch keeps its number until it is written, so a retry after an unclear failure is a duplicate
that readers recognise by ``(epoch, seq)``, never a loss. QoS 1 messages are acknowledged only
after the write returned (P37), in the order they came.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.inbox import Inbox
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bus.bridge_store import BridgeStore
from mqtt_dashboard.contract import CONTRACT_VERSION, codec
from mqtt_dashboard.contract.messages import Batch, LogMessage
from mqtt_dashboard.errors import BusError, FencedError
from mqtt_dashboard.mqtt.client import Incoming

TAKE_TIMEOUT_S: Final = 0.5
RETRY_FIRST_S: Final = 0.05
RETRY_MAX_S: Final = 1.0

log = logs.get(__name__)


class Observer(Protocol):
    """Sees every message once it was written, on the forwarder's thread."""

    def note(self, messages: list[LogMessage], last: tuple[int, int]) -> None:
        """Take note of messages that are now in Redis; must return at once.

        ``last`` is the epoch and the number of the last one.
        """


@dataclass(frozen=True)
class Sealed:
    """A batch with its final numbers, ready to be written as often as it takes."""

    epoch: int
    messages: list[LogMessage]
    packed: bytes
    documents: list[bytes]
    tokens: list[int]


class Forwarder:
    """The loop that writes messages; run by one thread."""

    def __init__(
        self,
        inbox: Inbox,
        store: BridgeStore,
        lease: Lease,
        observer: Observer,
        acknowledge: Callable[[list[int]], None],
        log_limit: int,
    ) -> None:
        self._inbox = inbox
        self._store = store
        self._lease = lease
        self._observer = observer
        self._acknowledge = acknowledge
        self._retention = Retention(log_limit)
        self._seq = 0
        self._epoch = 0
        self._sealed: Sealed | None = None
        self._pending: list[tuple[float, Incoming]] = []
        self._retry_s = RETRY_FIRST_S

    @property
    def seq(self) -> int:
        """Number of the last message that was given one in the present epoch."""
        return self._seq

    def turn(self, wait: Callable[[float], bool]) -> None:
        """Do one turn: write at most one batch. ``wait`` sleeps between failed attempts."""
        if not self._pending:
            self._pending = self._inbox.take(TAKE_TIMEOUT_S)
            if not self._pending:
                return
            self._sealed = None
        epoch = self._lease.epoch
        if not epoch:
            wait(self._retry_s)
            return
        if self._sealed is None or self._sealed.epoch != epoch:
            self._sealed = self._seal(epoch)
        try:
            self._write(self._sealed)
        except FencedError:
            log.warning("forwarder.fenced", epoch=epoch)
            wait(RETRY_MAX_S)
        except BusError as error:
            log.warning("forwarder.retry", reason=error.reason, waiting=len(self._pending))
            wait(self._retry_s)
            self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)

    def _seal(self, epoch: int) -> Sealed:
        if epoch != self._epoch:
            self._epoch, self._seq = epoch, 0
            self._retention.forget()
        first = self._seq + 1
        messages = [
            LogMessage(topic, payload, qos, retain, dup, at, properties)
            for at, (topic, payload, qos, retain, dup, properties, _token, _ids) in self._pending
        ]
        documents = codec.documents(messages, epoch, first)
        tokens = [incoming.token for _, incoming in self._pending if incoming.token]
        self._seq += len(messages)
        packed = codec.pack(Batch(CONTRACT_VERSION, epoch, first, messages))
        return Sealed(epoch, messages, packed, documents, tokens)

    def _write(self, sealed: Sealed) -> None:
        if not self._retention.known:
            self._retention.begin(*self._store.log_size())
        keep = self._retention.entries_after(len(sealed.packed))
        self._store.append(sealed.epoch, sealed.packed, sealed.documents, keep)
        self._retention.added(len(sealed.packed))
        if sealed.tokens:
            self._acknowledge(sealed.tokens)
        self._inbox.settle(len(sealed.messages))
        self._observer.note(sealed.messages, (sealed.epoch, self._seq))
        self._pending, self._sealed = [], None
        self._retry_s = RETRY_FIRST_S


class Retention:
    """How many entries the message log may keep so that it stays below its bytes.

    Sizes of own entries are known; what was there before is one lump of average entries.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self.forget()

    def forget(self) -> None:
        """Start over: the log may have changed under another bridge."""
        self.known = False
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._lump_entries = 0
        self._lump_average = 1.0

    def begin(self, entries: int, used: int) -> None:
        """Take over a log of ``entries`` entries and ``used`` bytes."""
        self.known = True
        self._lump_entries = entries
        self._lump_average = max(used / entries, 1.0) if entries else 1.0
        self._bytes = used

    def entries_after(self, size: int) -> int:
        """Return how many entries to keep when one of ``size`` bytes is added."""
        while self._bytes + size > self._limit and (self._lump_entries or self._sizes):
            if self._lump_entries:
                self._lump_entries -= 1
                self._bytes -= int(self._lump_average)
            else:
                self._bytes -= self._sizes.popleft()
        return self._lump_entries + len(self._sizes) + 1

    def added(self, size: int) -> None:
        """Note an entry that was written."""
        self._sizes.append(size)
        self._bytes += size
