"""How many HTTP requests one user, or one address without a user, may send to this worker."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from mqtt_dashboard.dashboard.auth.addresses import bucket_of
from mqtt_dashboard.dashboard.auth.principal import TooManyError
from mqtt_dashboard.dashboard.counters import Counters


class RequestLimits:
    """A sliding window per bucket; the number of buckets is bounded, so memory is, too."""

    def __init__(self, per_minute: int, counters: Counters) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._counters = counters

    def count(self, kind: str, text: str) -> None:
        """Count a request of a user or an address; raise `TooManyError` when it is one too many."""
        bucket = bucket_of(kind, text)
        if self._limiter.hit(self._item, bucket):
            return
        self._counters.add("requests_refused", "too_many")
        reset = self._limiter.get_window_stats(self._item, bucket).reset_time
        wait = max(1, math.ceil(reset - time.time()))
        raise TooManyError(f"too many requests; {self._item.amount} a minute are allowed", wait)
