"""The loop behind the lease: renews it with the status, begins a reign, gives a lost one up.

What was received under a reign that another bridge has ended is not written under the next one:
by then that bridge has written newer messages. QoS 1 messages are not confirmed, so the broker
gives them to whoever holds the session.
"""

from collections.abc import Callable
from typing import Final, Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.faults import Faults
from mqtt_dashboard.bridge.inbox import Inbox
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bridge.session_log import SessionLog
from mqtt_dashboard.bridge.subscriptions import Subscriptions
from mqtt_dashboard.bus.bridge_store import BridgeStore
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.messages import BridgeStatus, LinkState
from mqtt_dashboard.errors import BusError

STATUS_EVERY_S: Final = 1.0
STANDBY_EVERY_S: Final = 0.25
RETRY_S: Final = 0.5

log = logs.get(__name__)


class ClosingLink(Protocol):
    """The part of a link that is needed here."""

    def close(self) -> None:
        """End the connection with a goodbye."""


class HeldFilters(Protocol):
    """The part of the reconciler that is needed here."""

    def restore(self) -> None:
        """Take over what an earlier bridge wrote down of the session. Raise `BusError`."""


class Reign:
    """`turn` is run by one thread; ``beat`` counts turns, ``trouble`` is what Redis said last."""

    def __init__(
        self,
        lease: Lease,
        session: SessionLog,
        inbox: Inbox,
        subscriptions: Subscriptions,
        store: BridgeStore,
        status: Callable[[], BridgeStatus],
        faults: Faults,
    ) -> None:
        self._lease = lease
        self._session = session
        self._inbox = inbox
        self._subscriptions = subscriptions
        self._store = store
        self._status = status
        self._faults = faults
        self._link: ClosingLink | None = None
        self._held: HeldFilters | None = None
        self._losses = 0
        self._unrestored = False
        self.beat = 0
        self.trouble: str | None = None

    def wire(self, link: ClosingLink, held: HeldFilters) -> None:
        """Connect the link, which asks here whether it may connect, and what it holds."""
        self._link, self._held = link, held

    @property
    def secure(self) -> bool:
        """Whether a new connection may be made: ours is the lease, and a loss is dealt with.

        Without the first a leader that is cut off from Redis would push the next one out of the
        broker again and again (P41); without the second it could mix old messages with new ones.
        And what the session holds must be known before its messages come.
        """
        dealt_with = self._losses == self._lease.losses and not self._unrestored
        return self._lease.safe and dealt_with

    def turn(self, wait: Callable[[float], bool]) -> None:
        """Keep the lease and the status fresh; a turn takes about a second."""
        self.beat += 1
        held = self._lease.held
        try:
            began = self._lease.renew(codec.encode(self._status()))
        except BusError as error:
            log.warning("redis.unreachable", reason=error.reason)
            self.trouble = error.reason
            if not held:
                self._session.enter("starting", f"waiting for Redis: {error.reason}")
            wait(RETRY_S)
            return
        self.trouble = None
        if lost := self._losses != self._lease.losses:
            self._give_up()
        if began:
            # The next turn follows at once: its status bears the new epoch.
            self._begin(anew=lost or not held)
            return
        if not self._lease.held:
            self._stand_by()
        elif self._unrestored:
            self._restore()
        # A change of the session is written at once, not at the next second.
        self._session.status_due.wait(STATUS_EVERY_S if self._lease.held else STANDBY_EVERY_S)
        self._session.status_due.clear()

    def _begin(self, *, anew: bool) -> None:
        """Begin a reign; not ``anew`` when only Redis has forgotten the one before."""
        log.info("lease.taken", epoch=self._lease.epoch, instance=self._lease.instance)
        if anew:
            self._session.forget_news()
        self._unrestored = True

    def _restore(self) -> None:
        """Read who wants what and what the broker holds; tried at every turn until it is known."""
        state: LinkState = "connecting"
        reason = "this bridge is the active one and connects"
        try:
            with self._faults.survived("session_book"):
                if self._held is not None:
                    self._held.restore()
            with self._faults.survived("subscriptions"):
                self._subscriptions.restore(self._store.load_subscriptions())
            self._unrestored = False
        except BusError as error:
            log.warning("bridge.restore_failed", reason=error.reason)
            state, reason = "starting", f"cannot read the filters from Redis: {error.reason}"
        if not self._session.now.connected:
            self._session.enter(state, reason)

    def _give_up(self) -> None:
        log.error("lease.lost", reason="another bridge has become the active one")
        self._inbox.discard("lease_lost")
        if self._link is not None:
            self._link.close()
        self._losses = self._lease.losses

    def _stand_by(self) -> None:
        reason = "another bridge is active with this prefix; this one waits to take over"
        self._session.enter("standby", reason)
        self._session.forget_news()
