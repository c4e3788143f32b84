"""`mqtt-dashboard tokens`: API tokens for programs."""

import re
import time

import click
import msgspec

from mqtt_dashboard.cli import accounts_of, terminal
from mqtt_dashboard.cli.accounts_of import Place, place_options
from mqtt_dashboard.cli.server import JSON
from mqtt_dashboard.cli.terminal import leave, visible
from mqtt_dashboard.cli.users import tell_ended
from mqtt_dashboard.contract import plain_words
from mqtt_dashboard.contract.auth import TokenCreate
from mqtt_dashboard.contract.policy import Role

MAX_LIFE_S = 366 * 86400
UNITS = {"m": 60, "h": 3600, "d": 86400}


@click.group(
    "tokens",
    cls=terminal.Group,
    epilog="""
    \b
    Examples:
      mqtt-dashboard tokens create prometheus --for 365d
      mqtt-dashboard tokens create night-job --role operator --publish 'jobs/#' --for 12h
      mqtt-dashboard tokens list --url https://mqtt.example --token-file ~/.mqtt-token
      curl -H 'Authorization: Bearer mqd_…' http://127.0.0.1:8082/api/topics
    """,
)
def command() -> None:
    """Make, list and revoke API tokens.

    A token is shown once, when it is made; only its SHA-256 is kept. It ends with the rights of
    the user who made it; one made on Redis has no such user.

    Works on the Redis of the environment (REDIS_HOST, REDIS_PASSWORD, REDIS_PREFIX): no dashboard
    needs to run and nobody needs to be signed in. With --url or MQTT_DASHBOARD_URL it asks that
    dashboard, in the name of an administrator's token that was made for accounts (--token-file,
    MQTT_DASHBOARD_TOKEN).

    Exit status: 0 done, 1 refused, 2 unusable settings; of a dashboard also 3 no dashboard, 4 not
    allowed.
    """


@command.command("create")
@click.argument("label")
@click.option("--role", type=accounts_of.ROLES, default="viewer", show_default=True)
@click.option("--read", multiple=True, help="Filter that may be read; may be repeated.")
@click.option("--publish", multiple=True, help="Filter that may be published to.")
@click.option("--accounts", is_flag=True, help="It may change users, tokens and sessions, too.")
@click.option("--for", "life", default="90d", show_default=True, help="How long: 45m, 12h, 90d.")
@JSON
@place_options
def create(
    label: str,
    role: Role,
    read: tuple[str, ...],
    publish: tuple[str, ...],
    life: str,
    place: Place,
    *,
    accounts: bool,
    as_json: bool,
) -> None:
    """Make a token and print it."""
    try:
        request = msgspec.convert(
            {
                "label": label,
                "role": role,
                "read": list(read) or None,
                "publish": list(publish) or None,
                "lifetime_s": _seconds(life),
                "accounts": accounts,
            },
            TokenCreate,
        )
    except msgspec.ValidationError as error:
        leave(plain_words.sentence(str(error)), accounts_of.EXIT_REFUSED)
    with accounts_of.opened(place) as register:
        text, info = register.create_token(request, "command line")
    if as_json:
        terminal.say_json({"token": text, "info": info}, indent=2)
        return
    terminal.complain(f"made {info.id} ({label}, {role}); it is shown only here:")
    terminal.say(text)


@command.command("list")
@JSON
@place_options
def list_tokens(place: Place, *, as_json: bool) -> None:
    """List all tokens, without their secrets."""
    with accounts_of.opened(place) as accounts:
        tokens = accounts.tokens()
    if as_json:
        terminal.say_json(tokens, indent=2)
        return
    for token in tokens:
        end = time.strftime("%Y-%m-%d %H:%M", time.localtime(token.expires_at))
        state = "expired" if token.expired else f"until {end}"
        read, publish = accounts_of.in_words(token.read), accounts_of.in_words(token.publish)
        role = f"{token.role}, for accounts" if token.accounts else token.role
        line = f"{token.id}\t{visible(token.label)}\t{role}\t{state}"
        terminal.say(f"{line}\tread {read}\tpublish {publish}")


@command.command("revoke")
@click.argument("identity")
@JSON
@place_options
def revoke(identity: str, place: Place, *, as_json: bool) -> None:
    """Revoke a token by its id."""
    with accounts_of.opened(place) as accounts:
        ended = accounts.revoke_token(identity)
    if as_json:
        terminal.say_json({"revoked": identity, "ended_tokens": ended})
    else:
        terminal.say(f"revoked {visible(identity)}")
        tell_ended(ended)


def _seconds(life: str) -> int:
    parts = re.fullmatch(r"(\d{1,6})([mhd])", life)
    seconds = int(parts[1]) * UNITS[parts[2]] if parts else 0
    if not 60 <= seconds <= MAX_LIFE_S:
        told = "--for takes a number and m, h or d, from 1m to 366d: 45m, 12h, 90d"
        leave(told, accounts_of.EXIT_REFUSED)
    return seconds
