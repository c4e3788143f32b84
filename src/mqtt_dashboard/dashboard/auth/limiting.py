"""How much this worker takes in a minute: from one user, from one address, for one topic."""

import math
import time
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from mqtt_dashboard.dashboard.auth.addresses import bucket_of
from mqtt_dashboard.dashboard.auth.principal import TooManyError
from mqtt_dashboard.dashboard.counters import Counters

# What all users behind one address may send, as a multiple of what one may.
USERS_PER_ADDRESS: Final = 10


class Windows:
    """Sliding windows, one per bucket; the number of buckets is bounded, so memory is, too."""

    def __init__(self, counters: Counters) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._counters = counters

    def count(self, item: RateLimitItem, bucket: str, told: str) -> None:
        """Count something; raise `TooManyError`, which says what, when it is one too many."""
        if self._limiter.hit(item, bucket):
            return
        self._counters.add("requests_refused", "too_many")
        reset = self._limiter.get_window_stats(item, bucket).reset_time
        wait = max(1, math.ceil(reset - time.time()))
        raise TooManyError(f"{told}; {item.amount} a minute are allowed", wait)


class RequestLimits:
    """What may be sent: by a user, from an address, to a topic."""

    def __init__(self, per_minute: int, per_topic: int | None, counters: Counters) -> None:
        self._each = RateLimitItemPerMinute(per_minute)
        self._together = RateLimitItemPerMinute(per_minute * USERS_PER_ADDRESS)
        self._topic = RateLimitItemPerMinute(per_topic or per_minute)
        self._windows = Windows(counters)

    def count_address(self, address: str) -> None:
        """Count a request of nobody known; raise `TooManyError` when it is one too many."""
        self._windows.count(self._each, bucket_of("address", address), "too many requests")

    def count_user(self, name: str, address: str) -> None:
        """Count a request of a user, and with those of all users at the same address."""
        self._windows.count(self._each, bucket_of("user", name), "too many requests")
        where = bucket_of("address", address).replace("address", "users-at", 1)
        self._windows.count(self._together, where, "too many requests from your address")

    def count_topic(self, topic: str) -> None:
        """Count a publish, whoever sends it."""
        bucket = bucket_of("topic", topic)
        self._windows.count(self._topic, bucket, "too many publishes to this topic")
