"""When to send PINGREQ, and when silence means that the broker is gone."""

from mqtt_dashboard.mqtt.client import LinkOptions


class Liveness:
    """Judges a connection by its last received and last sent byte, in monotonic seconds."""

    def __init__(self, options: LinkOptions, now: float) -> None:
        self.keepalive = float(options.keepalive)
        self._ping_after = options.ping_after
        self._answer_timeout = options.answer_timeout
        self._received = self._sent = now
        self._asked: float | None = None
        self._paused = False

    def received(self, now: float) -> None:
        """Note that bytes arrived: whatever they are, the broker lives."""
        self._received = now
        self._asked = None

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

    def lost(self, now: float) -> bool:
        """Tell whether the broker let a question go unanswered for too long."""
        return self._asked is not None and now - self._asked >= self._answer_timeout

    def next_deadline(self) -> float:
        """Return when to look again."""
        if self._asked is not None:
            return self._asked + self._answer_timeout
        ping = self._received + self._ping_after
        if self.keepalive <= 0:
            return ping if not self._paused else self._sent + 60.0
        quiet = self._sent + self.keepalive / 3
        return quiet if self._paused else min(ping, quiet)
