"""`mqtt-dashboard audit`: read and prove the record of who did what."""

import sys
from datetime import UTC, datetime

import click

from mqtt_dashboard.cli import recorded, records_of, terminal
from mqtt_dashboard.cli.accounts_of import Place, place_options
from mqtt_dashboard.cli.records_of import Kept, Kind
from mqtt_dashboard.cli.server import JSON
from mqtt_dashboard.cli.terminal import CommandError
from mqtt_dashboard.contract.audit import ChainedEntry
from mqtt_dashboard.dashboard.audit_trail import Search
from mqtt_dashboard.errors import BusError


@click.group(
    "audit",
    cls=terminal.Group,
    epilog="""
    \b
    Examples:
      mqtt-dashboard audit tail --who ada
      mqtt-dashboard audit verify --url https://mqtt.example --token-file ~/.mqtt-token
      mqtt-dashboard audit export --format csv > audit.csv
    """,
)
def command() -> None:
    """Read the record of who did what.

    Works on the Redis of the environment (REDIS_HOST, REDIS_PASSWORD, REDIS_PREFIX), or with --url
    or MQTT_DASHBOARD_URL through that dashboard, in the name of an administrator's token.

    Exit status: 0 done; verify: whole, 1 Redis does not answer; verify: broken, 2 wrong usage or
    unusable settings; of a dashboard also 3 no dashboard, 4 not allowed.
    """


@command.command("tail")
@click.option(
    "--lines", "-n", type=click.IntRange(min=1), default=20, show_default=True, help="How many."
)
@click.option("--who", help="Done by, or to, this user or token:label.")
@click.option("--action", help="publish, sign_in, user_change, …")
@click.option("--topic", help="A part of the topic.")
@JSON
@place_options
def tail(
    lines: int,
    who: str | None,
    action: str | None,
    topic: str | None,
    place: Place,
    *,
    as_json: bool,
) -> None:
    """Show the newest entries, the newest last."""
    search = Search(who=who, action=action, topic=topic)
    found: list[ChainedEntry] = []
    before: int | None = None
    with records_of.opened(place) as record:
        while len(found) < lines:
            entries, before = record.page(search, before, lines - len(found))
            found += entries
            if before is None:
                break
    for one in reversed(found):
        if as_json:
            terminal.say_json(one)
        else:
            terminal.say(_line(one))


@command.command("verify")
@JSON
@click.option("--kept", metavar="NUMBER:LINK", help="A link noted elsewhere, which must be there.")
@place_options
def verify(place: Place, *, as_json: bool, kept: str | None) -> None:
    """Follow the chain from the oldest entry to the newest; status 1 when it is broken."""
    wanted = None if kept is None else _kept(kept)
    with records_of.opened(place) as record:
        if record.has_other_key():
            terminal.complain("the record is tied together with another AUDIT_KEY than is set here")
        verdict = record.verify(wanted)
    if as_json:
        terminal.say_json(verdict)
    elif verdict.ok:
        terminal.say(f"whole: {verdict.checked} entries, {verdict.first} to {verdict.last}")
        terminal.say(f"newest link: {verdict.link}")
        terminal.say(f"to keep elsewhere: --kept {verdict.last}:{verdict.link}")
        if verdict.losses:
            terminal.say(f"{verdict.losses} of them tell of entries that Redis had lost")
    else:
        for one in verdict.breaks:
            until = "" if one.first == one.last else f" to {one.last}"
            terminal.say(f"broken at entry {one.first}{until}: {one.reason}")
        terminal.say(f"the other {verdict.checked} entries fit")
    if not verdict.ok:
        sys.exit(1)


@command.command("rekey")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rekey(*, yes: bool) -> None:
    """Tie the record together with the AUDIT_KEY that is set here, from now on.

    Dashboards with another key write nothing any more, so let them all have this one. Earlier
    entries can only be proven with the key they were made with.
    """
    if not yes:
        click.confirm("Go on with the AUDIT_KEY that is set here?", abort=True)
    try:
        recorded.stores()[1].key_changed(recorded.somebody())
    except BusError as error:
        raise CommandError(error.reason) from error
    terminal.say("new entries are tied together with this key")


@command.command("export")
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), default="jsonl")
@place_options
def export(kind: Kind, place: Place) -> None:
    """Write the whole record, the oldest first."""
    with records_of.opened(place) as record:
        for line in record.export(kind):
            sys.stdout.buffer.write(line)


def _kept(text: str) -> Kept:
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
