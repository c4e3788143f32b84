"""`mqtt-dashboard up`: both services, with a broker and a Redis of their own where needed."""

import os
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from mqtt_dashboard import config
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config import DashboardSettings
from mqtt_dashboard.embedded import mosquitto, ports
from mqtt_dashboard.embedded.stack import (
    Plan,
    Stack,
    StackError,
    StopRequestedError,
    log_folder,
    loopback_of,
)
from mqtt_dashboard.errors import ConfigError
from mqtt_dashboard.service import StopSignal


@click.command(
    "up",
    epilog="""
    \b
    Examples:
      mqtt-dashboard up
      MQTT_BROKER_HOST=broker.example mqtt-dashboard up
      mqtt-dashboard up --port 8090 --no-demo
    """,
)
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the page (DASHBOARD_PORT).")
@click.option(
    "--demo/--no-demo",
    default=None,
    help="Invented devices below demo/; by default only on the embedded broker.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the embedded broker's and Redis' data here; by default it is thrown away.",
)
@click.option(
    "--log-dir", type=click.Path(file_okay=False, path_type=Path), help="Where logs are written."
)
@click.option("-v", "--verbose", is_flag=True, help="Show the logs of all parts.")
def command(
    port: int | None, demo: bool | None, data_dir: Path | None, log_dir: Path | None, verbose: bool
) -> None:
    """Start everything, and say where the page is.

    Without MQTT_BROKER_HOST or MQTT_URL a broker is started, without REDIS_HOST or REDIS_URL a
    Redis; both on loopback. Ctrl-C stops all of it.

    Exit status: 0 stopped, 1 something could not be started or ended, 2 unusable settings.
    """
    if port is not None:
        os.environ["DASHBOARD_PORT"] = str(port)
    try:
        settings = config.load(DashboardSettings)
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from error
    _refuse_taken_port(settings)
    with ExitStack() as cleanup:
        state = data_dir.absolute() if data_dir else None
        if state is None:
            folder = tempfile.TemporaryDirectory(
                prefix="mqtt-dashboard-", ignore_cleanup_errors=True
            )
            state = Path(cleanup.enter_context(folder))
        logs = (log_dir or log_folder(os.environ, settings.port)).absolute()
        cache = mosquitto.cache_folder(os.environ)
        keep = data_dir is not None
        plan = Plan(settings.host, settings.port, state, logs, cache, keep, demo, verbose)
        status = run(plan, sign_in=settings.sign_in)
    raise SystemExit(status)


def run(plan: Plan, *, sign_in: bool) -> int:
    """Run the plan until asked to stop; return the exit status."""
    stop = StopSignal()
    stop.install()
    # A closed terminal is a request to stop, too.
    signal.signal(signal.SIGHUP, lambda *_: stop.set())
    stack = Stack(plan, os.environ, _say, stop, SystemClock())
    status = 0
    try:
        stack.start()
        if sign_in:
            _say(
                f"Sign-in    needed; the first password is shown once in {plan.logs}/dashboard.log"
            )
        _say(f"Ready: http://{loopback_of(plan.host)}:{plan.port}/   (Ctrl-C stops everything)")
        stack.watch()
    except StopRequestedError:
        pass
    except (StackError, ConfigError) as error:
        click.echo(f"Stopping: {error}", err=True)
        status = 1
    finally:
        late = stack.stop()
    if late:
        click.echo(f"Did not stop in time and was killed: {', '.join(late)}", err=True)
    _say("Stopped.")
    return status


def _refuse_taken_port(settings: DashboardSettings) -> None:
    if ports.can_listen(settings.host, settings.port):
        return
    who = ports.holder(settings.port)
    click.echo(
        f"Port {settings.port} on {settings.host} is taken{f' by {who}' if who else ''}. "
        f"Stop that, or choose another port: mqtt-dashboard up --port {settings.port + 10} "
        f'(with make: make run ARGS="--port {settings.port + 10}").',
        err=True,
    )
    raise SystemExit(1)


def _say(line: str) -> None:
    click.echo(line)
