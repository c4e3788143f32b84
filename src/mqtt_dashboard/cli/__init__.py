"""The command line `mqtt-dashboard`; each subcommand lives in a module of its own.

A module is imported when its command is used, so `--help` and `--version` stay quick. Every module
exposes one click command named ``command``.
"""

import importlib
import importlib.util
from typing import Final

import click

from mqtt_dashboard import __version__

COMMANDS: Final = (
    "serve",
    "up",
    "doctor",
    "pub",
    "tail",
    "topics",
    "users",
    "tokens",
    "audit",
    "config",
    "completion",
    "demo",
)

EPILOG: Final = """
\b
Examples:
  mqtt-dashboard serve                              the page on http://127.0.0.1:8082
  MQTT_BROKER_HOST=10.0.0.5 mqtt-bridge             the bridge to a broker, beside it
  DASHBOARD_PORT=9000 mqtt-dashboard serve          another port
  mqtt-dashboard tail 'lamps/#'                     messages as they come
  mqtt-dashboard pub lamps/1/set on                 publish, and wait for the result
  mqtt-dashboard COMMAND --help                     more about one command

Everything is configured by environment variables.
"""


class LazyGroup(click.Group):
    """A group that imports a subcommand only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands that exist."""
        return [name for name in COMMANDS if _exists(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command; None when there is none of that name."""
        if cmd_name not in COMMANDS or not _exists(cmd_name):
            return None
        command = importlib.import_module(f"{__name__}.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="mqtt-dashboard")
def main() -> None:
    """See into any MQTT broker: one bridge connection, Redis in the middle, many live viewers."""


def _exists(name: str) -> bool:
    return importlib.util.find_spec(f"{__name__}.{name}") is not None
