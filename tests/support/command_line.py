"""The command line in this process: the same commands, without a new Python for each."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from click.testing import CliRunner

from mqtt_dashboard.cli import main

FAMILIES = ("MQTT_", "REDIS_", "DASHBOARD_", "AUTH_", "AUDIT_", "OIDC_")
COMPLETE = "_MQTT_DASHBOARD_COMPLETE"


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str


def invoke(environ: Mapping[str, str], *words: str, given: str = "") -> Done:
    """Run a command to its end with these variables of ours and no others."""
    others: dict[str, str | None] = {name: None for name in os.environ if name.startswith(FAMILIES)}
    runner = CliRunner(env={**others, **environ})
    result = runner.invoke(
        main, list(words), input=given, prog_name="mqtt-dashboard", complete_var=COMPLETE
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)
