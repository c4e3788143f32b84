"""Waits for the socket, the timers and other threads, and feeds the session; never works itself.

While much or often something comes the loop naps before it reads: the broker wakes nobody for each
packet, and what comes is written to Redis in larger batches. A message on a quiet connection is
handed over at once.
"""

import contextlib
import select
import time
from collections.abc import Callable
from typing import Final

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.mqtt import reasons, v5_packets
from mqtt_dashboard.mqtt.client import Loss
from mqtt_dashboard.mqtt.reasons import BrokerError, EndedError
from mqtt_dashboard.mqtt.socket_io import Inlet, Outlet, Stream, confirm, hang_up
from mqtt_dashboard.mqtt.sockets import READ_BYTES
from mqtt_dashboard.mqtt.threaded_link import LONGEST_WAIT_S, Conversation
from mqtt_dashboard.mqtt.v5_session import V5Session

# Together they say what dense is: four megabytes a second.
NAP_SECONDS: Final = 0.004
DENSE_BYTES: Final = 16 * 1024
# Reads that follow one another so quickly, however little they bring, are joined by a short nap.
OFTEN_SECONDS: Final = 0.0015
SHORT_NAP_SECONDS: Final = 0.001
CLOSE_SECONDS: Final = 1.0

_FAULT: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL


def nap_after(count: int, seconds: float) -> float:
    """Return how long to nap after a read of ``count`` bytes, ``seconds`` after the one before."""
    if count >= READ_BYTES:
        return 0.0  # a full buffer means a backlog: there is nothing to wait for
    if count >= DENSE_BYTES:
        return NAP_SECONDS
    return SHORT_NAP_SECONDS if seconds < OFTEN_SECONDS else 0.0


class Loop(Conversation):
    """One connection from CONNECT to the last byte."""

    def __init__(
        self,
        connection: Stream,
        outlet: Outlet,
        session: V5Session,
        clock: Clock,
        take_close: Callable[[], int | None],
        address: str,
        turned: Callable[[], None],
    ) -> None:
        super().__init__(clock, turned)
        self.session = session
        self.liveness = session.liveness
        self.outbox = session.outbox
        self.asking = session.asking
        self._socket = connection
        self._inlet = Inlet(connection)
        self._outlet = outlet
        self._take_close = take_close
        self._address = address
        self._poll = select.poll()
        self._nap_s = 0.0
        self._read_at = float("-inf")

    @property
    def open(self) -> bool:
        """Tell whether the broker accepted the connection."""
        return self.session.open

    def acknowledge(self, tokens: list[int]) -> None:
        """Acknowledge what is durable, in receive order."""
        self.session.acknowledge(tokens)

    @property
    def crowded(self) -> bool:
        """Tell whether too much is unconfirmed to read more."""
        return self.session.crowded

    def serve(self) -> Loss:
        """Run the connection to its end, then give everything back."""
        loss = Loss("the link ended without a reason")
        try:
            loss, code = self._until_end()
            if code is not None:
                self._outlet.add(v5_packets.disconnect(code))
                with contextlib.suppress(OSError):
                    self._outlet.flush()
                hang_up(self._socket)
            return loss
        finally:
            self._socket.close()
            self.waker.close()
            self.session.outbox.close(loss.reason, self.clock.monotonic())

    def _until_end(self) -> tuple[Loss, int | None]:
        """Return the loss, and the reason code to say goodbye with if there is anyone to hear."""
        try:
            self._poll.register(self.waker.fileno(), select.POLLIN)
            self.session.greet()
            closing, give_up = self._take_close(), self.clock.monotonic() + CLOSE_SECONDS
            while closing is None:
                self._turn()
                closing, give_up = self._take_close(), self.clock.monotonic() + CLOSE_SECONDS
            while self.session.open and self._busy() and self.clock.monotonic() < give_up:
                self._turn(at_most=give_up)
        except EndedError as ended:
            return ended.loss, None
        except BrokerError as mistake:
            return Loss(mistake.reason, mistake.code), mistake.code
        except OSError as error:
            return self._network_loss(error), None
        return Loss(reasons.CLOSED_BY_US), closing

    def _turn(self, at_most: float | None = None) -> None:
        session = self.session
        self.turned()
        napping = self._nap_s > 0
        if napping:
            time.sleep(self._nap_s)
        now = self.clock.monotonic()
        until = session.next_deadline()
        if at_most is not None:
            until = min(until, at_most)
        readable = self._wait(0.0 if napping or self.asked else until - now)
        self.act()
        self.regulate()
        # While paused the socket is only watched for its end.
        if readable:
            self._read()
        else:
            self._nap_s = 0.0
        self._flush()
        session.tick(self.clock.monotonic())
        self._flush()

    def _flush(self) -> None:
        if not self._outlet.idle:
            self.session.liveness.sent(self.clock.monotonic())
            self._outlet.flush()

    def _wait(self, seconds: float) -> bool:
        """Wait for the socket, another thread or the time; tell whether to read."""
        wanted = 0 if self.paused else select.POLLIN
        if not self._outlet.idle:
            wanted |= select.POLLOUT
        self._poll.register(self._socket, wanted)
        if self._inlet.pending and not self.paused:
            return True
        readable = False
        for descriptor, event in self._poll.poll(max(0.0, min(seconds, LONGEST_WAIT_S)) * 1000):
            if descriptor == self._socket.fileno():
                readable = bool(event & (select.POLLIN | _FAULT))
            else:
                self.waker.clear()
        return readable

    def _read(self) -> None:
        count = self._inlet.read(self.session.take)
        if count is None:
            raise EndedError(self._closed())
        now = self.clock.monotonic()
        self._nap_s = nap_after(count, now - self._read_at)
        self._read_at = now
        if 0 < count < DENSE_BYTES:
            confirm(self._socket)
        if count:
            skipped = self.session.skipped
            self.session.liveness.received(
                now,
                whole=self._inlet.advanced and not skipped,
                partial=self._inlet.waiting + skipped,
            )

    def _busy(self) -> bool:
        return self.asked or not self._outlet.idle or not self.session.outbox.empty

    def _closed(self) -> Loss:
        if self.session.open:
            return Loss(reasons.GONE)
        # Brokers that know only MQTT 3.1.1 may hang up at the sight of a CONNECT of MQTT 5.
        reason = f"{reasons.GONE} before it answered"
        return Loss(reason, version_refused=not self.session.touched)

    def _network_loss(self, error: OSError) -> Loss:
        if isinstance(error, ConnectionError) and not self.session.open:
            return self._closed()
        return Loss(reasons.network_error(error, self._address))
