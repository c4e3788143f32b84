"""`mqtt-dashboard audit`: read and prove the record of who did what."""

import sys
from datetime import UTC, datetime

import click

from mqtt_dashboard.bus.audit_store import AuditStore
from mqtt_dashboard.cli import recorded, terminal
from mqtt_dashboard.cli.terminal import CommandError
from mqtt_dashboard.contract.audit import ChainedEntry
from mqtt_dashboard.dashboard import audit_trail
from mqtt_dashboard.dashboard.audit_trail import Search
from mqtt_dashboard.errors import BusError, ConfigError


@click.group("audit", cls=terminal.Group)
@click.pass_context
def command(context: click.Context) -> None:
    r"""Read the record of who did what, straight from Redis.

    \b
    Examples:
      mqtt-dashboard audit tail --who ada
      mqtt-dashboard audit verify
      mqtt-dashboard audit export --format csv > audit.csv
    """
    try:
        context.obj = recorded.stores()[1].store
    except ConfigError as error:
        raise CommandError(str(error), terminal.EXIT_USAGE) from error


@command.command("tail")
@click.option("--lines", "-n", default=20, show_default=True, help="How many.")
@click.option("--who", help="Done by, or to, this user or token:label.")
@click.option("--action", help="publish, sign_in, user_change, …")
@click.option("--topic", help="A part of the topic.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document per line.")
@click.pass_obj
def tail(
    store: AuditStore,
    lines: int,
    who: str | None,
    action: str | None,
    topic: str | None,
    as_json: bool,
) -> None:
    """Show the newest entries, the newest last."""
    try:
        search = Search(who=who, action=action, topic=topic)
        found, _, _ = audit_trail.page(store, search, None, max(1, lines))
    except BusError as error:
        raise CommandError(error.reason) from error
    for one in reversed(found):
        if as_json:
            terminal.say_json(one)
        else:
            terminal.say(_line(one))


@command.command("verify")
@click.option("--json", "as_json", is_flag=True, help="The verdict as JSON.")
@click.option("--kept", metavar="NUMBER:LINK", help="A link noted elsewhere, which must be there.")
@click.pass_obj
def verify(store: AuditStore, as_json: bool, kept: str | None) -> None:
    """Follow the chain from the oldest entry to the newest; status 1 when it is broken."""
    try:
        verdict = audit_trail.verify(store, None if kept is None else _kept(kept))
    except BusError as error:
        raise CommandError(error.reason) from error
    if as_json:
        terminal.say_json(verdict)
    elif verdict.ok:
        terminal.say(f"whole: {verdict.checked} entries, {verdict.first} to {verdict.last}")
        terminal.say(f"newest link: {verdict.link}")
        terminal.say(f"to keep elsewhere: --kept {verdict.last}:{verdict.link}")
        if verdict.losses:
            terminal.say(f"{verdict.losses} of them tell of entries that Redis had lost")
    else:
        terminal.say(f"broken at entry {verdict.broken_at}: {verdict.reason}")
    if not verdict.ok:
        sys.exit(1)


@command.command("export")
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), default="jsonl")
@click.pass_obj
def export(store: AuditStore, kind: str) -> None:
    """Write the whole record, the oldest first."""
    lines = audit_trail.json_lines if kind == "jsonl" else audit_trail.comma_separated
    try:
        for line in lines(store):
            sys.stdout.buffer.write(line)
    except BusError as error:
        raise CommandError(error.reason) from error


def _kept(text: str) -> tuple[int, str]:
    number, _, link = text.partition(":")
    if not (number.isascii() and number.isdecimal() and link):
        raise CommandError("--kept needs NUMBER:LINK, as verify prints it", terminal.EXIT_USAGE)
    return int(number), link


def _line(one: ChainedEntry) -> str:
    entry = one.entry
    at = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    what = [entry.action, entry.outcome, entry.topic or entry.target, entry.detail]
    words = [at, f"#{entry.seq}", entry.who or (f"of #{entry.of}" if entry.of else "-")]
    words += [part for part in what if part]
    return "  ".join(map(terminal.visible, words))
