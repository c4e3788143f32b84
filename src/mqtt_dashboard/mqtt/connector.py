"""The one owner of reconnects: runs a link, waits, runs it again, in the version that works."""

import random
from collections.abc import Callable
from typing import Final, Literal, Protocol

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.logs import get
from mqtt_dashboard.mqtt import reasons
from mqtt_dashboard.mqtt.backoff import Backoff
from mqtt_dashboard.mqtt.client import (
    Incoming,
    LinkOptions,
    Listener,
    Loss,
    Outgoing,
    Session,
    Wanted,
)
from mqtt_dashboard.mqtt.paho_link import PahoLink
from mqtt_dashboard.mqtt.threaded_link import ThreadedLink, no_turn
from mqtt_dashboard.mqtt.v5 import V5Link

Version = Literal["5", "3.1.1"]

STANDBY_SECONDS: Final = 0.25
WAIT_STEP_SECONDS: Final = 5.0
SHORT_LIFE_SECONDS: Final = 10.0
SHORT_LIVES: Final = 2

_log = get(__name__)


class Stop(Protocol):
    """What `threading.Event` and `service.StopSignal` have in common."""

    def is_set(self) -> bool:
        """Tell whether to stop."""

    def wait(self, seconds: float, /) -> bool:
        """Wait at most so long; return True once asked to stop."""


class Connector:
    """Keeps a connection as long as ``may_connect`` allows it and ``stop`` is not set.

    To end: set ``stop``, then call `close`. A standby bridge's ``may_connect`` returns False.
    ``turned`` is called every few seconds as long as `run` does not hang.
    """

    def __init__(
        self,
        options: LinkOptions,
        listener: Listener,
        clock: Clock,
        *,
        protocol: Literal["auto", "5", "3.1.1"],
        stop: Stop,
        may_connect: Callable[[], bool],
        jitter: Callable[[], float] = random.random,
        turned: Callable[[], None] = no_turn,
    ) -> None:
        self._options = options
        self._clock = clock
        self._stop = stop
        self._may_connect = may_connect
        self._turned = turned
        self._watch = _Watch(listener, clock, options)
        self._backoff = Backoff(jitter)
        self._versions = _Versions(protocol)
        self._links: dict[Version, ThreadedLink] = {
            "5": V5Link(options, self._watch, clock),
            "3.1.1": PahoLink(options, self._watch, clock),
        }
        for link in self._links.values():
            link.turned = turned
        self._link = self._links[self._versions.current]

    def run(self) -> None:
        """Connect and reconnect until asked to stop."""
        while True:
            # Chosen before the stop is looked at: whoever sets it then closes this very link.
            self._link = self._links[self._versions.current]
            if self._stop.is_set():
                return
            if not self._may_connect():
                self._wait(STANDBY_SECONDS)
                continue
            loss, lived = self._attempt()
            self._wait(self._judge(loss, lived))

    def close(self, *, will: bool = False) -> None:
        """End the connection with a goodbye; `run` goes on unless it was asked to stop."""
        self._link.close(will=will)

    def subscribe(self, wanted: list[Wanted]) -> None:
        """Ask for filters; raise `LinkError` when there is no connection."""
        self._link.subscribe(wanted)

    def unsubscribe(self, filters: list[str]) -> None:
        """Give filters up; raise `LinkError` when there is no connection."""
        self._link.unsubscribe(filters)

    def publish(self, message: Outgoing) -> None:
        """Queue a message; raise `QueueFullError` or `LinkError` when it was not accepted."""
        self._link.publish(message)

    def release(self, packet_ids: list[int]) -> None:
        """Send PUBREL for messages whose ``on_received`` was called."""
        self._link.release(packet_ids)

    def acknowledge(self, tokens: list[int]) -> None:
        """Acknowledge messages that are durable, in receive order."""
        self._link.acknowledge(tokens)

    def pause(self, *, paused: bool) -> None:
        """Stop or resume reading from the socket."""
        self._link.pause(paused=paused)

    def _wait(self, seconds: float) -> None:
        """Wait, and show every few seconds that this is all it is."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0 and not self._stop.is_set():
            self._turned()
            self._stop.wait(min(left, WAIT_STEP_SECONDS))

    def _attempt(self) -> tuple[Loss, float | None]:
        self._watch.forget()
        _log.info("mqtt.connecting", **self._address(), protocol=self._versions.current)
        loss = self._link.run()
        loss = self._watch.loss or loss
        opened = self._watch.opened_at
        return loss, None if opened is None else self._clock.monotonic() - opened

    def _judge(self, loss: Loss, lived: float | None) -> float:
        """Log a loss in plain words and return the seconds to wait."""
        if loss.reason == reasons.CLOSED_BY_US:
            _log.info("mqtt.closed", **self._address())
            return 0.0
        if self._versions.learn(loss):
            protocol = self._versions.current
            _log.warning("mqtt.version_changed", protocol=protocol, reason=loss.reason)
            return 0.0
        delay = self._backoff.after(loss, lived)
        details = {**self._address(), "code": loss.code, "retry_in_s": round(delay, 1)}
        if loss.taken_over:
            told = loss.reason
            if loss.code is not None:
                told = f"another client uses the client id {self._options.client_id}"
            _log.error("mqtt.taken_over", reason=f"{told}; backing off", **details)
        elif loss.final:
            reason = f"{loss.reason}; this will not change until the settings do"
            _log.error("mqtt.refused", reason=reason, **details)
        else:
            _log.warning("mqtt.disconnected", reason=loss.reason, **details)
        return delay

    def _address(self) -> dict[str, str | int]:
        return {"host": self._options.host, "port": self._options.port}


class _Versions:
    """Which MQTT version to speak: 5 first, 3.1.1 when the broker refuses 5.

    A refusal in words is remembered. A broker that merely hangs up may be one that knows 3.1.1
    only, or one that is being restarted: 3.1.1 is tried, and 5 again at the next attempt.
    """

    def __init__(self, protocol: Literal["auto", "5", "3.1.1"]) -> None:
        self.current: Version = "3.1.1" if protocol == "3.1.1" else "5"
        self._fixed = protocol != "auto"
        self._known = False

    def learn(self, loss: Loss) -> bool:
        """Take a loss into account; return whether to try another version at once."""
        if self._fixed or self._known:
            return False
        if self.current == "5":
            if not loss.version_refused:
                return False
            self._known = loss.code is not None
            self.current = "3.1.1"
            return True
        self.current = "5"
        return False


class _Watch:
    """Notes when a connection was opened and how it ended; passes everything on to the owner.

    mosquitto 2.0 closes an overtaken connection without a word, at MQTT 5 as at 3.1.1. So one that
    is closed like that right after it was opened, twice in a row, is taken for a take-over.
    """

    def __init__(self, listener: Listener, clock: Clock, options: LinkOptions) -> None:
        self.opened_at: float | None = None
        self.loss: Loss | None = None
        self._short_lives = 0
        self._listener = listener
        self._clock = clock
        self._options = options

    def forget(self) -> None:
        """Begin a new attempt."""
        self.opened_at = None
        self.loss = None

    def on_open(self, session: Session) -> None:
        """Note the time and the session."""
        self.opened_at = self._clock.monotonic()
        _log.info(
            "mqtt.connected",
            host=self._options.host,
            port=self._options.port,
            protocol=session.protocol,
            session_present=session.session_present,
        )
        self._listener.on_open(session)

    def on_messages(self, messages: list[Incoming]) -> None:
        """Pass a batch on."""
        self._listener.on_messages(messages)

    def on_granted(self, topic_filter: str, qos: int | None, error: str | None) -> None:
        """Pass the answer to a subscription on."""
        if error is not None:
            _log.warning("mqtt.subscription_refused", filter=topic_filter, reason=error)
        self._listener.on_granted(topic_filter, qos, error)

    def on_malformed(self, reason: str) -> None:
        """Pass on that a message was left out."""
        self._listener.on_malformed(reason)

    def on_too_large(self, size: int) -> None:
        """Pass it on."""
        self._listener.on_too_large(size)

    def on_closed(self, loss: Loss) -> None:
        """Pass a loss on, recognised as a take-over where the broker did not say so."""
        self.loss = self._recognised(loss)
        self._listener.on_closed(self.loss)

    def _recognised(self, loss: Loss) -> Loss:
        lived = None if self.opened_at is None else self._clock.monotonic() - self.opened_at
        dropped = lived is not None and lived < SHORT_LIFE_SECONDS and loss.reason == reasons.GONE
        self._short_lives = self._short_lives + 1 if dropped else 0
        if self._short_lives < SHORT_LIVES:
            return loss
        client_id = self._options.client_id
        return Loss(
            f"{reasons.GONE} again right after it was opened: probably another client uses the "
            f"client id {client_id}",
            taken_over=True,
        )
