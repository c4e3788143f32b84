"""Hears when a retained snapshot has ended: no topic came any more that had not come before.

The retain flag alone does not tell: with Retain As Published live messages bear it too, and where
devices publish retained it never stops. A snapshot brings each topic once.
"""

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.mqtt.client import Incoming

# One byte each. Topics that share a place only make the end come sooner, and a snapshot that fills
# them brings so many at a time that some are always new.
PLACES = 1 << 18


class SnapshotEar:
    """``listening`` while a snapshot comes in; `hear` is for the link's thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = bytearray()
        self.listening = False
        self.news_at = float("-inf")

    def begin(self) -> None:
        """Listen for a snapshot; one that is on its way goes on."""
        if not self.listening:
            self._seen = bytearray(PLACES)
            self.listening = True

    def end(self) -> None:
        """Stop listening."""
        self.listening = False
        self._seen = bytearray()

    def hear(self, messages: list[Incoming]) -> None:
        """Note whether messages bring a retained topic for the first time."""
        seen = self._seen
        if not seen:
            return
        news = False
        for message in messages:
            if message.retain:
                place = hash(message.topic) % PLACES
                news = news or not seen[place]
                seen[place] = 1
        if news:
            self.news_at = self._clock.monotonic()
