"""From the inbox to Redis: number a batch, write it in one round trip, then acknowledge.

A message keeps its number until it is written, and Redis writes no number twice: after an unclear
failure the same messages are offered again, in smaller batches, and Redis answers how far it got.
QoS 1 messages are acknowledged only after the write returned (P37), in the order they came.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.inbox import MAX_BATCH, Inbox
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bridge.retention import Retention
from mqtt_dashboard.bus.bridge_store import BridgeStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import CONTRACT_VERSION, codec
from mqtt_dashboard.contract.gaps import GapCause
from mqtt_dashboard.contract.messages import Batch, LogMessage
from mqtt_dashboard.errors import BusError, BusStateError, BusTimeoutError, FencedError

TAKE_TIMEOUT_S: Final = 0.5
RETRY_FIRST_S: Final = 0.05
RETRY_MAX_S: Final = 1.0
# Batches grow again while Redis answers well within the time it has.
QUICK_S: Final = 0.5
# Times Redis must refuse a message, and renew the lease in between, before it is given up.
STRIKES: Final = 3

log = logs.get(__name__)


class Observer(Protocol):
    """Sees every message once it was written, on the forwarder's thread."""

    def note(self, messages: list[LogMessage], last: tuple[int, int]) -> None:
        """Take note of messages that are now in Redis; must return at once.

        ``last`` is the epoch and the number of the last one.
        """


class _Sealed(NamedTuple):
    """The next messages, ready to be written as often as it takes."""

    packed: bytes
    documents: list[bytes]


class Forwarder:
    """The loop that writes messages; run by one thread.

    ``trouble`` is what Redis said last, None while it takes what it is given.
    """

    def __init__(
        self,
        inbox: Inbox,
        store: BridgeStore,
        lease: Lease,
        observer: Observer,
        acknowledge: Callable[[list[int]], None],
        log_limit: int,
        clock: Clock,
    ) -> None:
        self._inbox = inbox
        self._store = store
        self._lease = lease
        self._observer = observer
        self._acknowledge = acknowledge
        self._clock = clock
        self._retention = Retention(log_limit)
        self._aged: deque[int] = deque()
        self._epoch = 0
        self._seq = 0
        # What was taken and is not written yet: the messages, their tokens, the first one's number
        # and why the number before it is missing.
        self._messages: list[LogMessage] = []
        self._tokens: list[int] = []
        self._first = 0
        self._gap: GapCause | None = None
        self._generation = 0
        self._sealed: _Sealed | None = None
        # How a failure is met: with smaller batches, with patience, by finding who is to blame.
        self.trouble: str | None = None
        self._share = MAX_BATCH
        self._retry_s = RETRY_FIRST_S
        self._patiently = False
        self._asked = 0.0
        self._heard = False
        self._strikes = 0
        self._struck_at = float("-inf")

    @property
    def seq(self) -> int:
        """Number of the last message that was given one in the present epoch."""
        return self._seq

    def trimmed(self, entries: int) -> None:
        """Note, on any thread, that the log's oldest entries have gone because of their age."""
        self._aged.append(entries)

    def turn(self, wait: Callable[[float], bool]) -> None:
        """Do one turn: write at most one batch. ``wait`` sleeps between failed attempts."""
        if not self._messages and not self._take():
            return
        if self._generation != self._inbox.generation:
            self._abandon()
            return
        epoch = self._lease.epoch
        if not epoch:
            wait(self._retry_s)
            return
        if epoch != self._epoch:
            self._epoch, self._seq = epoch, 0
            self._retention.forget()
            self._number(0)
        try:
            self._write()
        except FencedError:
            log.warning("forwarder.fenced", epoch=epoch)
            wait(RETRY_MAX_S)
        except BusError as error:
            self._fail(error)
            wait(self._retry_s)
            self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)

    def _take(self) -> bool:
        taken = self._inbox.take(TAKE_TIMEOUT_S)
        if not taken.arrivals:
            return False
        self._messages = [
            LogMessage(one.topic, one.payload, one.qos, one.retain, one.dup, at, one.properties)
            for at, messages in taken.arrivals
            for one in messages
        ]
        self._tokens = [one.token for _, messages in taken.arrivals for one in messages]
        self._generation = taken.generation
        self._gap = taken.gap or self._gap
        self._number(taken.skipped)
        return True

    def _number(self, skipped: int) -> None:
        self._first = self._seq + skipped + 1
        self._seq = self._first + len(self._messages) - 1
        self._sealed = None

    def _seal(self) -> _Sealed:
        """Pack the next messages; what is packed stays until it is written or cut smaller."""
        sealed = self._sealed
        count = min(len(self._messages), self._share)
        if sealed is None or len(sealed.documents) != count:
            part = self._messages if count == len(self._messages) else self._messages[:count]
            batch = Batch(CONTRACT_VERSION, self._epoch, self._first, part, self._gap)
            documents = codec.documents(part, self._epoch, self._first)
            self._sealed = sealed = _Sealed(codec.pack(batch), documents)
        return sealed

    def _write(self) -> None:
        self._learn_size()
        packed, documents = self._seal()
        keep = self._retention.entries_after(len(packed))
        self._asked = self._clock.monotonic()
        reached = self._store.log.append(
            self._epoch, self._first, packed, documents, keep, patiently=self._patiently
        )
        if self._share < MAX_BATCH and self._clock.monotonic() - self._asked < QUICK_S:
            self._share = min(2 * self._share, MAX_BATCH)
        if self.trouble is None:
            self._retention.added(len(packed))
        else:
            # Which attempt wrote it, and how much at once, is not known.
            self._retention.forget()
        written, tokens = self._drop(min(reached - self._first + 1, len(self._messages)))
        if any(tokens):
            self._acknowledge([token for token in tokens if token])
        self._inbox.settle(len(written))
        self._observer.note(written, (self._epoch, self._first - 1))
        self.trouble, self._retry_s = None, RETRY_FIRST_S

    def _learn_size(self) -> None:
        self._heard = False
        if not self._retention.known:
            self._aged.clear()
            self._retention.begin(*self._store.log.size())
            self._heard = True
        while self._aged:
            self._retention.trimmed(self._aged.popleft())

    def _drop(self, count: int) -> tuple[list[LogMessage], list[int]]:
        """Forget the oldest messages; return them and their tokens."""
        messages, tokens = self._messages, self._tokens
        if count == len(messages):
            self._messages, self._tokens = [], []
        else:
            self._messages, self._tokens = messages[count:], tokens[count:]
            messages, tokens = messages[:count], tokens[:count]
        self._first += count
        self._gap, self._sealed = None, None
        self._strikes, self._patiently = 0, False
        return messages, tokens

    def _abandon(self) -> None:
        """Leave everything to the bridge that rules now: the broker gives it what is not confirmed.

        By the time this one rules again others have come after it.
        """
        messages, _ = self._drop(len(self._messages))
        self._inbox.settle(0, {"lease_lost": len(messages)})

    def _fail(self, error: BusError) -> None:
        """Go on with less: a slow Redis answers in time, and a message it cannot take is found."""
        log.warning("forwarder.retry", reason=error.reason, waiting=len(self._messages))
        self.trouble = error.reason
        self._retention.forget()
        count = min(len(self._messages), self._share)
        if count > 1:
            self._share = count // 2
        elif self._is_to_blame(error):
            _, tokens = self._drop(1)
            if any(tokens):
                self._acknowledge(tokens)
            self._gap = "refused_by_redis"
            self._inbox.settle(0, {"refused_by_redis": 1})
            log.error("forwarder.gave_up", reason=error.reason)
        else:
            # Patience is for a message that is slow to send, not for a Redis that is away.
            here = self._lease.renewed_at > self._asked
            self._patiently = here and isinstance(error, BusTimeoutError)

    def _is_to_blame(self, error: BusError) -> bool:
        """Tell whether it is the message itself that Redis does not take, time after time.

        Redis answered right before it, and has renewed the lease since the failure before.
        """
        if isinstance(error, BusTimeoutError) and not self._patiently:
            return False
        if isinstance(error, BusStateError):
            return False
        renewed_at = self._lease.renewed_at
        if self._heard and renewed_at > self._struck_at:
            self._struck_at = renewed_at
            self._strikes += 1
        return self._strikes >= STRIKES
