"""`mqtt-dashboard doctor`: go through a running system, a line per check, with what to do."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click
from dotenv import dotenv_values

from mqtt_dashboard import config
from mqtt_dashboard.cli.checks import Checks, Finding
from mqtt_dashboard.config_cli import CLI_SECRETS
from mqtt_dashboard.errors import ConfigError
from mqtt_dashboard.secret_files import with_secret_files

EXIT_SICK = 1
EXIT_CONFIG = 2

WORDS = {True: ("PASS", "green"), False: ("FAIL", "red"), None: ("SKIP", "yellow")}


@click.command(
    epilog="""
    \b
    Examples:
      mqtt-dashboard doctor
      mqtt-dashboard doctor --env-file .run/environment
      MQTT_BROKER_HOST=10.0.0.5 REDIS_HOST=10.0.0.6 mqtt-dashboard doctor --url http://10.0.0.7:8082
      mqtt-dashboard doctor --json | jq '.[] | select(.ok == false)'
    """
)
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read variables from this file; `mqtt-dashboard up` names one.",
)
@click.option("--url", help="Address of the dashboard.  [default: from DASHBOARD_HOST and _PORT]")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(env_file: Path | None, url: str | None, *, as_json: bool) -> None:
    """Check a running system from the broker to the page.

    Uses the same environment variables as the two services. Takes up to half a minute. Where
    sign-in is needed, the dashboard tells what is wrong with it to an operator's token
    (MQTT_DASHBOARD_TOKEN).

    Exit status: 0 when nothing failed, 1 when something did, 2 for unusable settings.
    """
    environ = dict(os.environ)
    try:
        if env_file is not None:
            environ |= {name: value or "" for name, value in dotenv_values(env_file).items()}
        dashboard = config.load(config.DashboardSettings, environ)
        checks = Checks(
            config.load(config.MqttSettings, environ),
            config.load(config.RedisSettings, environ),
            dashboard,
            url or f"http://{_reachable(dashboard.host)}:{dashboard.port}",
            with_secret_files(environ, CLI_SECRETS).get(CLI_SECRETS[0]),
        )
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)
    findings = []
    for check in (
        checks.broker,
        checks.redis,
        checks.keeps,
        checks.bridge_fresh,
        checks.one_bridge,
        checks.stats,
        checks.there,
        checks.back,
        checks.page,
        checks.no_mqtt_in_dashboard,
    ):
        finding = check()
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    sys.exit(EXIT_SICK if any(finding.ok is False for finding in findings) else 0)


def _print(finding: Finding) -> None:
    word, colour = WORDS[finding.ok]
    click.echo(f"{click.style(word, fg=colour, bold=True)}  {finding.name}: {finding.detail}")
    if finding.ok is False and finding.advice:
        click.echo(f"      -> {finding.advice}")


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
