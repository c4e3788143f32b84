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
        with Device(broker.port, topics=("demo/answers/#", "elsewhere/#")) as device:

            def answered() -> bool:
                _ask(device, "demo/requests/state", "demo/answers/7", b"\xff\x00")
                return bool(device.heard("demo/answers/7"))

            wait_for(answered, "an answer")
            answer = next(one for one in device.received if one.topic == "demo/answers/7")
            assert getattr(answer.properties, "CorrelationData", None) == b"\xff\x00"
            assert json.loads(answer.payload)["asked"] == "how are they?"

            before = control.answered
            _ask(device, "demo/requests/state", None)
            _ask(device, "demo/requests/state", "elsewhere/x")
            _ask(device, "demo/requests/state", "demo/requests/round")
            _ask(device, "demo/requests/state", "demo/answers/end")
            wait_for(lambda: device.heard("demo/answers/end"), "the last answer")
            assert control.answered == before + 1
            assert not device.heard("elsewhere/x")
    finally:
        control.stop()
