"""`mqtt-dashboard config`: what is set, to what, by whom, and whether it can be used."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
from dotenv import dotenv_values
from msgspec.structs import asdict

from mqtt_dashboard import about, broker_url, config
from mqtt_dashboard.cli import terminal
from mqtt_dashboard.cli.server import JSON
from mqtt_dashboard.cli.terminal import leave, visible
from mqtt_dashboard.config_base import Settings
from mqtt_dashboard.contract.system import SettingShown
from mqtt_dashboard.errors import ConfigError
from mqtt_dashboard.secret_files import with_secret_files

NAMES: Final = {
    str(field.alias) for kind in config.SETTINGS_CLASSES for field in kind.model_fields.values()
}

ENV_FILE = click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read variables from this file, too.  [default: .env, if there is one]",
)


@click.group(
    "config",
    cls=terminal.Group,
    epilog="""
    \b
    Examples:
      mqtt-dashboard config show
      mqtt-dashboard config show --set
      mqtt-dashboard config check --env-file deploy/production.env
    """,
)
def command() -> None:
    """Show and check the settings of both services, as they would be read here and now.

    Both services read the environment; .env is read by Docker Compose, and here. A variable of
    the environment wins over .env. Secrets are never shown, only whether they are set.

    Exit status: 0 all can be used, 2 something cannot; it is said on standard error.
    """


@dataclass
class Found:
    """Settings as they were read, where each comes from, and what is wrong."""

    shown: list[SettingShown] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    by_url: set[str] = field(default_factory=set)

    def source(self, setting: SettingShown) -> str:
        """Say where a value comes from."""
        name = setting.name
        if name in self.by_url and (name in self.origin or not setting.is_default):
            return "MQTT_URL"
        return self.origin.get(name, "default")


@command.command("show")
@click.option("--set", "only_set", is_flag=True, help="Only what is not at its default.")
@ENV_FILE
@JSON
def show(env_file: Path | None, *, only_set: bool, as_json: bool) -> None:
    """Write every variable with its value and where it comes from.

    Columns, with tabs between: name, value, source (environment, the file's name, MQTT_URL or
    default). Exit status: 0 done, 2 something cannot be used; it is said on standard error.
    """
    found = _read(env_file)
    rows = [one for one in found.shown if not only_set or found.source(one) != "default"]
    if as_json:
        documents = [{**asdict(one), "source": found.source(one)} for one in rows]
        terminal.say_json(documents, indent=2)
    else:
        for one in rows:
            terminal.say(f"{one.name}\t{visible(one.value)}\t{visible(found.source(one))}")
    if found.problems:
        leave("; ".join(found.problems), terminal.EXIT_USAGE)


@command.command("check")
@ENV_FILE
@JSON
def check(env_file: Path | None, *, as_json: bool) -> None:
    """Tell whether both services could start with these settings.

    Exit status: 0 yes, 2 no, with a line for each problem.
    """
    found = _read(env_file)
    hints = _hints(found)
    if as_json:
        terminal.say_json({"ok": not found.problems, "problems": found.problems, "hints": hints})
    else:
        for line in [*found.problems, *hints]:
            terminal.complain(line)
        if not found.problems:
            count = sum(found.source(one) != "default" for one in found.shown)
            terminal.say(f"good: {count} of {len(NAMES)} variables are set, all can be used")
    if found.problems:
        raise SystemExit(terminal.EXIT_USAGE)


def _read(env_file: Path | None) -> Found:
    path = env_file or Path(".env")
    found = Found()
    from_file = _from_file(path, required=env_file is not None)
    for origin, values in ((path.name, from_file), ("environment", os.environ)):
        _overlay(found, origin, values)
    for kind in config.SETTINGS_CLASSES:
        try:
            group: Settings = config.load(kind, found.given)
        except ConfigError as error:
            found.problems += [one for one in str(error).splitlines() if one not in found.problems]
        else:
            found.shown += about.settings([group])
    found.by_url = _decided_by_url(found)
    found.shown.sort(key=lambda one: one.name)
    return found


def _from_file(path: Path, *, required: bool) -> dict[str, str]:
    if not path.is_file():
        if required:
            leave(f"{path} cannot be read: no such file", terminal.EXIT_USAGE)
        return {}
    try:
        return {name: value or "" for name, value in dotenv_values(path).items()}
    except (OSError, UnicodeDecodeError) as error:
        leave(f"{path} cannot be read: {error}", terminal.EXIT_USAGE)


def _overlay(found: Found, origin: str, values: Mapping[str, str]) -> None:
    """Take the variables that are set; a secret replaces its file of below, and its file it."""
    given: dict[str, str] = {}
    for name, value in values.items():
        if _plain(name) is None:
            found.unknown += [name] if origin != "environment" else []
        elif value != "":
            given[name] = value
    for name in given:
        plain = _plain(name) or name
        found.given.pop(plain, None)
        found.given.pop(f"{plain}_FILE", None)
        found.origin[plain] = origin if name == plain else f"{origin} ({name})"
    found.given |= given


def _decided_by_url(found: Found) -> set[str]:
    """Return the variables in whose place MQTT_URL counts: those of the parts it has."""
    try:
        url = with_secret_files(found.given, config.SECRETS).get("MQTT_URL")
        parts = broker_url.parse(url) if url else None
    except (ConfigError, ValueError):
        return set()  # told among the problems
    if parts is None:
        return set()
    # Without a port in it, its scheme decides, unless MQTT_BROKER_PORT does.
    port = parts.port is not None or "MQTT_BROKER_PORT" not in found.origin
    decided = {
        "MQTT_BROKER_HOST": True,
        "MQTT_TRANSPORT": True,
        "MQTT_BROKER_PORT": port,
        "MQTT_USERNAME": parts.username,
        "MQTT_PASSWORD": parts.password,
        "MQTT_TLS": parts.tls,
        "MQTT_WS_PATH": parts.ws_path,
    }
    return {name for name, has in decided.items() if has}


def _plain(name: str) -> str | None:
    """Return the variable a name sets, itself or as a file; None when nobody reads it."""
    if name in NAMES:
        return name
    base = name.removesuffix("_FILE")
    return base if base in config.SECRETS else None


def _hints(found: Found) -> list[str]:
    """Name variables of the file that nobody reads and that look like a slip."""
    hints = []
    for name in found.unknown:
        close = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.85)
        if close:
            hints.append(f"hint: nobody reads {name}; is {close[0]} meant?")
    return hints
