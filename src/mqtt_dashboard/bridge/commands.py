"""Commands from Redis: read, judged again, executed, answered. Nothing here blocks on the broker.

The dashboard has validated a command before; the bridge does it again, because whoever reaches
Redis can write to the channel.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.counts import Counts
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bridge.subscriptions import Subscriptions
from mqtt_dashboard.bus.bridge_store import BridgeStore, CommandFeed
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import codec, topics
from mqtt_dashboard.contract.commands import (
    Command,
    CommandReply,
    CommandState,
    PublishCommand,
    SubscribeCommand,
    UnsubscribeCommand,
)
from mqtt_dashboard.contract.policy import command_refusal
from mqtt_dashboard.errors import BusError, ContractError, DashboardError
from mqtt_dashboard.mqtt.client import Outgoing, Receipt

DEFAULT_DEADLINE_S: Final = 10.0
MAX_REPLIES: Final = 10_000
PING_EVERY_S: Final = 2.0

log = logs.get(__name__)


class PublishingLink(Protocol):
    """The part of a link that is needed here."""

    def publish(self, message: Outgoing) -> None:
        """Queue a message."""


class Replies:
    """Results on their way to Redis, written by a loop of their own."""

    def __init__(self, store: BridgeStore) -> None:
        self._store = store
        self._ready = threading.Condition()
        self._waiting: deque[CommandReply] = deque(maxlen=MAX_REPLIES)
        self.lost = 0

    def add(self, reply: CommandReply) -> None:
        """Queue a result; the oldest is given up, and counted, when too many wait."""
        with self._ready:
            if len(self._waiting) == MAX_REPLIES:
                self.lost += 1
            self._waiting.append(reply)
            self._ready.notify()

    def turn(self, wait: Callable[[float], bool]) -> None:
        """Write one result."""
        with self._ready:
            if not self._waiting:
                self._ready.wait(0.5)
            if not self._waiting:
                return
            reply = self._waiting.popleft()
        try:
            self._store.reply(reply)
        except BusError as error:
            log.warning("command.reply_lost", id=reply.id, reason=error.reason)
            with self._ready:
                self.lost += 1
            wait(0.1)


class Commands:
    """Executes commands; `turn` is the loop that listens for them."""

    def __init__(
        self,
        store: BridgeStore,
        link: PublishingLink,
        subscriptions: Subscriptions,
        lease: Lease,
        replies: Replies,
        clock: Clock,
        filters_changed: Callable[[], None],
        *,
        allow_dollar: bool,
        allow_publish: bool,
    ) -> None:
        self._store = store
        self._link = link
        self._subscriptions = subscriptions
        self._lease = lease
        self._replies = replies
        self._clock = clock
        self._filters_changed = filters_changed
        self._allow_dollar = allow_dollar
        self._allow_publish = allow_publish
        self._feed: CommandFeed | None = None
        self._pinged = float("-inf")
        self._counts = Counts()

    def counts(self) -> Counter[str]:
        """Return how many commands ended how, and how many results were lost on their way."""
        counts = self._counts.all()
        if self._replies.lost:
            counts["reply_lost"] = self._replies.lost
        return counts

    def turn(self, wait: Callable[[float], bool]) -> None:
        """Wait up to a second for one command and execute it."""
        if not self._lease.held:
            self.close()
            wait(0.2)
            return
        try:
            document = self._next()
        except BusError as error:
            log.warning("command.feed_lost", reason=error.reason)
            self.close()
            wait(0.5)
            return
        if document is not None:
            self.handle(document)

    def close(self) -> None:
        """Stop listening; for the thread that listens (P06)."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None

    def handle(self, document: bytes) -> None:
        """Execute one document of the command channel."""
        try:
            command = codec.decode_command(document)
        except ContractError as error:
            self._counts.add("refused")
            log.warning("command.refused", reason=str(error), size=len(document))
            return
        try:
            self._execute(command)
        except DashboardError as error:
            log.warning("command.failed", command=type(command).__name__, reason=str(error))
            if isinstance(command, PublishCommand):
                self._finish(command, "failed", str(error))
            else:
                self._counts.add("failed")

    def _next(self) -> bytes | None:
        if self._feed is None:
            self._feed = self._store.listen()
            self._feed.open()
            self._pinged = self._clock.monotonic()
        elif self._clock.monotonic() - self._pinged > PING_EVERY_S:
            # A subscriber hears nothing from a frozen Redis; only an unanswered PING tells.
            if not self._feed.answered:
                raise BusError("Redis does not answer on the command channel")
            self._feed.ping()
            self._pinged = self._clock.monotonic()
        return self._feed.next(timeout=0.5)

    def _execute(self, command: Command) -> None:
        if not self._lease.safe:
            raise ContractError("this bridge may have lost its lease; the command was not executed")
        if isinstance(command, PublishCommand):
            self._publish(command)
        elif isinstance(command, SubscribeCommand):
            self._subscribe(command)
        else:
            self._unsubscribe(command)

    def _publish(self, command: PublishCommand) -> None:
        if not self._allow_publish:
            raise ContractError("publishing over this channel is switched off (COMMAND_CHANNEL)")
        topics.check_topic(command.topic)
        refusal = command_refusal(command.policy, command.topic)
        if refusal is not None:
            raise ContractError(refusal)
        if command.topic.startswith("$") and not self._allow_dollar:
            raise ContractError(
                "topics that begin with $ control the broker and are not published to; "
                "ALLOW_DOLLAR_PUBLISH=true on the bridge permits it"
            )
        payload = codec.text_to_payload(command.payload, command.encoding)
        remaining = DEFAULT_DEADLINE_S
        if command.deadline is not None:
            remaining = command.deadline - self._clock.now()
            if remaining <= 0:
                self._finish(command, "expired", "the deadline had passed before it was sent")
                return

        def done(receipt: Receipt) -> None:
            self._finish(command, receipt.outcome.value, receipt.reason, receipt.code)

        self._link.publish(
            Outgoing(
                topic=command.topic,
                payload=payload,
                qos=command.qos,
                retain=command.retain,
                deadline=self._clock.monotonic() + remaining,
                done=done,
            )
        )

    def _subscribe(self, command: SubscribeCommand) -> None:
        if command.topic.startswith("$share/"):
            raise ContractError("a shared subscription cannot be watched")
        until = self._clock.now() + command.ttl_s
        wanted = self._subscriptions.want(command.topic, command.qos, command.owner, until)
        self._filters_changed()
        self._store.store_subscription(wanted)
        self._counts.add("executed")

    def _unsubscribe(self, command: UnsubscribeCommand) -> None:
        topics.check_filter(command.topic)
        left = self._subscriptions.unwant(command.topic, command.owner)
        self._filters_changed()
        if left is None:
            self._store.forget_subscription(command.topic)
        else:
            self._store.store_subscription(left)
        self._counts.add("executed")

    def _finish(
        self, command: PublishCommand, state: CommandState, reason: str, code: int | None = None
    ) -> None:
        self._counts.add("executed" if state in {"acked", "sent"} else state)
        if command.id is not None:
            self._replies.add(
                CommandReply(
                    id=command.id,
                    state=state,
                    reason=reason,
                    code=code,
                    timestamp=self._clock.now(),
                )
            )
