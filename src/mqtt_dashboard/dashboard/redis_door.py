"""Whether Redis lets anybody in; told in the log and on the page System, as long as it does."""

from collections.abc import Callable
from typing import Final

from mqtt_dashboard import logs
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.config import LOOPBACK, RedisSettings
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.errors import BusError

LOOK_EVERY_S: Final = 600.0
AGAIN_AFTER_S: Final = 10.0

_log = logs.get(__name__)


class RedisDoor:
    """Knocks without a password now and then.

    A client with a password is let in by a Redis that wants none, so the password alone proves
    nothing. Without one, on this machine only, an open Redis is what was asked for.
    """

    def __init__(
        self,
        settings: RedisSettings,
        lets_strangers_in: Callable[[RedisSettings], bool],
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._settings = settings
        self._lets_strangers_in = lets_strangers_in
        self._clock = clock
        self._counters = counters
        self._look_at = clock.monotonic()
        self.warning: str | None = None

    def look(self) -> None:
        """Knock when it is time to."""
        now = self._clock.monotonic()
        if now < self._look_at or not (self._settings.has_password or self._is_far()):
            return
        try:
            is_open = self._lets_strangers_in(self._settings)
        except BusError:
            self._counters.add("redis_errors", "redis_door")
            self._look_at = now + AGAIN_AFTER_S
            return
        self._look_at = now + LOOK_EVERY_S
        before, where = self.warning, self._settings.address
        self.warning = (
            f"Redis at {where} asks for no password: whoever reaches it reads and changes all"
            if is_open
            else None
        )
        if self.warning is not None and before is None:
            _log.warning("redis.open", reason=self.warning)

    def _is_far(self) -> bool:
        return self._settings.address.rpartition(":")[0] not in LOOPBACK
