"""What the system page may show of settings: everything but secrets."""

from mqtt_dashboard import about, config
from mqtt_dashboard.config_bridge import BridgeSettings
from mqtt_dashboard.contract.system import SettingShown

SECRET = "swordfish-7781"


def test_secrets_are_only_set_or_not_set() -> None:
    """Neither passwords, nor user names, nor addresses that hold them are shown."""
    mqtt = config.load(
        config.MqttSettings,
        {
            "MQTT_URL": f"mqtt://{SECRET}:{SECRET}@broker.example",
            "MQTT_PASSWORD": SECRET,
            "MQTT_USERNAME": SECRET,
        },
    )
    redis = config.load(config.RedisSettings, {"REDIS_PASSWORD": SECRET})
    bridge = config.load(
        BridgeSettings,
        {
            "EMQX_API_URL": "http://127.0.0.1:1",
            "EMQX_API_KEY": SECRET,
            "EMQX_API_SECRET": SECRET,
        },
    )
    shown = {one.name: one for one in about.settings([mqtt, redis, bridge])}
    assert SECRET not in repr(shown)
    assert shown["MQTT_PASSWORD"].value == "set"
    assert shown["MQTT_URL"].value == "set"
    assert shown["MQTT_TLS"].value == "false"  # as one would write it
    assert shown["REDIS_URL"].value == "not set"
    assert shown["MQTT_BROKER_HOST"].value == "broker.example"
    assert shown["MQTT_TOPICS"] == SettingShown(
        name="MQTT_TOPICS",
        value="#",
        description=shown["MQTT_TOPICS"].description,
        is_default=True,
    )


def test_the_process_knows_its_own_memory() -> None:
    """The resident size is in bytes, not in pages or kilobytes."""
    size = about.process(1.0, ["msgspec"]).rss_bytes
    assert size is not None
    assert 10_000_000 < size < 4_000_000_000
