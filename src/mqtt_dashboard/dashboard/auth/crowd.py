"""Who is behind each live socket of this worker; cuts those whose rights are gone.

Rights shrink by a number in Redis that grows; each worker reads it twice a second, so what was
revoked anywhere ends here within a second.
"""

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from mqtt_dashboard import logs
from mqtt_dashboard.bus.auth_store import AuthStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.auth.guard import check_role
from mqtt_dashboard.dashboard.auth.permissions import EVENTS
from mqtt_dashboard.dashboard.auth.principal import ForbiddenError, Principal, SignInError
from mqtt_dashboard.dashboard.auth.recognition import Recognition
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.errors import QueueFullError

LOOK_EVERY_S: Final = 0.5
# Also counts as use of the sessions whose pages are open, so that they do not go idle.
RECHECK_EVERY_S: Final = 20.0
# Live sockets of one user on one worker: many tabs, and no way to take all 2,000 places.
SOCKETS_EACH: Final = 64

_log = logs.get(__name__)


class Crowd:
    """Principals by socket."""

    def __init__(
        self,
        store: AuthStore,
        recognition: Recognition,
        clock: Clock,
        counters: Counters,
        auditor: Auditor,
        cut: Callable[[str], None],
        stopping: threading.Event,
    ) -> None:
        self._store = store
        self._recognition = recognition
        self._clock = clock
        self._counters = counters
        self._auditor = auditor
        self._cut = cut
        self._stopping = stopping
        self._members: dict[str, Principal] = {}
        self._version: int | None = None
        self._checked_at = clock.monotonic()

    def admit(self, sid: str, environ: dict[str, Any]) -> Principal:
        """Recognise who opened a socket and keep that; raise `SignInError` when nobody known.

        `QueueFullError` tells somebody that one's sockets are enough.
        """
        while True:
            version = self._version
            principal = self._recognition.of(environ)
            self._check_room(principal)
            self._members[sid] = principal
            # A check that ran in between may have missed this socket: then look again.
            if self._version == version:
                return principal

    def _check_room(self, principal: Principal) -> None:
        """Let nobody who signed in take all places; without sign-in nobody is told apart."""
        if principal.kind == "anonymous":
            return
        visitor = principal.visitor
        if sum(one.visitor == visitor for one in self._members.values()) >= SOCKETS_EACH:
            raise QueueFullError(f"{principal.name} has {SOCKETS_EACH} live sockets open already")

    def leave(self, sid: str) -> None:
        """Forget a socket."""
        self._members.pop(sid, None)

    def get(self, sid: str) -> Principal | None:
        """Return who is behind a socket, if anybody is."""
        return self._members.get(sid)

    def of(self, sid: str) -> Principal:
        """Return who is behind a socket; raise `SignInError` when nobody is any more."""
        principal = self._members.get(sid)
        if principal is None:
            raise SignInError("sign in first")
        return principal

    def require(self, sid: str, event: str) -> Principal:
        """Return who is behind a socket if that one may send an event."""
        principal = self.of(sid)
        permission = EVENTS.get(event)
        if permission is None:
            raise ForbiddenError("this event has no permission yet, so nobody may send it")
        check_role(principal, permission, f"event {event}", self._auditor)
        return principal

    def turn(self) -> None:
        """Look once whether rights have shrunk, then wait half a second."""
        if self._recognition.required:
            self._look()
        self._stopping.wait(LOOK_EVERY_S)

    def _look(self) -> None:
        version, now = self._store.version(), self._clock.monotonic()
        if version != self._version or now - self._checked_at >= RECHECK_EVERY_S:
            self._checked_at = now
            self._version = version
            self._recheck()
        wall = self._clock.now()
        for sid, principal in list(self._members.items()):
            if principal.expires_at is not None and principal.expires_at <= wall:
                self._end(sid, "expired")

    def _recheck(self) -> None:
        sockets: dict[Principal, list[str]] = defaultdict(list)
        for sid, principal in list(self._members.items()):
            sockets[principal].append(sid)
        for principal, sids in sockets.items():
            if self._recognition.again(principal) != principal:
                for sid in sids:
                    self._end(sid, "revoked")

    def _end(self, sid: str, reason: str) -> None:
        if self._members.pop(sid, None) is not None:
            self._counters.add("viewers_cut", reason)
            _log.info("viewer.cut", reason=reason)
            self._cut(sid)
