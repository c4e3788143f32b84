"""The doctor's own MQTT client: connects beside the bridge, publishes and hears probe messages."""

import queue
import threading
import time
import uuid
from types import TracebackType
from typing import Self

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config import MqttSettings
from mqtt_dashboard.errors import LinkError
from mqtt_dashboard.mqtt.client import (
    Incoming,
    Link,
    LinkOptions,
    Loss,
    Outgoing,
    Receipt,
    Session,
    Wanted,
)
from mqtt_dashboard.mqtt.paho_link import PahoLink
from mqtt_dashboard.mqtt.v5 import V5Link

ANSWER_S = 5.0


class Probe:
    """A connection of its own under a random client id; a context manager."""

    def __init__(self, settings: MqttSettings) -> None:
        self._options = LinkOptions(
            host=settings.host,
            port=settings.port or 1883,
            client_id=f"mqtt-dashboard-doctor-{uuid.uuid4().hex[:8]}",
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            tls=settings.tls,
            transport=settings.transport,
            ws_path=settings.ws_path,
            ca_file=settings.ca_file,
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            session_expiry=0,
        )
        self._answers: queue.Queue[Session | Loss] = queue.Queue()
        self._granted: queue.Queue[str | None] = queue.Queue()
        self._heard: queue.Queue[Incoming] = queue.Queue(maxsize=1000)
        self._link: Link | None = None
        self.session: Session | None = None

    def __enter__(self) -> Self:
        """Connect with MQTT 5, else 3.1.1; raise `LinkError` with the broker's reason."""
        refused = "no MQTT version was tried"
        for kind in (V5Link, PahoLink):
            link = kind(self._options, self, SystemClock())
            threading.Thread(target=link.run, daemon=True, name="probe").start()
            answer = self._answers.get(timeout=3 * ANSWER_S)
            if isinstance(answer, Session):
                self._link, self.session = link, answer
                return self
            refused = answer.reason
            if not answer.version_refused:
                break
        raise LinkError(refused)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Say goodbye."""
        if self._link is not None:
            self._link.close()

    def subscribe(self, topic: str) -> str | None:
        """Subscribe and return the broker's refusal, None when it granted it."""
        assert self._link is not None
        self._link.subscribe([Wanted(topic, 1)])
        return self._granted.get(timeout=ANSWER_S)

    def publish(self, topic: str, payload: bytes) -> Receipt:
        """Publish with QoS 1 and return what the broker said."""
        assert self._link is not None
        receipts: queue.Queue[Receipt] = queue.Queue()
        deadline = time.monotonic() + ANSWER_S
        self._link.publish(Outgoing(topic, payload, 1, False, deadline, receipts.put))
        return receipts.get(timeout=2 * ANSWER_S)

    def heard(self, payload: bytes, timeout: float) -> bool:
        """Tell whether a message with this payload arrives in time."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            try:
                if self._heard.get(timeout=left).payload == payload:
                    return True
            except queue.Empty:
                return False
        return False

    def on_open(self, session: Session) -> None:
        """Note that the broker accepted the connection."""
        self._answers.put(session)

    def on_messages(self, messages: list[Incoming]) -> None:
        """Keep what arrives, up to a bound."""
        for message in messages:
            if not self._heard.full():
                self._heard.put_nowait(message)
        if self._link is not None:
            self._link.acknowledge([message.token for message in messages if message.token])

    def on_granted(self, topic_filter: str, qos: int | None, error: str | None) -> None:  # noqa: ARG002
        """Note the answer to the subscription."""
        self._granted.put(error)

    def on_malformed(self, reason: str) -> None:
        """Leave out what cannot be read: it is not the probe."""

    def on_too_large(self, size: int) -> None:
        """Nothing large is expected here."""

    def on_closed(self, loss: Loss) -> None:
        """Note that the connection ended or never came to be."""
        self._answers.put(loss)
