"""From the settings to what the link is told."""

from mqtt_dashboard.config import MqttSettings
from mqtt_dashboard.mqtt.client import LinkOptions, Will


def status_topic(mqtt: MqttSettings) -> str | None:
    """Return the topic that tells whether the bridge is online, or None when switched off."""
    if mqtt.status_topic == "off":
        return None
    return mqtt.status_topic.replace("{client_id}", mqtt.client_id)


def link_options(mqtt: MqttSettings, port: int) -> LinkOptions:
    """Translate the settings for the link."""
    topic = status_topic(mqtt)
    return LinkOptions(
        host=mqtt.host,
        port=port,
        client_id=mqtt.client_id,
        username=mqtt.username,
        password=mqtt.password.get_secret_value() if mqtt.password else None,
        tls=mqtt.tls,
        transport=mqtt.transport,
        ws_path=mqtt.ws_path,
        ca_file=mqtt.ca_file,
        cert_file=mqtt.cert_file,
        key_file=mqtt.key_file,
        keepalive=mqtt.keepalive,
        session_expiry=mqtt.session_expiry,
        receive_maximum=mqtt.receive_maximum,
        max_packet_size=mqtt.max_packet_size,
        will=Will(topic, b"offline") if topic else None,
    )


def session_name(mqtt: MqttSettings, port: int) -> str:
    """Return what tells the session at the broker from those of other clients and brokers."""
    return f"{mqtt.client_id}@{mqtt.host}:{port}"
