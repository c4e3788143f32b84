"""The bridge's ear: the listener of the link. Called on the link's thread, so nothing here waits.

Sorts messages into those the bridge reads itself (``$SYS``), those somebody watches, and those a
kept session still delivers though nobody wants them any more.
"""

from typing import Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.inbox import Inbox
from mqtt_dashboard.bridge.observer import Observer
from mqtt_dashboard.bridge.orders import Orders
from mqtt_dashboard.bridge.reconciler import Reconciler
from mqtt_dashboard.bridge.reporter import Reporter
from mqtt_dashboard.bridge.retained import RetainedWatch
from mqtt_dashboard.bridge.session_filters import CRAWL_IDENTIFIER
from mqtt_dashboard.bridge.session_log import SessionLog
from mqtt_dashboard.bridge.subscriptions import Subscriptions
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.errors import DashboardError
from mqtt_dashboard.mqtt.client import Incoming, Loss, Outgoing, Receipt, Session

FIRST_STATS_S = 1.0
BIRTH_DEADLINE_S = 10.0

log = logs.get(__name__)


class AnsweringLink(Protocol):
    """The part of a link that is needed here."""

    def acknowledge(self, tokens: list[int]) -> None:
        """Acknowledge messages that need not be kept."""

    def publish(self, message: Outgoing) -> None:
        """Queue a message."""


class Intake:
    """Takes what the link hears; see `Listener` for the contract."""

    def __init__(
        self,
        inbox: Inbox,
        observer: Observer,
        subscriptions: Subscriptions,
        session: SessionLog,
        clock: Clock,
    ) -> None:
        self._inbox = inbox
        self._observer = observer
        self._subscriptions = subscriptions
        self._session = session
        self._clock = clock
        self.last_message_at: float | None = None
        self.orders: Orders | None = None

    def wire(
        self,
        reconciler: Reconciler,
        link: AnsweringLink,
        reporter: Reporter,
        retained: RetainedWatch,
        status_topic: str | None,
    ) -> None:
        """Connect the parts that in turn need the link this listener belongs to."""
        self._reconciler = reconciler
        self._link = link
        self._reporter = reporter
        self._retained = retained
        self._status_topic = status_topic

    def on_open(self, session: Session) -> None:
        """Have every wanted filter asked for and say that the bridge is online."""
        # Before anything else: what is sent on this connection depends on it.
        if self.orders is not None:
            self.orders.on_open(session)
        self._observer.new_session(session)
        if self._session.opened(session):
            self._inbox.mark_gap("session_lost")
        self._reconciler.opened(session)
        self._retained.opened(session)
        self._say_online()
        for name in ("stats", "clients", "accounts"):
            self._reporter.hasten(name, FIRST_STATS_S)

    def on_messages(self, messages: list[Incoming]) -> None:
        """Sort the messages of one read and queue those that somebody watches."""
        now = self._clock.now()
        if self._reconciler.overlaps:
            messages = self._without_copies(messages)
        # What begins with "$" sorts before "%": most topics need no closer look.
        plain = [one for one in messages if one.topic > "%" or one.topic[:1] != "$"]
        watched = plain if self._subscriptions.takes_everything else self._only_wanted(plain)
        if len(plain) < len(messages):
            self._read_system(messages, watched)
        if watched:
            if self._reconciler.ear.listening:
                self._reconciler.ear.hear(watched)
            self.last_message_at = now
            self._inbox.offer(watched, now)

    def on_granted(self, topic_filter: str, qos: int | None, error: str | None) -> None:
        """Pass the broker's answer on."""
        self._reconciler.granted(topic_filter, qos, error)

    def on_malformed(self, reason: str) -> None:
        """Count a message that could not be read."""
        log.warning("mqtt.malformed", reason=reason)
        self._inbox.refuse("malformed")

    def on_too_large(self, size: int) -> None:
        """Count a message above ``MQTT_MAX_PACKET_SIZE``."""
        log.warning("mqtt.too_large", bytes=size)
        self._inbox.refuse("too_large")

    def on_closed(self, loss: Loss) -> None:
        """Note why the connection ended."""
        if self.orders is not None:
            self.orders.on_closed(loss)
        self._reconciler.closed()
        self._retained.closed()
        self._session.closed(loss)

    def _read_system(self, messages: list[Incoming], watched: list[Incoming]) -> None:
        """Read ``$`` topics; append to ``watched`` those that somebody watches."""
        for message in messages:
            if message.topic[:1] != "$":
                continue
            wanted = self._subscriptions.accepts(message.topic)
            self._retained.system(message, forwarded=wanted)
            self._observer.system(message)
            if wanted:
                watched.append(message)
            elif message.token:
                self._link.acknowledge([message.token])

    def _without_copies(self, messages: list[Incoming]) -> list[Incoming]:
        """Leave out what came a second time for another of the overlapping filters."""
        copies = [one for one in messages if one.identifiers and self._is_copy(one)]
        if not copies:
            return messages
        self._inbox.refuse("copy", len(copies))
        self._link.acknowledge([one.token for one in copies if one.token])
        left_out = {id(one) for one in copies}
        return [one for one in messages if id(one) not in left_out]

    def _is_copy(self, message: Incoming) -> bool:
        if message.identifiers == (CRAWL_IDENTIFIER,):
            return self._retained.asked_again(message)
        return self._reconciler.is_copy(message.topic, message.identifiers, message.qos)

    def _only_wanted(self, messages: list[Incoming]) -> list[Incoming]:
        accepts = self._subscriptions.accepts
        wanted = [message for message in messages if accepts(message.topic)]
        if len(wanted) < len(messages):
            # Not asked twice: what is wanted may change in between.
            kept = {id(message) for message in wanted}
            unwanted = [message for message in messages if id(message) not in kept]
            self._inbox.refuse("unwanted", len(unwanted))
            self._link.acknowledge([message.token for message in unwanted if message.token])
        return wanted

    def _say_online(self) -> None:
        if self._status_topic is None:
            return
        birth = Outgoing(
            topic=self._status_topic,
            payload=b"online",
            qos=1,
            retain=True,
            deadline=self._clock.monotonic() + BIRTH_DEADLINE_S,
            done=_note_birth,
        )
        try:
            self._link.publish(birth)
        except DashboardError as error:
            log.info("mqtt.no_birth", reason=str(error))


def _note_birth(receipt: Receipt) -> None:
    if receipt.code is not None and receipt.code >= 0x80:
        log.warning("mqtt.birth_refused", reason=receipt.reason)
