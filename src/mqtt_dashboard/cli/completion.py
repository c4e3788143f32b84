"""`mqtt-dashboard completion`: what a shell needs to complete commands, options and topics."""

import click
from click.shell_completion import get_completion_class

from mqtt_dashboard.cli import terminal

VARIABLE = "_MQTT_DASHBOARD_COMPLETE"


@click.command(
    "completion",
    cls=terminal.Command,
    epilog="""
    \b
    Examples:
      echo 'eval "$(mqtt-dashboard completion bash)"' >> ~/.bashrc
      echo 'eval "$(mqtt-dashboard completion zsh)"' >> ~/.zshrc
      mqtt-dashboard completion fish > ~/.config/fish/completions/mqtt-dashboard.fish
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Write the completion script for a SHELL: bash (4.4 or newer), zsh or fish.

    Commands and options are completed, and for pub and tail the topics that the dashboard knows
    (MQTT_DASHBOARD_URL, MQTT_DASHBOARD_TOKEN), when it answers within a second.

    Exit status: 0 done, 2 wrong usage.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    program = ctx.find_root().command
    click.echo(kind(program, {}, "mqtt-dashboard", VARIABLE).source())
