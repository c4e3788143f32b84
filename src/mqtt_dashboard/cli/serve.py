"""`mqtt-dashboard serve`: check the settings, take the port, become gunicorn."""

import errno
import os
import socket
import sys
from typing import Final, NoReturn

import click

from mqtt_dashboard import config
from mqtt_dashboard.config import DashboardSettings
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.config_page import PageSettings
from mqtt_dashboard.errors import ConfigError

EXIT_PORT: Final = 1
EXIT_CONFIG: Final = 2
KINDS: Final = (
    config.DashboardSettings,
    AuthSettings,
    PageSettings,
    config.RedisSettings,
    config.LogSettings,
)
BACKLOG: Final = 2048
GUNICORN_CONF: Final = "python:mqtt_dashboard.dashboard.gunicorn_conf"


@click.command(
    name="serve",
    epilog="""
    \b
    Examples:
      mqtt-dashboard serve
      DASHBOARD_HOST=0.0.0.0 WEB_CONCURRENCY=4 mqtt-dashboard serve
    """,
)
def command() -> None:
    """Serve the page, the HTTP interface and the live channel.

    Runs in the foreground until SIGTERM or Ctrl-C. Settings come from the environment, above all
    DASHBOARD_HOST, DASHBOARD_PORT, REDIS_HOST, REDIS_PORT and WEB_CONCURRENCY.

    Exit status: 0 stopped, 1 the address cannot be used, 2 the settings cannot be used.
    """
    settings = _settings()
    listener = _listen(settings.host, settings.port)
    os.set_inheritable(listener.fileno(), True)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    click.echo(f"mqtt-dashboard listens on http://{host}:{settings.port}", err=True)
    arguments = [sys.executable, "-m", "gunicorn", "--config", GUNICORN_CONF]
    arguments += ["--workers", str(settings.workers), "--bind", f"fd://{listener.fileno()}"]
    os.execv(sys.executable, arguments)  # noqa: S606 - becomes the server, keeps the process id


def _settings() -> DashboardSettings:
    problems: list[str] = []
    settings: DashboardSettings | None = None
    for kind in KINDS:
        try:
            loaded = config.load(kind)
        except ConfigError as error:
            problems += [line for line in str(error).splitlines() if line not in problems]
            continue
        if isinstance(loaded, DashboardSettings):
            settings = loaded
    if problems or settings is None:
        _leave("\n".join(problems), EXIT_CONFIG)
    return settings


def _listen(host: str, port: int) -> socket.socket:
    """Take the port here, so that no other program can get it before gunicorn serves it."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        _leave(_why_not(error, host, port), EXIT_PORT)
    return listener


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use by another program; "
            "stop that one, or choose another port with DASHBOARD_PORT"
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights; choose one above 1023 with DASHBOARD_PORT"
    return f"cannot listen on {host}:{port}: {error.strerror or error} (DASHBOARD_HOST)"


def _leave(message: str, status: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(status)
