"""Durable commands: read from the stream, judged again, journalled, sent, settled.

Everything is written down before it happens: that a command is about to be sent, before it is
sent; that the broker has it (QoS 2), before it is released; its one result, before it leaves the
stream. So whatever a crash leaves behind, the next bridge knows what it must not assume.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.continuity import Continuity, Opened
from mqtt_dashboard.bridge.courier import LONGEST_RELEASE_S, Courier, SendingLink
from mqtt_dashboard.bridge.held import Hand, Held
from mqtt_dashboard.bridge.journal import Journal
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bridge.session_log import SessionLog
from mqtt_dashboard.bus.bridge_orders import BEGIN, BridgeOrders, Entry, Step, Taken
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import orders
from mqtt_dashboard.contract.commands import CommandState
from mqtt_dashboard.contract.orders import CommandResult, Order
from mqtt_dashboard.errors import BusError, ContractError, FencedError, LinkError, QueueFullError
from mqtt_dashboard.mqtt.client import Loss, Outcome, Receipt, Session

PER_READ: Final = 128
IDLE_S: Final = 0.5
BUSY_S: Final = 0.05

UNREAD: Final = Order(topic="", payload=b"")
NO_V5: Final = "needs MQTT 5, and this connection to the broker speaks MQTT 3.1.1"
DOLLAR: Final = (
    "topics that begin with $ control the broker and are not published to; "
    "ALLOW_DOLLAR_PUBLISH=true on the bridge permits it"
)
SENT_BEFORE: Final = "it was being sent when the bridge ended; whether the broker got it is unknown"
LATE: Final = "its deadline passed before it could be sent"
LATE_SENT: Final = "it was sent, but not confirmed before its deadline"
SESSION_LOST: Final = "it was sent, and the broker did not keep the session that would tell"

log = logs.get(__name__)

_News = tuple[Literal["back", "received", "settled"], Held, Receipt | None]


class Orders:
    """The loop that executes durable commands; `turn` runs on a thread of its own."""

    def __init__(
        self,
        store: BridgeOrders,
        link: SendingLink,
        lease: Lease,
        session: SessionLog,
        clock: Clock,
        *,
        allow_dollar: bool,
        checkpoint: Callable[[str], None],
    ) -> None:
        self._store = store
        self._link = link
        self._lease = lease
        self._session = session
        self._clock = clock
        self._consumer = lease.instance
        self._allow_dollar = allow_dollar
        self._checkpoint = checkpoint
        self.continuity = Continuity(store, lease)
        self.continuity.fragile = self._fragile
        self.journal = Journal(store, checkpoint)
        self._courier = Courier(link, self.continuity, lease, clock)
        self._hand = Hand()
        self._news: deque[_News | Opened] = deque()
        self._epoch = 0
        self._cursor: str | None = BEGIN
        self._knows_all = False
        self._confirmed = 0

    # From other threads ----------------------------------------------------------------------
    def on_open(self, session: Session) -> None:
        """Note a new connection; called on the link's thread before anything is sent on it."""
        self._news.append(self.continuity.on_open(session))

    def on_closed(self, loss: Loss) -> None:
        """Note the end of a connection or of an attempt."""
        mark = self.continuity.not_reached() if loss.unreached else None
        if mark is not None:
            self.journal.add(self._epoch, Step("opened", mark))

    def _fragile(self) -> bool:
        unknown = not self._knows_all or self._epoch != self._lease.epoch
        return unknown or any(held.exactly_once for held in self._hand)

    # The loop --------------------------------------------------------------------------------
    def turn(self, wait: Callable[[float], bool]) -> None:
        """Read, send and settle once."""
        if not self._lease.held:
            self._begin(0)
            wait(0.2)
            return
        try:
            self._work(wait)
        except FencedError:
            self._begin(0)
            wait(0.2)
        except BusError as error:
            log.warning("orders.waiting", reason=error.reason)
            # An answer may have been lost, and with it commands that are ours now.
            self._cursor = BEGIN
            wait(0.5)

    def _work(self, wait: Callable[[float], bool]) -> None:
        if self._epoch != self._lease.epoch:
            self._begin(self._lease.epoch)
        while self._cursor is not None:
            self._adopt()
        self._hear()
        self._read(wait)
        self._hear()
        self._look()
        self._give_up()
        self._send()

    def _begin(self, epoch: int) -> None:
        self._epoch = epoch
        self._hand.clear()
        self._cursor = BEGIN
        self._knows_all = False

    def _adopt(self) -> None:
        """Take over a page of what a dead bridge, or an outage, left."""
        if self._cursor == BEGIN:
            self._store.prepare()
            self._hand.burnt = self._store.burnt()
        cursor, entries = self._store.adopt(self._consumer, self._cursor or BEGIN, PER_READ)
        self._checkpoint("adopted")
        known = [held for entry in entries if (held := self._judge(entry)) is not None]
        answers = self._take(known, commit=False) if known else []
        for held, taken in zip(known, answers, strict=True):
            if taken is not None:
                self._go_on(held, taken)
        self._cursor = None if cursor == BEGIN else cursor
        if self._cursor is None:
            self._knows_all = True
            self._store.forget_others(self._consumer)

    def _go_on(self, held: Held, taken: Taken) -> None:
        """Decide what a command that another reign has begun may still become."""
        held.due = self._clock.monotonic() + taken.left_s
        held.phase, held.packet_id = taken.phase, taken.packet_id
        held.may_be_out = taken.phase != ""
        self._hand.add(held)
        if held.may_be_out and held.order.mode == "at-most-once":
            self._finish(held, "indeterminate", SENT_BEFORE)

    def _read(self, wait: Callable[[float], bool]) -> None:
        room = min(self._hand.room(), PER_READ)
        if room <= 0:
            wait(BUSY_S)
            return
        block = BUSY_S if any(not held.out for held in self._hand) else IDLE_S
        try:
            entries = self._store.read(self._consumer, room, block)
        except BusError as error:
            if "NOGROUP" not in error.reason:
                raise
            # Redis came back without it.
            self._store.prepare()
            return
        if entries:
            self._checkpoint("read")
        for entry in entries:
            held = self._judge(entry)
            if held is not None:
                self._hand.add(held)

    def _judge(self, entry: Entry) -> Held | None:
        """Return the command of an entry, judged as if the dashboard had not; None if refused."""
        position = self._hand.position_of(entry.command_id)
        if position is not None:
            if position != entry.position:
                self.journal.add(self._epoch, Step("drop", position=entry.position))
            return None
        try:
            order = orders.unpack_order(entry.body or b"")
            self._check(order)
        except ContractError as error:
            held = Held(entry.command_id, entry.position, UNREAD, self._epoch)
            self._hand.add(held)
            self._finish(held, "failed", str(error))
            return None
        return Held(entry.command_id, entry.position, order, self._epoch)

    def _check(self, order: Order) -> None:
        orders.check(order)
        if order.topic.startswith("$") and not self._allow_dollar:
            raise ContractError(DOLLAR)

    def _hear(self) -> None:
        """Take what the link and the journal have said since, in the order it was said."""
        while self._news:
            news = self._news.popleft()
            if isinstance(news, Opened):
                self._on_opened(news)
                continue
            kind, held, receipt = news
            if not self._hand.holds(held):
                continue
            if kind == "settled":
                self._hand.drop(held)
            elif kind == "received":
                held.phase = "received"
            elif receipt is not None:
                self._on_back(held, receipt)

    def _on_opened(self, opened: Opened) -> None:
        if not opened.kept:
            for held in self._hand:
                if held.exactly_once and held.may_be_out and not held.out and not held.closed:
                    self._finish(held, "indeterminate", SESSION_LOST)
            self._hand.burnt.clear()
            self.journal.add(self._epoch, Step("lost"))
        # Only when the mark is gone may anything be sent that hangs on this session.
        step = Step("opened", opened.mark or "")
        self.journal.add(self._epoch, step, lambda: self._confirm(opened.number))

    def _confirm(self, number: int) -> None:
        self._confirmed = number

    def _on_back(self, held: Held, receipt: Receipt) -> None:
        """Keep a command that came back without a result, if it may be sent again."""
        held.out = False
        if receipt.unsent:
            if not held.order.patient and not held.may_be_out:
                self._finish(held, "failed", receipt.reason)
            return
        if receipt.outcome is Outcome.INDETERMINATE:
            held.may_be_out = True
        if receipt.outcome is Outcome.EXPIRED:
            held.due = self._clock.monotonic()

    def _look(self) -> None:
        """Read the records of what cannot be sent at once, to know how long it may wait."""
        if self._session.now.connected and self._lease.safe:
            return
        waiting = [held for held in self._hand if held.due is None and not held.closed]
        self._note(waiting, self._take(waiting, commit=False) if waiting else [])

    def _give_up(self) -> None:
        """End what is past its deadline; what the broker has may take longer."""
        now = self._clock.monotonic()
        connected = self._session.now.connected
        for held in self._hand:
            if held.out or held.closed:
                continue
            patience = LONGEST_RELEASE_S if held.phase == "received" else 0.0
            if held.due is not None and held.due + patience <= now:
                self._too_late(held)
            elif not connected and not held.order.patient and not held.may_be_out:
                self._finish(held, "failed", "not sent: not connected to the broker")

    def _too_late(self, held: Held) -> None:
        if not held.may_be_out:
            self._finish(held, "expired", LATE)
            return
        if held.exactly_once:
            # The broker may still wait for the rest of this exchange: the id must rest.
            self._hand.burnt.add(held.packet_id)
        self._finish(held, "indeterminate", LATE_SENT, burn=held.packet_id)

    def _send(self) -> None:
        if not self._lease.safe or not self._session.now.connected:
            return
        ready = [held for held in self._hand if self._sendable(held)]
        ready.sort(key=lambda held: (not held.may_be_out, held.order_key))
        for start in range(0, len(ready), PER_READ):
            batch = ready[start : start + PER_READ]
            self._note(batch, self._take(batch, commit=True))
            self._checkpoint("taken")
            for held in batch:
                if not self._in_time(held):
                    continue
                if not self._publish(held):
                    return

    def _sendable(self, held: Held) -> bool:
        if held.out or held.closed:
            return False
        if self.continuity.protocol != "5.0":
            if held.exactly_once:
                self._finish(held, "failed", f"exactly-once {NO_V5}")
                return False
            if held.order.properties is not None:
                self._finish(held, "failed", f"a message with properties {NO_V5}")
                return False
        if not held.exactly_once:
            return True
        if self._confirmed != self.continuity.opened:
            return False
        return held.packet_id != 0 or self._hand.give_packet_id(held)

    def _in_time(self, held: Held) -> bool:
        if not self._hand.holds(held) or held.closed:
            return False
        late = held.due is not None and held.due <= self._clock.monotonic()
        if late and held.phase != "received":
            self._too_late(held)
            return False
        return True

    def _take(self, batch: Sequence[Held], *, commit: bool) -> list[Taken | None]:
        keys = [(held.command_id, held.position, held.packet_id) for held in batch]
        return self._store.take(self._epoch, keys, commit=commit)

    def _note(self, batch: Sequence[Held], answers: Sequence[Taken | None]) -> None:
        now = self._clock.monotonic()
        for held, taken in zip(batch, answers, strict=True):
            if taken is None:
                self._hand.drop(held)
            else:
                held.due = now + taken.left_s

    def _publish(self, held: Held) -> bool:
        """Hand a command to the link; return False when the link takes no more for now."""
        held.out = True
        try:
            self._courier.send(held, self._confirmed, self._on_receipt, self._on_received)
        except (LinkError, QueueFullError) as error:
            self._on_back(held, Receipt(Outcome.FAILED, f"not sent: {error}", unsent=True))
            return False
        self._checkpoint("published")
        return True

    # On the link's thread --------------------------------------------------------------------
    def _on_received(self, held: Held) -> None:
        self._checkpoint("pubrec")

        def written() -> None:
            self._news.append(("received", held, None))
            self._link.release([held.packet_id])
            self._checkpoint("released")

        step = Step("received", held.command_id, held.position)
        self.journal.add(held.epoch, step, written)

    def _on_receipt(self, held: Held, receipt: Receipt) -> None:
        self._checkpoint(f"receipt-{receipt.outcome.value}")
        if receipt.outcome in {Outcome.ACKED, Outcome.SENT, Outcome.FAILED} and not receipt.unsent:
            self._finish(held, receipt.outcome.value, receipt.reason, receipt.code)
        elif receipt.outcome is Outcome.INDETERMINATE and held.order.mode == "at-most-once":
            self._finish(held, "indeterminate", receipt.reason)
        else:
            self._news.append(("back", held, receipt))

    def _finish(
        self,
        held: Held,
        state: CommandState,
        reason: str,
        code: int | None = None,
        *,
        burn: int = 0,
    ) -> None:
        """Let the one result of a command be written; then it leaves the hand."""
        held.closed = True
        topic, sha256 = orders.told_topic(held.order.topic)
        result = CommandResult(
            id=held.command_id,
            state=state,
            reason=reason,
            topic=topic,
            topic_sha256=sha256,
            mode=held.order.mode,
            qos=held.order.qos,
            timestamp=self._clock.now(),
            code=code,
        )
        step = Step("finish", held.command_id, held.position, result, burn)
        self.journal.add(held.epoch, step, lambda: self._news.append(("settled", held, None)))
