"""When to send PINGREQ, and when silence means that the broker is gone."""

from typing import Final

from mqtt_dashboard.mqtt import reasons
from mqtt_dashboard.mqtt.client import LinkOptions

SLOWEST_BYTES: Final = 1024


class Liveness:
    """Judges a connection by its last received and last sent byte, in monotonic seconds.

    A trickle of bytes is no life: a packet that comes at less than `SLOWEST_BYTES` a second for
    0.75 keep alives counts as silence, so that the loss is told within 1.5 of them. A large packet
    on a slow line is faster than that.
    """

    def __init__(self, options: LinkOptions, now: float) -> None:
        self.keepalive = float(options.keepalive)
        self._ping_after = options.ping_after
        self._answer_timeout = options.answer_timeout
        self._window = 0.75 * options.keepalive
        self._received = self._sent = self._begun = now
        self._partial = self._before = 0
        self._asked: float | None = None
        self._paused = False

    def received(self, now: float, *, whole: bool = True, partial: int = 0) -> None:
        """Note that bytes arrived: whatever they are, the broker lives.

        ``whole``: a packet is complete. ``partial``: so many bytes of the next one wait.
        """
        self._received = now
        self._asked = None
        self._partial = partial
        if whole or not partial:
            self._begun, self._before = now, 0

    def sent(self, now: float) -> None:
        """Note that bytes left."""
        self._sent = now

    def pause(self, now: float, *, paused: bool) -> None:
        """Stop judging silence while nobody listens; begin afresh afterwards."""
        if paused != self._paused:
            self._paused = paused
            self.received(now)

    def ping_due(self, now: float) -> bool:
        """Tell whether to ask the broker now; calling it means that PINGREQ is sent."""
        # A third of the keep alive, so that one lost turn of the loop does not cost the session.
        quiet = self.keepalive > 0 and now - self._sent >= self.keepalive / 3
        silent = not self._paused and self._asked is None
        silent = silent and now - self._received >= self._ping_after
        if not quiet and not silent:
            return False
        self._sent = now
        if not self._paused and self._asked is None:
            self._asked = now
        return True

    def lost(self, now: float) -> str | None:
        """Say why the connection counts as lost: an unanswered question, or a mere trickle."""
        if self._asked is not None and now - self._asked >= self._answer_timeout:
            return reasons.NO_ANSWER
        age = now - self._begun
        if not self._partial or self._paused or not 0 < self._window <= age:
            return None
        came = self._partial - self._before
        if came < SLOWEST_BYTES * age:
            return f"{reasons.TOO_SLOW}: {came} bytes of a packet in {age:.0f} s"
        self._begun, self._before = now, self._partial
        return None

    def next_deadline(self) -> float:
        """Return when to look again."""
        if self._asked is not None:
            return self._asked + self._answer_timeout
        ping = self._received + self._ping_after
        if self.keepalive <= 0:
            return ping if not self._paused else self._sent + 60.0
        quiet = self._sent + self.keepalive / 3
        return quiet if self._paused else min(ping, quiet)
