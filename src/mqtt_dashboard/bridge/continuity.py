"""Whether the broker kept the session that messages in flight belong to.

The broker says so in each CONNACK, but only once: a bridge that dies between a CONNACK and what it
writes down because of it would leave the next one to trust a session that is not the same. So a
mark is set in Redis before connecting and taken away when the answer was acted on; a mark that is
found set says that nobody knows.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bus.bridge_orders import BridgeOrders
from mqtt_dashboard.errors import BusError
from mqtt_dashboard.mqtt.client import Session

log = logs.get(__name__)


@dataclass(frozen=True)
class Opened:
    """A connection was opened; ``kept`` says whether exchanges of the one before go on.

    ``mark`` is to be taken away once that was acted on, None when none was set.
    """

    number: int
    kept: bool
    mark: str | None


class Continuity:
    """Belongs to the link's thread.

    ``fragile`` asks whether exchanges are open (or may be) that hang on the session.
    """

    def __init__(self, store: BridgeOrders, lease: Lease) -> None:
        self._store = store
        self._lease = lease
        self._consumer = lease.instance
        self._marks = 0
        self._mark: str | None = None
        self._unexamined = False
        self.opened = 0
        self.protocol: str | None = None
        self.fragile: Callable[[], bool] = lambda: True

    def may_connect(self) -> bool:
        """Set the mark if anything hangs on it; False when it cannot be set."""
        if self._mark is not None or not self.fragile():
            return True
        try:
            self._marks += 1
            mark = f"{self._consumer}:{self._marks}"
            found = self._store.opening(self._lease.epoch, mark)
        except BusError as error:
            log.warning("session.mark_failed", reason=error.reason)
            return False
        # What this process has heard itself is not forgotten.
        foreign = found is not None and found.partition(":")[0] != self._consumer
        self._unexamined = self._unexamined or foreign
        self._mark = mark
        return True

    def not_reached(self) -> str | None:
        """Return the mark of an attempt the broker never saw, if it may be taken away."""
        if self._unexamined:
            return None
        mark, self._mark = self._mark, None
        return mark

    def on_open(self, session: Session) -> Opened:
        """Give the connection its number and judge whether the session goes on."""
        self.opened += 1
        self.protocol = session.protocol
        kept = session.session_present and session.protocol == "5.0" and not self._unexamined
        mark, self._mark, self._unexamined = self._mark, None, False
        return Opened(self.opened, kept, mark)
