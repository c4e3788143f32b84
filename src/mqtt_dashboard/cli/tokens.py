"""`mqtt-dashboard tokens`: API tokens for programs."""

import re
import sys
import time

import click
import msgspec

from mqtt_dashboard.cli import accounts_of
from mqtt_dashboard.contract.auth import TokenCreate
from mqtt_dashboard.contract.policy import Role

UNITS = {"m": 60, "h": 3600, "d": 86400}


@click.group(
    "tokens",
    epilog="""
    \b
    Examples:
      mqtt-dashboard tokens create prometheus --for 365d
      mqtt-dashboard tokens create night-job --role operator --publish 'jobs/#' --for 12h
      curl -H 'Authorization: Bearer mqd_…' http://127.0.0.1:8082/api/topics
    """,
)
def command() -> None:
    """Make, list and revoke API tokens.

    A token is shown once, when it is made; only its SHA-256 is kept. Exit status: 0 done,
    1 refused, 2 unusable settings.
    """


@command.command("create")
@click.argument("label")
@click.option("--role", type=accounts_of.ROLES, default="viewer", show_default=True)
@click.option("--read", multiple=True, help="Filter that may be read; may be repeated.")
@click.option("--publish", multiple=True, help="Filter that may be published to.")
@click.option("--for", "life", default="90d", show_default=True, help="How long: 45m, 12h, 90d.")
def create(
    label: str, role: Role, read: tuple[str, ...], publish: tuple[str, ...], life: str
) -> None:
    """Make a token and print it."""
    parts = re.fullmatch(r"(\d{1,6})([mhd])", life)
    try:
        request = msgspec.convert(
            {
                "label": label,
                "role": role,
                "read": list(read) or None,
                "publish": list(publish) or None,
                "lifetime_s": int(parts[1]) * UNITS[parts[2]] if parts else 0,
            },
            TokenCreate,
        )
    except msgspec.ValidationError as error:
        click.echo(str(error), err=True)
        sys.exit(accounts_of.EXIT_REFUSED)
    with accounts_of.opened("token_add", label, f"role {role}") as accounts:
        text, info = accounts.create_token(request, "command line")
    click.echo(f"made {info.id} ({label}, {role}); it is shown only here:", err=True)
    click.echo(text)


@command.command("list")
def list_tokens() -> None:
    """List all tokens, without their secrets."""
    with accounts_of.opened() as accounts:
        tokens = accounts.tokens()
    for token in tokens:
        end = time.strftime("%Y-%m-%d %H:%M", time.localtime(token.expires_at))
        state = "expired" if token.expired else f"until {end}"
        read, publish = accounts_of.in_words(token.read), accounts_of.in_words(token.publish)
        line = f"{token.id}\t{token.label}\t{token.role}\t{state}"
        click.echo(f"{line}\tread {read}\tpublish {publish}")


@command.command("revoke")
@click.argument("identity")
def revoke(identity: str) -> None:
    """Revoke a token by its id."""
    with accounts_of.opened("token_revoke", identity) as accounts:
        accounts.revoke_token(identity)
    click.echo(f"revoked {identity}")
