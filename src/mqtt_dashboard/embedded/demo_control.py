"""A second invented client: it listens to the demo's machines and answers requests.

With it the page has a client with filters to show, and the request console somebody to ask:
a request to ``demo/requests/...`` with a response topic (MQTT 5.0, 4.10) gets an answer.
"""

from typing import Final

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mqtt_dashboard.config import MqttSettings
from mqtt_dashboard.embedded.demo_traffic import ROOT, sign_in

CLIENT_ID: Final = "demo-control"
REQUESTS: Final = f"{ROOT}/requests/#"
FILTERS: Final = ((REQUESTS, 1), (f"{ROOT}/machines/+/state", 1), (f"{ROOT}/status", 0))
# The demo's own topics, and where the page of this dashboard expects replies.
ANSWERED: Final = (f"{ROOT}/", "mqtt-dashboard/reply")
MAX_ANSWER_BYTES: Final = 4096


class DemoControl:
    """The control room's connection to a broker; MQTT 5 only, for the properties of requests."""

    def __init__(self, settings: MqttSettings) -> None:
        assert settings.port is not None
        self._host, self._port = settings.host, settings.port
        self.answered = 0
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=CLIENT_ID, protocol=paho.MQTTv5
        )
        sign_in(self.client, settings)

    def start(self) -> None:
        """Connect in the background; a lost broker is tried again."""
        self.client.on_connect = self._subscribe
        self.client.message_callback_add(REQUESTS, self._answer)
        self.client.connect_async(self._host, self._port, keepalive=60)
        self.client.loop_start()

    def stop(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()

    def _subscribe(
        self, client: paho.Client, _data: object, _flags: object, reason: object, _: object
    ) -> None:
        if reason == 0:
            client.subscribe(list(FILTERS))

    def _answer(self, client: paho.Client, _data: object, request: paho.MQTTMessage) -> None:
        to = getattr(request.properties, "ResponseTopic", None)
        # An answer to the topic it listens to would go round for ever.
        if not to or not to.startswith(ANSWERED) or to.startswith(f"{ROOT}/requests"):
            return
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/json"
        correlation = getattr(request.properties, "CorrelationData", None)
        if correlation is not None:
            properties.CorrelationData = correlation
        document = {
            "to": request.topic,
            "asked": request.payload[:MAX_ANSWER_BYTES].decode(errors="replace"),
            "answer": "all machines are where they should be",
        }
        client.publish(to, msgspec.json.encode(document), request.qos, properties=properties)
        self.answered += 1
