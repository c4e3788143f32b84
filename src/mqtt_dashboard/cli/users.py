"""`mqtt-dashboard users`: who may sign in, and as what."""

import time
from typing import TypeVar

import click
import msgspec

from mqtt_dashboard.cli import accounts_of, terminal
from mqtt_dashboard.cli.accounts_of import Place, place_options
from mqtt_dashboard.cli.server import JSON
from mqtt_dashboard.cli.terminal import leave, visible
from mqtt_dashboard.contract import plain_words
from mqtt_dashboard.contract.auth import UserChange, UserCreate, UserInfo
from mqtt_dashboard.contract.policy import Role

RequestT = TypeVar("RequestT", UserCreate, UserChange)

GENERATE = click.option("--generate", is_flag=True, help="Make a password and print it.")
READ = click.option("--read", multiple=True, help="Filter that may be read; may be repeated.")
PUBLISH = click.option(
    "--publish", multiple=True, help="Filter that may be published to; may be repeated."
)


@click.group(
    "users",
    cls=terminal.Group,
    epilog="""
    \b
    Examples:
      mqtt-dashboard users add ada --role administrator --generate       the first one
      mqtt-dashboard users list --url https://mqtt.example --token-file ~/.mqtt-token
      mqtt-dashboard users add ada --role operator --publish 'lamps/#'
      mqtt-dashboard users passwd ada --generate
      mqtt-dashboard users role ada viewer --read 'hall/#'
      mqtt-dashboard users sign-out ada
    """,
)
def command() -> None:
    """List and change the users who may sign in.

    Works on the Redis of the environment (REDIS_HOST, REDIS_PASSWORD, REDIS_PREFIX): no dashboard
    needs to run and nobody needs to be signed in, which is how the first administrator is made or
    a forgotten password set. With --url or MQTT_DASHBOARD_URL it asks that dashboard, in the name
    of an administrator's token that was made for accounts (--token-file, MQTT_DASHBOARD_TOKEN). A
    password is asked for, or read from standard input. Changes hold at once: open pages that lose
    rights are cut within a second.

    Exit status: 0 done, 1 refused, 2 unusable settings; of a dashboard also 3 no dashboard, 4 not
    allowed.
    """


@command.command("list")
@JSON
@place_options
def list_users(place: Place, *, as_json: bool) -> None:
    """List all users with role and filters."""
    with accounts_of.opened(place) as accounts:
        users = accounts.users()
    if as_json:
        terminal.say_json(users, indent=2)
        return
    for user in users:
        read, publish = accounts_of.in_words(user.read), accounts_of.in_words(user.publish)
        role = f"{user.role} (disabled)" if user.disabled else user.role
        terminal.say(f"{visible(user.name)}\t{role}\tread {read}\tpublish {publish}")


@command.command("add")
@click.argument("name")
@click.option("--role", type=accounts_of.ROLES, default="viewer", show_default=True)
@READ
@PUBLISH
@GENERATE
@JSON
@place_options
def add(
    name: str,
    role: Role,
    read: tuple[str, ...],
    publish: tuple[str, ...],
    place: Place,
    *,
    generate: bool,
    as_json: bool,
) -> None:
    """Add a user; without filters those of the role hold."""
    password, show = accounts_of.new_password(generate=generate)
    request = _request(
        UserCreate,
        name=name,
        password=password,
        role=role,
        read=list(read) or None,
        publish=list(publish) or None,
    )
    with accounts_of.opened(place) as accounts:
        user = accounts.add(request)
    _tell(f"added {name} as {role}", user, password if show else None, as_json=as_json)


@command.command("passwd")
@click.argument("name")
@GENERATE
@JSON
@place_options
def passwd(name: str, place: Place, *, generate: bool, as_json: bool) -> None:
    """Set a user's password; all sessions of that user end."""
    password, show = accounts_of.new_password(generate=generate)
    change = _request(UserChange, password=password)
    with accounts_of.opened(place) as accounts:
        user = accounts.change(name, change)
    told = f"changed the password of {name}"
    _tell(told, user, password if show else None, as_json=as_json)


@command.command("role")
@click.argument("name")
@click.argument("role", type=accounts_of.ROLES)
@READ
@PUBLISH
@JSON
@place_options
def set_role(
    name: str,
    role: Role,
    read: tuple[str, ...],
    publish: tuple[str, ...],
    place: Place,
    *,
    as_json: bool,
) -> None:
    """Set a user's role and filters; without filters those of the role hold."""
    change = _request(UserChange, role=role, read=list(read) or None, publish=list(publish) or None)
    with accounts_of.opened(place) as accounts:
        user = accounts.change(name, change)
    _tell(f"{name} is {role} now", user, None, as_json=as_json)


@command.command("disable")
@click.argument("name")
@JSON
@place_options
def disable(name: str, place: Place, *, as_json: bool) -> None:
    """Let a user not sign in any more; open pages are cut. The last administrator stays."""
    with accounts_of.opened(place) as accounts:
        user = accounts.change(name, UserChange(disabled=True))
    _tell(f"{name} is disabled now", user, None, as_json=as_json)


@command.command("enable")
@click.argument("name")
@JSON
@place_options
def enable(name: str, place: Place, *, as_json: bool) -> None:
    """Let a disabled user sign in again."""
    with accounts_of.opened(place) as accounts:
        user = accounts.change(name, UserChange(disabled=False))
    _tell(f"{name} may sign in again", user, None, as_json=as_json)


@command.command("remove")
@click.argument("name")
@JSON
@place_options
def remove(name: str, place: Place, *, as_json: bool) -> None:
    """Remove a user; the last administrator stays."""
    with accounts_of.opened(place) as accounts:
        ended = accounts.remove(name)
    if as_json:
        terminal.say_json({"removed": name, "ended_tokens": ended})
    else:
        terminal.say(f"removed {visible(name)}")
        tell_ended(ended)


@command.command("sessions")
@JSON
@place_options
def sessions(place: Place, *, as_json: bool) -> None:
    """List who is signed in: account, name, role, since when, from where, with what; and the id.

    An account is a user's name, or stands for somebody at the OpenID Connect provider.
    """
    with accounts_of.opened(place) as accounts:
        held = accounts.sessions()
    if as_json:
        terminal.say_json(held, indent=2)
        return
    for one in held.sessions:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created_at))
        facts = (one.account, one.name, one.role or "-", since, one.address, one.agent, one.id)
        terminal.say("\t".join(map(visible, facts)))
    if held.more:
        terminal.complain("-- there are more sessions than are listed")


@command.command("sign-out")
@click.argument("account")
@click.option("--id", "identity", help="Only this session, as `sessions` lists it.")
@JSON
@place_options
def sign_out(account: str, identity: str | None, place: Place, *, as_json: bool) -> None:
    """End all sessions of an ACCOUNT; open pages are cut within a second."""
    with accounts_of.opened(place) as accounts:
        accounts.end_sessions(account, identity)
    if as_json:
        terminal.say_json({"signed_out": account, "session": identity})
    else:
        terminal.say(f"signed out {visible(account)}")


def _request(kind: type[RequestT], **fields: object) -> RequestT:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        leave(plain_words.sentence(str(error)), accounts_of.EXIT_REFUSED)


def tell_ended(labels: list[str]) -> None:
    """Name the tokens that ended with a change, if there are any."""
    if labels:
        terminal.say(f"ended with it: the tokens {visible(', '.join(labels))}")


def _tell(line: str, user: UserInfo, password: str | None, *, as_json: bool) -> None:
    if as_json:
        shown = {} if password is None else {"password": password}
        terminal.say_json({**msgspec.to_builtins(user), **shown}, indent=2)
        return
    terminal.say(visible(line))
    tell_ended(user.ended_tokens)
    if password is not None:
        terminal.say(f"password: {password}")
