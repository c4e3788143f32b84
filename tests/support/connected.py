"""A link with a recorder behind it, as the tests of both links use it."""

import time

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt.client import (
    Incoming,
    LinkOptions,
    Outcome,
    Outgoing,
    Session,
    Wanted,
)
from mqtt_dashboard.mqtt.threaded_link import ThreadedLink
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.recorder import Receipts, Recorder

ODD_TOPICS = ["a b/c", "quote\"'/x", "/", "//", "ümläut/日本/🚆", "x" * 1000, "per.cent%20/\\"]


class Connected:
    """A running link with everything a test asks of it."""

    def __init__(self, kind: type[ThreadedLink], settings: LinkOptions) -> None:
        self.recorder = Recorder()
        self.link = kind(settings, self.recorder, SystemClock())

    def opened(self) -> Session:
        """Wait for CONNACK."""
        wait_for(lambda: self.recorder.sessions, f"connected {self.recorder.losses}")
        return self.recorder.sessions[-1]

    def subscribe(self, *wanted: Wanted) -> list[tuple[str, int | None, str | None]]:
        """Subscribe and wait for the answers."""
        before = len(self.recorder.granted)
        self.link.subscribe(list(wanted))
        wait_for(lambda: len(self.recorder.granted) >= before + len(wanted), "SUBACK")
        return self.recorder.granted[before:]

    def publish(self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False) -> Outcome:
        """Publish and wait for the receipt."""
        receipts = Receipts()
        deadline = time.monotonic() + 10
        self.link.publish(Outgoing(topic, payload, qos, retain, deadline, receipts))  # type: ignore[arg-type]
        return receipts.one().outcome

    def received(self, count: int) -> list[Incoming]:
        """Wait for so many messages."""
        wait_for(lambda: len(self.recorder.messages) >= count, f"{count} messages")
        return self.recorder.messages
