"""Asks the broker's own API for its clients, on a thread of its own that may be slow or fail."""

from collections.abc import Callable
from typing import Final

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.clients import Clients
from mqtt_dashboard.bridge.emqx_api import ApiError, EmqxApi
from mqtt_dashboard.bridge.faults import Faults
from mqtt_dashboard.clock import Clock

EVERY_S: Final = 30.0
IDLE_S: Final = 0.5
SOURCE: Final = "EMQX's REST API"

log = logs.get(__name__)


class ClientPoller:
    """One round of the API every 30 s while the bridge is connected; `turn` is its loop."""

    def __init__(
        self,
        api: EmqxApi,
        clients: Clients,
        connected: Callable[[], bool],
        clock: Clock,
        faults: Faults | None = None,
    ) -> None:
        self.problem: str | None = None
        self._faults = faults or Faults()
        self._api = api
        self._clients = clients
        self._connected = connected
        self._clock = clock

    def turn(self, wait: Callable[[float], bool]) -> None:
        """Ask once, then wait."""
        if not self._connected():
            wait(IDLE_S)
            return
        problem: str | None = "EMQX's API sends what this bridge cannot use; its log says more"
        with self._faults.survived("client_list"):
            problem = self._ask(wait)
        if problem is not None and problem != self.problem:
            log.warning("clients.api_failed", reason=problem)
        self.problem = problem
        wait(EVERY_S)

    def _ask(self, wait: Callable[[float], bool]) -> str | None:
        """Take the list of clients; return what was wrong."""
        began = self._clock.now()
        try:
            listing = self._api.listing(wait)
        except ApiError as error:
            return str(error)
        if self._connected():
            self._clients.take_list(SOURCE, listing.clients, whole=listing.whole, now=began)
        return None
