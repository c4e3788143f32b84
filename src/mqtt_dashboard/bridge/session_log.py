"""The MQTT session as others should see it: connected or not, since when, and why."""

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.messages import LinkState, StatusChange
from mqtt_dashboard.mqtt.client import Loss, Session

MAX_NEWS: Final = 200


@dataclass(frozen=True)
class SessionState:
    """The present state; ``since`` is Unix seconds."""

    state: LinkState
    reason: str
    since: float
    connects: int = 0
    session: Session | None = None

    @property
    def connected(self) -> bool:
        """Whether the MQTT session is up."""
        return self.state == "connected"


class SessionLog:
    """Keeps the state and the changes that were not announced yet. Any thread may call it."""

    def __init__(self, host: str, port: int, clock: Clock) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._lock = threading.Lock()
        self._news: deque[StatusChange] = deque(maxlen=MAX_NEWS)
        self.changed = threading.Event()
        self.status_due = threading.Event()
        self._state = SessionState("starting", "the bridge is starting", clock.now())

    @property
    def now(self) -> SessionState:
        """The present state."""
        return self._state

    def opened(self, session: Session) -> bool:
        """Note that the broker accepted the connection; tell whether it lost our session (P33)."""
        how = "resumed its session" if session.session_present else "opened a new session"
        reason = f"connected with MQTT {session.protocol}; the broker {how}"
        with self._lock:
            self._state = replace(self._state, connects=self._state.connects + 1, session=session)
            self._enter("connected", reason)
            return self._state.connects > 1 and not session.session_present

    def closed(self, loss: Loss) -> None:
        """Note that the connection ended or could not be made."""
        self.enter("disconnected", loss.reason)

    def enter(self, state: LinkState, reason: str) -> None:
        """Change the state; the same state and reason again are no news."""
        with self._lock:
            if (state, reason) != (self._state.state, self._state.reason):
                self._enter(state, reason)

    def take_news(self) -> StatusChange | None:
        """Return the oldest change that was not announced, or None."""
        with self._lock:
            self.changed.clear()
            return self._news.popleft() if self._news else None

    def return_news(self, change: StatusChange) -> None:
        """Put a change back that could not be announced."""
        with self._lock:
            if len(self._news) < MAX_NEWS:
                self._news.appendleft(change)

    def forget_news(self) -> None:
        """Forget changes nobody was told: those of a time when another bridge spoke."""
        with self._lock:
            self._news.clear()

    def _enter(self, state: LinkState, reason: str) -> None:
        now = self._clock.now()
        # A retry that fails again does not make the outage younger.
        since = self._state.since if state == self._state.state else now
        self._state = replace(self._state, state=state, reason=reason, since=since)
        self._news.append(
            StatusChange(
                connected=state == "connected",
                timestamp=now,
                reason=reason,
                state=state,
                host=self._host,
                port=self._port,
            )
        )
        self.changed.set()
        self.status_due.set()
