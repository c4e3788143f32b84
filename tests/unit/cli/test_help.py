"""The help of every command: laid out as it was meant, with examples and exit statuses."""

from collections.abc import Iterator

import click
import pytest

from mqtt_dashboard.cli import COMMANDS, main


def _all() -> Iterator[tuple[str, str]]:
    waiting: list[tuple[click.Command, str, click.Context | None]] = [
        (main, "mqtt-dashboard", None)
    ]
    while waiting:
        command, name, parent = waiting.pop()
        context = command.make_context(name, [], parent, resilient_parsing=True)
        yield context.command_path, command.get_help(context)
        if isinstance(command, click.Group):
            for below in command.list_commands(context):
                found = command.get_command(context, below)
                assert found is not None
                waiting.append((found, below, context))


HELP = dict(_all())


@pytest.mark.parametrize("path", HELP)
def test_help_is_laid_out_as_it_was_meant(path: str) -> None:
    """No mark of the layout is left in the text, and each example has a line of its own."""
    lines = HELP[path].splitlines()
    assert "\\b" not in HELP[path]
    assert "\b" not in HELP[path]
    for line in lines:
        assert line.count("mqtt-dashboard ") <= 1 or "Usage:" in line, line
        assert "Examples:" not in line or line.strip() == "Examples:", line
    assert len(HELP) > 25


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_examples_and_says_its_exit_statuses(name: str) -> None:
    """Whoever writes a script finds both in the help."""
    text = HELP[f"mqtt-dashboard {name}"]
    examples = [one.strip() for one in text.partition("Examples:\n")[2].splitlines()]
    shown = examples[: examples.index("")] if "" in examples else examples
    assert shown
    assert all("mqtt-dashboard" in one or "curl" in one for one in shown)
    assert "Exit status:" in text
