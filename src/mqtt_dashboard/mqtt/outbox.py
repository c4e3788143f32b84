"""Messages on their way to the broker, each ended by exactly one receipt.

`accept` may be called from any thread, all else belongs to the connection's thread. Nothing is
sent after its deadline, nothing is sent again: what was sent and not answered is indeterminate.
Whether to go on with it is the business of a caller that gave it a packet id of its own.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mqtt_dashboard.contract.topics import check_topic
from mqtt_dashboard.errors import LinkError, QueueFullError, TopicError
from mqtt_dashboard.logs import get
from mqtt_dashboard.mqtt import reasons
from mqtt_dashboard.mqtt.client import Outcome, Outgoing, Receipt
from mqtt_dashboard.mqtt.packet_ids import PacketIds

MAX_MESSAGES: Final = 1_000
MAX_BYTES: Final = 16 * 1024 * 1024

_log = get(__name__)


@dataclass
class Limits:
    """What the broker allows, from its CONNACK."""

    receive_maximum: int = 65_535
    maximum_qos: int = 2
    retain_available: bool = True
    max_packet_size: int | None = None


@dataclass(eq=False)
class Pending:
    """A message that was accepted; ``done`` once its receipt was given."""

    message: Outgoing
    packet_id: int = 0
    started: bool = False
    received: bool = False
    released: bool = False
    done: bool = False

    @property
    def kept(self) -> bool:
        """Whether the broker has it and the caller remembers that: no deadline ends it."""
        return self.received and self.message.packet_id != 0


Write = Callable[[Pending], bytes]
Send = Callable[[bytes, Callable[[], None]], bool]

_ID_IN_USE: Final = 0x91
_ID_UNKNOWN: Final = 0x92


@dataclass
class Outbox:
    """Bounded queue, then the window of unanswered QoS 1 and 2 messages."""

    ids: PacketIds
    write: Write
    send: Send
    limits: Limits = field(default_factory=Limits)
    max_messages: int = MAX_MESSAGES
    max_bytes: int = MAX_BYTES
    send_release: Callable[[int], None] = lambda _packet_id: None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._count = self._bytes = 0
        self._arrived: deque[Pending] = deque()
        self._to_release: deque[int] = deque()
        self._queue: deque[Pending] = deque()
        self._sending: Pending | None = None
        self._window: dict[int, Pending] = {}

    @property
    def empty(self) -> bool:
        """Tell whether no message waits for its receipt."""
        return not self._count

    def accept(self, message: Outgoing) -> None:
        """Queue a message; raise `QueueFullError` or `LinkError` when it is not accepted."""
        with self._lock:
            if self._closed:
                raise LinkError("not connected to the broker")
            if self._count >= self.max_messages:
                raise QueueFullError(f"{self._count} messages already wait to be published")
            if self._count and self._bytes + len(message.payload) > self.max_bytes:
                raise QueueFullError(f"{self._bytes} bytes already wait to be published")
            self._count += 1
            self._bytes += len(message.payload)
            self._arrived.append(Pending(message))

    def release(self, packet_ids: list[int]) -> None:
        """Let PUBREL be sent for messages the caller has written down as received."""
        self._to_release.extend(packet_ids)

    def pump(self, now: float) -> None:
        """Send what may be sent now, in order."""
        self._take_arrived()
        self._release()
        while self._queue and self._sending is None:
            entry = self._queue[0]
            if entry.message.deadline <= now:
                self._queue.popleft()
                self._finish(entry, Outcome.EXPIRED, "its deadline passed before it could be sent")
            elif refusal := self._refusal(entry.message):
                self._queue.popleft()
                self._unsent(entry, refusal)
            elif problem := self._problem(entry.message):
                self._queue.popleft()
                self._finish(entry, Outcome.FAILED, problem)
            elif not self._begin(entry):
                return

    def expire(self, now: float) -> None:
        """End what is past its deadline; a sent message keeps its place in the window."""
        self._take_arrived()
        waiting = [entry for entry in self._queue if entry.message.deadline <= now]
        for entry in waiting:
            self._queue.remove(entry)
            self._finish(entry, Outcome.EXPIRED, "its deadline passed before it could be sent")
        for entry in self._sent():
            if entry.message.deadline <= now and not entry.kept:
                reason = "sent, but the broker did not confirm it before its deadline"
                self._finish(entry, Outcome.INDETERMINATE, reason)

    def next_deadline(self) -> float | None:
        """Return when `expire` has something to do next."""
        entries = (*self._queue, *self._sent())
        open_ones = [entry for entry in entries if not entry.done and not entry.kept]
        return min((entry.message.deadline for entry in open_ones), default=None)

    def on_puback(self, packet_id: int, code: int, text: str | None) -> bool:
        """Take the broker's answer to a QoS 1 message; return False when none waited for it."""
        entry = self._window.get(packet_id)
        if entry is None or entry.message.qos != 1:
            return False
        self._complete(entry, code, text)
        return True

    def on_pubrec(self, packet_id: int, code: int, text: str | None) -> bool | None:
        """Take the first answer to a QoS 2 message; return whether PUBREL is due.

        None: it is for the caller to say so, by `release`.
        """
        entry = self._window.get(packet_id)
        if entry is None or entry.message.qos != 2:
            return False
        # Some brokers refuse the id of a message sent again, because they have the message.
        if code >= 0x80 and not (code == _ID_IN_USE and entry.message.resume == "publish"):
            self._complete(entry, code, text)
            return False
        told, entry.received = entry.received, True
        if entry.message.on_received is not None and not entry.released:
            if not told:
                self._call(entry, entry.message.on_received)
            return None
        entry.released = True
        return True

    def on_pubcomp(self, packet_id: int, code: int, text: str | None) -> bool:
        """Take the last answer to a QoS 2 message; return False when none waited for it."""
        entry = self._window.get(packet_id)
        if entry is None or not entry.released:
            return False
        if code == _ID_UNKNOWN and entry.message.resume == "release":
            # It was complete before: only the answer had not arrived.
            code = 0
        self._complete(entry, code, text)
        return True

    def close(self, reason: str, now: float) -> None:
        """End every message that is still open, because the connection is gone."""
        with self._lock:
            self._closed = True
        self._take_arrived()
        for entry in self._sent():
            if entry.message.qos == 2 and not entry.message.packet_id:
                self.ids.burn(entry.packet_id)
            if entry is self._sending:
                self._unsent(entry, f"not sent completely: {reason}")
            self._finish(entry, Outcome.INDETERMINATE, f"sent, but not confirmed: {reason}")
        for entry in self._queue:
            if entry.message.deadline <= now:
                self._finish(entry, Outcome.EXPIRED, f"not sent: {reason}")
            else:
                self._unsent(entry, f"not sent: {reason}")
        self._queue.clear()
        self._window.clear()

    def _release(self) -> None:
        while self._to_release:
            packet_id = self._to_release.popleft()
            entry = self._window.get(packet_id)
            if entry is not None and entry.received and not entry.released:
                entry.released = True
                self.send_release(packet_id)

    def _take_arrived(self) -> None:
        while self._arrived:
            self._queue.append(self._arrived.popleft())

    def _sent(self) -> list[Pending]:
        entries = list(self._window.values())
        if self._sending is not None and self._sending.message.qos == 0:
            entries.append(self._sending)
        return entries

    def _refusal(self, message: Outgoing) -> str | None:
        if message.may_send is not None and not message.may_send():
            return "not sent: it may not be sent on this connection"
        if message.packet_id in self._window:
            return "not sent: its packet id is still in use"
        return None

    def _problem(self, message: Outgoing) -> str | None:
        if message.qos > self.limits.maximum_qos:
            return f"the broker takes at most QoS {self.limits.maximum_qos}"
        if message.retain and not self.limits.retain_available:
            return reasons.words(0x9A)
        try:
            check_topic(message.topic)
        except TopicError as error:
            return str(error)
        return None

    def _begin(self, entry: Pending) -> bool:
        """Hand a message to the socket; return False when it must wait."""
        qos = entry.message.qos
        if qos and len(self._window) >= self.limits.receive_maximum:
            return False
        owned = entry.message.packet_id
        packet_id = (owned or self.ids.take()) if qos else 0
        if packet_id is None:
            return False
        entry.packet_id = packet_id
        entry.received = entry.released = entry.message.resume == "release"
        packet = self.write(entry)
        largest = self.limits.max_packet_size
        if largest is not None and len(packet) > largest:
            self._give_back(entry)
            self._queue.popleft()
            reason = f"too large for the broker: {len(packet)} bytes, at most {largest}"
            self._finish(entry, Outcome.FAILED, reason)
            return True
        self._sending = entry
        if not self.send(packet, self._on_sent):
            self._sending = None
            self._give_back(entry)
            return False
        entry.started = True
        self._queue.popleft()
        if qos:
            self._window[packet_id] = entry
        return True

    def _on_sent(self) -> None:
        entry, self._sending = self._sending, None
        if entry is not None and entry.message.qos == 0:
            self._finish(entry, Outcome.SENT, "sent; QoS 0 is never confirmed")

    def _complete(self, entry: Pending, code: int, text: str | None) -> None:
        del self._window[entry.packet_id]
        self._give_back(entry)
        if code >= 0x80:
            reason = f"the broker refused the message: {reasons.words(code, text)}"
            self._finish(entry, Outcome.FAILED, reason, code)
        elif code:
            self._finish(entry, Outcome.ACKED, reasons.words(code, text), code)
        else:
            self._finish(entry, Outcome.ACKED, "confirmed by the broker", code)

    def _give_back(self, entry: Pending) -> None:
        if not entry.message.packet_id:
            self.ids.give_back(entry.packet_id)

    def _unsent(self, entry: Pending, reason: str) -> None:
        self._end(entry, Receipt(Outcome.FAILED, reason, unsent=True))

    def _finish(
        self, entry: Pending, outcome: Outcome, reason: str, code: int | None = None
    ) -> None:
        self._end(entry, Receipt(outcome, reason, code))

    def _end(self, entry: Pending, receipt: Receipt) -> None:
        if entry.done:
            return
        entry.done = True
        with self._lock:
            self._count -= 1
            self._bytes -= len(entry.message.payload)
        self._call(entry, lambda: entry.message.done(receipt))

    def _call(self, entry: Pending, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception:  # noqa: BLE001 - the caller's code must not end the connection
            _log.exception("mqtt.receipt_failed", topic=entry.message.topic)
