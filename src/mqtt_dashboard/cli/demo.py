"""`mqtt-dashboard demo`: play invented devices against a broker."""

import click

from mqtt_dashboard import config
from mqtt_dashboard.config import MqttSettings
from mqtt_dashboard.embedded.demo_control import DemoControl
from mqtt_dashboard.embedded.demo_traffic import ROOT, DemoPublisher, Plant, sign_in
from mqtt_dashboard.errors import ConfigError
from mqtt_dashboard.service import StopSignal


@click.command(
    "demo",
    epilog="""
    \b
    Examples:
      mqtt-dashboard demo
      MQTT_URL=mqtts://ada@broker.example mqtt-dashboard demo --seed 7
    """,
)
@click.option("--seed", default=1, show_default=True, help="The same seed tells the same story.")
def command(seed: int) -> None:
    """Publish invented device data below demo/ until stopped.

    About 30 messages a second of rooms, machines and meters go to the broker that
    MQTT_BROKER_HOST or MQTT_URL names. Requests to demo/requests/... with a response topic
    below demo/ or mqtt-dashboard/reply are answered. What was retained is taken back at the end.

    Exit status: 0 stopped, 2 unusable settings.
    """
    try:
        settings = config.load(MqttSettings)
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from error
    stop = StopSignal()
    stop.install()
    assert settings.port is not None
    publisher = DemoPublisher(Plant(seed), settings.host, settings.port)
    sign_in(publisher.client, settings)
    # A broker of 3.1.1 knows no requests, so nobody would ask.
    control = DemoControl(settings) if settings.protocol != "3.1.1" else None
    click.echo(f"Publishing below {ROOT}/ to {settings.host}:{settings.port}; Ctrl-C stops.")
    if control is not None:
        control.start()
    publisher.run(stop)
    if control is not None:
        control.stop()
    click.echo(f"Published {publisher.published} messages.")
