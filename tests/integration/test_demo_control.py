"""The demo's control room answers who asks it, and nobody else."""

import json

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mqtt_dashboard import config
from mqtt_dashboard.config import MqttSettings
from mqtt_dashboard.embedded.demo_control import DemoControl
from tests.support.servers import Broker, wait_for
from tests.support.services import Device

# Response topics that get no answer: another's topic, and one it listens to itself.
ASKED_ELSEWHERE = ("elsewhere/x", "demo/requests/round")


def _ask(device: Device, topic: str, response: str | None, correlation: bytes = b"\x01") -> None:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if response is not None:
        properties.ResponseTopic = response
        properties.CorrelationData = correlation
    device.client.publish(topic, "how are they?", qos=1, properties=properties).wait_for_publish(5)


def test_a_request_gets_its_answer(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer goes to the response topic and bears the correlation data of the request."""
    monkeypatch.setenv("MQTT_BROKER_HOST", "127.0.0.1")
    monkeypatch.setenv("MQTT_BROKER_PORT", str(broker.port))
    control = DemoControl(config.load(MqttSettings))
    control.start()
    try:
        with Device(broker.port, topics=(*ASKED_ELSEWHERE, "demo/answers/#")) as device:

            def answered() -> bool:
                _ask(device, "demo/requests/state", "demo/answers/7", b"\xff\x00")
                return bool(device.heard("demo/answers/7"))

            wait_for(answered, "an answer")
            answer = next(one for one in device.received if one.topic == "demo/answers/7")
            assert getattr(answer.properties, "CorrelationData", None) == b"\xff\x00"
            assert json.loads(answer.payload)["asked"] == "how are they?"

            # It may have asked more than once: what comes after this answer is of the requests.
            _ask(device, "demo/requests/state", "demo/answers/start")
            wait_for(
                lambda: device.heard("demo/answers/start"), "the answers to what was asked twice"
            )
            _ask(device, "demo/requests/state", None)
            for elsewhere in ASKED_ELSEWHERE:
                _ask(device, "demo/requests/state", elsewhere)
            _ask(device, "demo/requests/state", "demo/answers/end")
            wait_for(lambda: device.heard("demo/answers/end"), "the last answer")
            topics = [one.topic for one in device.received]
            assert topics[topics.index("demo/answers/start") + 1 :] == ["demo/answers/end"]
    finally:
        control.stop()
