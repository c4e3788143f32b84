"""What the bridge leaves in Redis for later: measurements, and which bridge it was."""

from mqtt_dashboard.bus.bridge_history import STEPS, BridgeHistory
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.history import Span, point
from mqtt_dashboard.contract.messages import StatsUpdate
from mqtt_dashboard.contract.system import BridgeAbout


class History:
    """Keeps each statistics document for an hour, and one a minute for a day."""

    def __init__(self, store: BridgeHistory, clock: Clock, about: BridgeAbout) -> None:
        self._store = store
        self._clock = clock
        self._about = about
        self._introduced: int | None = None
        self._kept_at: dict[Span, float] = {}

    def keep(self, epoch: int, update: StatsUpdate) -> None:
        """Store a measurement where one is due; raise `BusError` when Redis does not take it."""
        self.introduce(epoch)
        now = self._clock.monotonic()
        measured = point(update)
        for span, step in STEPS.items():
            # Half a second early counts as due: the reporter's own turns wander.
            if now - self._kept_at.get(span, float("-inf")) >= step - 0.5:
                self._store.keep_stats(epoch, span, measured)
                self._kept_at[span] = now

    def introduce(self, epoch: int) -> None:
        """Say once per reign which bridge this is."""
        if self._introduced != epoch:
            self._store.introduce(epoch, self._about)
            self._introduced = epoch
