"""How much of what is written down one user may do in a minute, so that nobody pushes out others.

Each counted request is two entries of the audit record; what is refused as one too many is none.
"""

from typing import Final

from limits import RateLimitItemPerMinute

from mqtt_dashboard.dashboard.auth.addresses import bucket_of
from mqtt_dashboard.dashboard.auth.limiting import Windows
from mqtt_dashboard.dashboard.auth.principal import Principal
from mqtt_dashboard.dashboard.counters import Counters

# Sign-ins and changes of users, tokens, passwords and sessions.
DEEDS_PER_MINUTE: Final = 120


class Pace:
    """Two sliding windows per user (per address for nobody known), for this worker."""

    def __init__(self, publishes_per_minute: int, counters: Counters) -> None:
        self._publishes = RateLimitItemPerMinute(publishes_per_minute)
        self._deeds = RateLimitItemPerMinute(DEEDS_PER_MINUTE)
        self._windows = Windows(counters)

    def publish(self, who: Principal) -> None:
        """Count a publish; raise `TooManyError` when it is one too many."""
        bucket = bucket_of("publishes", who.visitor)
        self._windows.count(self._publishes, bucket, "too many publishes")

    def deed(self, who: Principal) -> None:
        """Count anything else that is written down; raise `TooManyError`."""
        bucket = bucket_of("deeds", who.visitor)
        self._windows.count(self._deeds, bucket, "too many of what is written down")
