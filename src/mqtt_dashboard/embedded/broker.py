"""The embedded broker: mosquitto when there is one, else amqtt with a visible notice.

It listens on loopback only and lets everybody in who can reach that.
"""

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from mqtt_dashboard.embedded.children import Child
from mqtt_dashboard.embedded.mosquitto import Mosquitto
from mqtt_dashboard.embedded.ports import free_port
from mqtt_dashboard.errors import ConfigError

DEFAULT_PORT = 1883

# The settings of the parent's environment that would not fit this broker.
_NOT_FOR_US = (
    "MQTT_URL",
    "MQTT_URL_FILE",
    "MQTT_USERNAME",
    "MQTT_USERNAME_FILE",
    "MQTT_PASSWORD",
    "MQTT_PASSWORD_FILE",
    "MQTT_TRANSPORT",
    "MQTT_TLS",
    "MQTT_CA_FILE",
    "MQTT_CERT_FILE",
    "MQTT_KEY_FILE",
)


@dataclass(frozen=True)
class EmbeddedBroker:
    """A broker to start, how to name it, and what the bridge needs to find it."""

    child: Child
    port: int
    title: str
    environ: dict[str, str]


def prepare(
    mosquitto: Mosquitto | None, state: Path, logs: Path, *, keep: bool, preferred: int | None
) -> EmbeddedBroker:
    """Write its configuration into ``state``; with ``keep`` sessions outlive the process."""
    home = state / "broker"
    home.mkdir(parents=True, exist_ok=True)
    port = free_port(preferred or DEFAULT_PORT)
    environ = {"MQTT_BROKER_HOST": "127.0.0.1", "MQTT_BROKER_PORT": str(port)}
    environ |= dict.fromkeys(_NOT_FOR_US, "")
    log = logs / "broker.log"
    if mosquitto is not None:
        config = home / "mosquitto.conf"
        config.write_text(mosquitto_config(port, home if keep else None), encoding="utf-8")
        command = [str(mosquitto.binary), "-c", str(config)]
        child = Child("broker", command, log, mosquitto.environ)
        return EmbeddedBroker(child, port, f"mosquitto {mosquitto.version}", environ)
    if importlib.util.find_spec("amqtt") is None:
        raise ConfigError(
            "no broker was found: install mosquitto or the extra mqtt-dashboard[embedded], "
            "or set MQTT_BROKER_HOST to a broker that runs"
        )
    config = home / "amqtt.yaml"
    config.write_text(amqtt_config(port), encoding="utf-8")
    command = [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(config)]
    # It takes an MQTT 5 greeting for a broken one of 3.1.1 and never answers.
    environ["MQTT_PROTOCOL"] = "3.1.1"
    title = "amqtt, a limited demo broker: MQTT 3.1.1 and few statistics; install mosquitto for all"
    return EmbeddedBroker(Child("broker", command, log), port, title, environ)


def mosquitto_config(port: int, data: Path | None) -> str:
    """Return a configuration; ``data`` is where sessions and retained messages are kept."""
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "set_tcp_nodelay true",
        # Statistics every 2 s, so that the page is alive at once.
        "sys_interval 2",
        # Who is connected and who subscribed is told on log topics only.
        "log_dest stderr",
        "log_dest topic",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_type subscribe",
        "log_type unsubscribe",
        "connection_messages true",
        # The default of 1,000 drops messages while the bridge is away (or merely busy).
        "max_queued_messages 100000",
        "max_queued_bytes 268435456",
    ]
    if os.geteuid() == 0:
        # Otherwise mosquitto becomes another user, for whom the kernel forgets whose death to
        # follow, and who may not write into our folder.
        lines.append("user root")
    if data is None:
        lines.append("persistence false")
    else:
        lines += ["persistence true", f"persistence_location {data}/", "autosave_interval 60"]
    return "\n".join([*lines, ""])


def amqtt_config(port: int) -> str:
    """Return a configuration for amqtt."""
    return (
        f"listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\n"
        "plugins:\n"
        "  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n"
        "  amqtt.plugins.sys.broker.BrokerSysPlugin:\n    sys_interval: 2\n"
    )
