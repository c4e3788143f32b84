"""The console script ``mqtt-bridge``: read the settings, run the bridge, stop on a signal."""

import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final

import click

from mqtt_dashboard import __version__, about, config, logs
from mqtt_dashboard.bridge.health import HealthServer
from mqtt_dashboard.bridge.journal import no_checkpoint
from mqtt_dashboard.bridge.service import MQTTBridge
from mqtt_dashboard.bus.bridge_store import BridgeStore
from mqtt_dashboard.bus.connection import PATIENT_TIMEOUT_S, open_client
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config_bridge import BridgeSettings
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.system import BridgeAbout
from mqtt_dashboard.errors import ConfigError
from mqtt_dashboard.service import StopSignal, settle_memory

WATCH_EVERY_S: Final = 0.5
EXIT_BROKEN: Final = 1
EXIT_CONFIG: Final = 2

# Named on the system page.
LIBRARIES: Final = ("mqtt5", "paho-mqtt", "redis", "msgspec")

log = logs.get(__name__)


@click.command(
    epilog="""
    \b
    Examples:
      MQTT_BROKER_HOST=broker.example REDIS_HOST=redis.example mqtt-bridge
      MQTT_URL=mqtts://user@broker.example MQTT_PASSWORD_FILE=/run/secrets/mqtt mqtt-bridge
      mqtt-bridge --health      # for container health checks: exit 0 when it carries messages
    """
)
@click.version_option(__version__)
@click.option("--health", is_flag=True, help="Ask the running bridge whether it is ready.")
def main(*, health: bool) -> None:
    """Run the bridge between an MQTT broker and Redis, in the foreground.

    Configured by environment variables alone (see .env.example). Stops on SIGTERM or Ctrl-C within
    5 seconds. Exit status: 0 after a stop, 1 when a part of it broke, 2 for unusable settings.
    """
    try:
        if health:
            sys.exit(_ask_health(config.load(BridgeSettings)))
        sys.exit(run())
    except ConfigError as error:
        for line in str(error).splitlines():
            click.echo(f"mqtt-bridge: {line}", err=True)
        sys.exit(EXIT_CONFIG)


def run(checkpoint: Callable[[str], None] = no_checkpoint) -> int:
    """Run the bridge until a signal or a broken part ends it; return the exit status."""
    mqtt = config.load(config.MqttSettings)
    redis = config.load(config.RedisSettings)
    settings = config.load(BridgeSettings)
    logs.configure(config.load(config.LogSettings))
    stop = StopSignal()
    stop.install()
    channels = RedisChannels(redis.prefix)
    patient = open_client(redis, "mqtt-bridge-patient", answer_timeout=PATIENT_TIMEOUT_S)
    store = BridgeStore(open_client(redis, "mqtt-bridge"), channels, redis.address, patient)
    clock = SystemClock()
    introduction = BridgeAbout(
        process=about.process(clock.now(), LIBRARIES),
        settings=about.settings([mqtt, redis, settings]),
    )
    bridge = MQTTBridge(mqtt, settings, store, channels, clock, introduction, checkpoint)
    server = HealthServer(
        settings.http_host, settings.http_port, bridge.status, bridge.problems, bridge.not_ready
    )
    if settings.http_port:
        try:
            server.start()
        except OSError as error:
            where = f"{settings.http_host}:{settings.http_port}"
            raise ConfigError(
                f"BRIDGE_HTTP_PORT: cannot listen on {where}: {error.strerror}"
            ) from error
    settle_memory()
    bridge.start()
    problems = _watch(bridge, stop)
    bridge.stop()
    server.stop()
    return EXIT_BROKEN if problems else 0


def _watch(bridge: MQTTBridge, stop: StopSignal) -> list[str]:
    """Wait for a signal or for a broken loop; a process half dead is worse than a restarted one."""
    while not stop.wait(WATCH_EVERY_S):
        problems = bridge.problems()
        if problems:
            log.critical("bridge.broken", problems=problems)
            return problems
    return []


def _ask_health(settings: BridgeSettings) -> int:
    host = "127.0.0.1" if settings.http_host in {"0.0.0.0", "::"} else settings.http_host  # noqa: S104
    try:
        with urllib.request.urlopen(
            f"http://{host}:{settings.http_port}/readyz", timeout=3
        ) as reply:
            click.echo(reply.read().decode())
            return 0
    except urllib.error.HTTPError as error:
        click.echo(error.read().decode(), err=True)
    except OSError as error:
        click.echo(f"the bridge does not answer: {error}", err=True)
    return EXIT_BROKEN
