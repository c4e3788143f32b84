"""MQTT_URL and what it does to the other settings."""

import pytest

from mqtt_dashboard import config
from mqtt_dashboard.bridge.link_settings import link_options
from mqtt_dashboard.errors import ConfigError


def load(**environ: str) -> config.MqttSettings:
    return config.load(config.MqttSettings, environ)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://h", ("h", 1883, "tcp", False, "/mqtt")),
        ("mqtts://h", ("h", 8883, "tcp", True, "/mqtt")),
        ("tcp://h:1", ("h", 1, "tcp", False, "/mqtt")),
        ("mqtt://h/ignored", ("h", 1883, "tcp", False, "/mqtt")),
        ("ws://h", ("h", 80, "websockets", False, "/mqtt")),
        ("wss://h", ("h", 443, "websockets", True, "/mqtt")),
        ("ws://h:9001/", ("h", 9001, "websockets", False, "/")),
        ("wss://[::1]:8084/a/b?token=1", ("::1", 8084, "websockets", True, "/a/b?token=1")),
    ],
)
def test_a_url_sets_everything(url: str, expected: tuple[object, ...]) -> None:
    """Scheme, host, port and path reach the link."""
    mqtt = load(MQTT_URL=url)
    link = link_options(mqtt, mqtt.port or 0)
    assert (link.host, link.port, link.transport, link.tls, link.ws_path) == expected


def test_the_parts_do_it_too() -> None:
    """Transport and path can be set without a URL, and a URL's path wins over the variable."""
    mqtt = load(MQTT_TRANSPORT="websockets", MQTT_TLS="true", MQTT_WS_PATH="/ws")
    assert (mqtt.port, mqtt.transport, mqtt.ws_path) == (443, "websockets", "/ws")
    assert load(MQTT_URL="ws://h", MQTT_WS_PATH="/ws").ws_path == "/ws"
    assert load(MQTT_URL="ws://h/x", MQTT_WS_PATH="/ws").ws_path == "/x"


def test_credentials_are_decoded() -> None:
    """User and password may hold what a URL must escape."""
    mqtt = load(MQTT_URL="wss://us%40er:p%2Fw@h/mqtt")
    assert mqtt.username == "us@er"
    assert mqtt.password is not None
    assert mqtt.password.get_secret_value() == "p/w"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("MQTT_URL", "http://canary@h", "must look like"),
        ("MQTT_URL", "ws://", "must look like"),
        ("MQTT_URL", "ws://canary@h/grüße", "ASCII"),
        ("MQTT_URL", "ws://canary@h:99999", "ort"),
        ("MQTT_WS_PATH", "mqtt", "begin with /"),
        ("MQTT_WS_PATH", "/a b", "blanks"),
        ("MQTT_WS_PATH", "/a\r\nX: y", "blanks"),
        ("MQTT_TRANSPORT", "quic", "MQTT_TRANSPORT"),
    ],
)
def test_what_cannot_be_used_is_refused(variable: str, value: str, words: str) -> None:
    """A URL, path or transport that cannot work is told, without the URL's secrets."""
    with pytest.raises(ConfigError) as refused:
        load(**{variable: value})
    assert words in str(refused.value)
    assert "canary" not in str(refused.value)
