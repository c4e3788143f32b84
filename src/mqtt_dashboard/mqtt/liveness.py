"""When to send PINGREQ, and when silence means that the broker is gone."""

from typing import Final

from mqtt_dashboard.mqtt import reasons
from mqtt_dashboard.mqtt.client import LinkOptions

SLOWEST_BYTES: Final = 1024


class Liveness:
    """Judges a connection by its last received and last sent byte, in monotonic seconds.

    A trickle of bytes is no life: a packet that is not complete after 1.5 keep alives counts as
    silence, unless it comes at `SLOWEST_BYTES` a second or more (a large one on a slow line).
    """

    def __init__(self, options: LinkOptions, now: float) -> None:
        self.keepalive = float(options.keepalive)
        self._ping_after = options.ping_after
        self._answer_timeout = options.answer_timeout
        self._stall_after = 1.5 * options.keepalive
        self._received = self._sent = self._begun = now
        self._partial = 0
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
            self._begun = now

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
        stalled = self._partial and not self._paused and 0 < self._stall_after <= age
        if stalled and self._partial < SLOWEST_BYTES * age:
            return f"{reasons.TOO_SLOW}: {self._partial} bytes of a packet in {age:.0f} s"
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
