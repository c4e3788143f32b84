"""What both links have in common: the calls of other threads, and one connection after another."""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Final

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.errors import LinkError
from mqtt_dashboard.logs import get
from mqtt_dashboard.mqtt import reasons
from mqtt_dashboard.mqtt.asking import Asking
from mqtt_dashboard.mqtt.client import LinkOptions, Listener, Loss, Outgoing, Wanted
from mqtt_dashboard.mqtt.liveness import Liveness
from mqtt_dashboard.mqtt.outbox import Outbox
from mqtt_dashboard.mqtt.socket_io import Waker

_log = get(__name__)

# So long a loop waits at most before it turns, and so is seen to live.
LONGEST_WAIT_S: Final = 10.0

_NORMAL: Final = 0x00
_WITH_WILL: Final = 0x04


def no_turn() -> None:
    """Tell nobody that the loop turned."""


class Conversation(ABC):
    """One connection. `ask` is for other threads, all else belongs to the link's thread.

    Nothing is read while the owner wants a pause, or while too much is unconfirmed. Then silence
    is no loss, and PINGREQ goes out by the keep alive only.
    """

    outbox: Outbox
    asking: Asking
    liveness: Liveness

    def __init__(self, clock: Clock, turned: Callable[[], None]) -> None:
        self.waker = Waker()
        self.clock = clock
        self.turned = turned
        self.paused = False
        self._pause_wanted = False
        self._actions: deque[Callable[[], None]] = deque()

    def ask(self, action: Callable[[], None]) -> None:
        """Let the link's thread do something at its next turn."""
        self._actions.append(action)
        self.waker.wake()

    def act(self) -> None:
        """Do what other threads asked for."""
        while self._actions:
            self._actions.popleft()()

    @property
    @abstractmethod
    def open(self) -> bool:
        """Tell whether the broker accepted the connection."""

    @property
    def asked(self) -> bool:
        """Tell whether another thread waits for its action."""
        return bool(self._actions)

    @abstractmethod
    def serve(self) -> Loss:
        """Run the connection to its end, then give everything back."""

    @abstractmethod
    def acknowledge(self, tokens: list[int]) -> None:
        """Acknowledge what is durable, in receive order."""

    @property
    @abstractmethod
    def crowded(self) -> bool:
        """Tell whether too much is unconfirmed to read more."""

    def pause(self, *, paused: bool) -> None:
        """Stop or resume reading."""
        self._pause_wanted = paused

    def regulate(self) -> None:
        """Decide whether to read at the next turn."""
        paused = self._pause_wanted or self.crowded
        if paused != self.paused:
            self.paused = paused
            now = self.clock.monotonic()
            self.liveness.pause(now, paused=paused)
            self.asking.pause(now, paused=paused)
            _log.debug("mqtt.reading", paused=paused, crowded=self.crowded)


class ThreadedLink(ABC):
    """One connection at a time; `run` may be called again when it has returned.

    ``turned`` is called at every turn of the loop, which takes `LONGEST_WAIT_S` at most.
    """

    def __init__(self, options: LinkOptions, listener: Listener, clock: Clock) -> None:
        self.options = options
        self.listener = listener
        self.clock = clock
        self.turned: Callable[[], None] = no_turn
        self._lock = threading.Lock()
        self._current: Conversation | None = None
        self._close_with: int | None = None

    def run(self) -> Loss:
        """Connect, serve until the connection ends, and return why. Calls the listener."""
        try:
            loss = self._run()
        except Exception as error:  # noqa: BLE001 - a thread must not die unseen
            _log.exception("mqtt.link_failed")
            loss = Loss(f"internal error of the link: {error!r}")
        self.listener.on_closed(loss)
        return loss

    def close(self, *, will: bool = False) -> None:
        """Say goodbye (flushing what was accepted) and make `run` return.

        Called while no `run` is active, it makes the next one return at once.
        """
        with self._lock:
            self._close_with = _WITH_WILL if will else _NORMAL
        current = self._current
        if current is not None:
            current.waker.wake()

    def subscribe(self, wanted: list[Wanted]) -> None:
        """Ask for filters; raise `LinkError` when there is no connection."""
        self._ask(lambda current: current.asking.subscribe(wanted, self.clock.monotonic()))

    def unsubscribe(self, filters: list[str]) -> None:
        """Give filters up; raise `LinkError` when there is no connection."""
        self._ask(lambda current: current.asking.unsubscribe(filters, self.clock.monotonic()))

    def publish(self, message: Outgoing) -> None:
        """Queue a message; raise `QueueFullError` or `LinkError` when it was not accepted."""
        current = self._current
        if current is None or not current.open:
            raise LinkError("not connected to the broker")
        current.outbox.accept(message)
        current.waker.wake()

    def release(self, packet_ids: list[int]) -> None:
        """Send PUBREL for messages whose ``on_received`` was called on this connection."""
        current = self._current
        if current is not None and packet_ids:
            current.outbox.release(packet_ids)
            current.waker.wake()

    def acknowledge(self, tokens: list[int]) -> None:
        """Acknowledge messages that are durable; those of an earlier connection are ignored."""
        current = self._current
        if current is not None and tokens:
            current.ask(lambda: current.acknowledge(tokens))

    def pause(self, *, paused: bool) -> None:
        """Stop or resume reading from the socket; a new connection begins unpaused."""
        current = self._current
        if current is not None:
            current.ask(lambda: current.pause(paused=paused))

    def _ask(self, action: Callable[[Conversation], None]) -> None:
        current = self._current
        if current is None or not current.open:
            raise LinkError("not connected to the broker")
        current.ask(lambda: action(current))

    @abstractmethod
    def _converse(self) -> "Conversation":
        """Connect; raise `LinkError` when there is nobody to talk to."""

    def _run(self) -> Loss:
        if self.take_close() is not None:
            return Loss(reasons.CLOSED_BY_US)
        try:
            conversation = self._converse()
        except LinkError as error:
            return Loss(error.reason, unreached=True)
        self._current = conversation
        try:
            return conversation.serve()
        finally:
            self._current = None

    def take_close(self) -> int | None:
        """Return the code to say goodbye with, once, after `close` was called."""
        with self._lock:
            code, self._close_with = self._close_with, None
        return code
