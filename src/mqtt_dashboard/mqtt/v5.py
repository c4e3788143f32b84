"""The link for MQTT 5: what other threads call, and one connection after another.

The protocol is in `v5_session`, the waiting in `v5_loop`.
"""

import threading
from collections.abc import Callable
from typing import Final

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.errors import LinkError
from mqtt_dashboard.logs import get
from mqtt_dashboard.mqtt import reasons
from mqtt_dashboard.mqtt.client import LinkOptions, Listener, Loss, Outgoing, Wanted
from mqtt_dashboard.mqtt.packet_ids import PacketIds
from mqtt_dashboard.mqtt.socket_io import Outlet, open_socket
from mqtt_dashboard.mqtt.v5_loop import Loop
from mqtt_dashboard.mqtt.v5_session import V5Session

_log = get(__name__)

_NORMAL: Final = 0x00
_WITH_WILL: Final = 0x04


class V5Link:
    """One MQTT 5 connection at a time; `run` may be called again when it has returned."""

    def __init__(self, options: LinkOptions, listener: Listener, clock: Clock) -> None:
        self._options = options
        self._listener = listener
        self._clock = clock
        self._lock = threading.Lock()
        self._ids = PacketIds()
        self._connections = 0
        self._loop: Loop | None = None
        self._close_with: int | None = None

    def run(self) -> Loss:
        """Connect, serve until the connection ends, and return why. Calls the listener."""
        try:
            loss = self._run()
        except Exception as error:  # noqa: BLE001 - a thread must not die unseen
            _log.exception("mqtt.link_failed")
            loss = Loss(f"internal error of the link: {error!r}")
        self._listener.on_closed(loss)
        return loss

    def close(self, *, will: bool = False) -> None:
        """Say goodbye (flushing what was accepted) and make `run` return.

        Called while no `run` is active, it makes the next one return at once.
        """
        with self._lock:
            self._close_with = _WITH_WILL if will else _NORMAL
        loop = self._loop
        if loop is not None:
            loop.waker.wake()

    def subscribe(self, wanted: list[Wanted]) -> None:
        """Ask for filters; raise `LinkError` when there is no connection."""
        self._ask(lambda loop: loop.session.asking.subscribe(wanted, self._clock.monotonic()))

    def unsubscribe(self, filters: list[str]) -> None:
        """Give filters up; raise `LinkError` when there is no connection."""
        self._ask(lambda loop: loop.session.asking.unsubscribe(filters, self._clock.monotonic()))

    def publish(self, message: Outgoing) -> None:
        """Queue a message; raise `QueueFullError` or `LinkError` when it was not accepted."""
        loop = self._loop
        if loop is None or not loop.session.open:
            raise LinkError("not connected to the broker")
        loop.session.outbox.accept(message)
        loop.waker.wake()

    def acknowledge(self, tokens: list[int]) -> None:
        """Acknowledge messages that are durable; those of an earlier connection are ignored."""
        loop = self._loop
        if loop is not None and tokens:
            loop.ask(lambda: loop.session.acknowledge(tokens))

    def pause(self, *, paused: bool) -> None:
        """Stop or resume reading from the socket; a new connection begins unpaused."""
        loop = self._loop
        if loop is not None:
            loop.ask(lambda: loop.pause(paused=paused))

    def _ask(self, action: Callable[[Loop], None]) -> None:
        loop = self._loop
        if loop is None or not loop.session.open:
            raise LinkError("not connected to the broker")
        loop.ask(lambda: action(loop))

    def _run(self) -> Loss:
        if self._take_close() is not None:
            return Loss(reasons.CLOSED_BY_US)
        try:
            connection = open_socket(self._options)
        except LinkError as error:
            return Loss(error.reason)
        self._connections += 1
        outlet = Outlet(connection)
        session = V5Session(
            self._options,
            self._listener,
            self._clock,
            connection=self._connections,
            ids=self._ids,
            queue=outlet.add,
            send=outlet.send_now,
        )
        address = f"{self._options.host}:{self._options.port}"
        loop = Loop(connection, outlet, session, self._clock, self._take_close, address)
        self._loop = loop
        try:
            return loop.serve()
        finally:
            self._loop = None

    def _take_close(self) -> int | None:
        with self._lock:
            code, self._close_with = self._close_with, None
        return code
