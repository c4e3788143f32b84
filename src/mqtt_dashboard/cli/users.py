"""`mqtt-dashboard users`: who may sign in, and as what."""

import sys
from typing import TypeVar

import click
import msgspec

from mqtt_dashboard.cli import accounts_of
from mqtt_dashboard.contract.auth import UserChange, UserCreate
from mqtt_dashboard.contract.policy import Role

RequestT = TypeVar("RequestT", UserCreate, UserChange)

GENERATE = click.option("--generate", is_flag=True, help="Make a password and print it.")
READ = click.option("--read", multiple=True, help="Filter that may be read; may be repeated.")
PUBLISH = click.option(
    "--publish", multiple=True, help="Filter that may be published to; may be repeated."
)


@click.group(
    "users",
    epilog="""
    \b
    Examples:
      mqtt-dashboard users add ada --role operator --publish 'lamps/#'
      mqtt-dashboard users passwd ada --generate
      mqtt-dashboard users role ada viewer --read 'hall/#'
    """,
)
def command() -> None:
    """List and change the users who may sign in.

    Works on the Redis of the environment (REDIS_HOST, REDIS_PASSWORD, REDIS_PREFIX). A password is
    asked for, or read from standard input. Changes hold at once: open pages that lose rights are
    cut within a second. Exit status: 0 done, 1 refused, 2 unusable settings.
    """


@command.command("list")
def list_users() -> None:
    """List all users with role and filters."""
    with accounts_of.opened() as accounts:
        users = accounts.users()
    for user in users:
        read, publish = accounts_of.in_words(user.read), accounts_of.in_words(user.publish)
        click.echo(f"{user.name}\t{user.role}\tread {read}\tpublish {publish}")


@command.command("add")
@click.argument("name")
@click.option("--role", type=accounts_of.ROLES, default="viewer", show_default=True)
@READ
@PUBLISH
@GENERATE
def add(
    name: str, role: Role, read: tuple[str, ...], publish: tuple[str, ...], *, generate: bool
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
    with accounts_of.opened("user_add", name, f"role {role}") as accounts:
        accounts.add(request)
    _tell(f"added {name} as {role}", password, show=show)


@command.command("passwd")
@click.argument("name")
@GENERATE
def passwd(name: str, *, generate: bool) -> None:
    """Set a user's password; all sessions of that user end."""
    password, show = accounts_of.new_password(generate=generate)
    with accounts_of.opened("user_change", name, "a new password") as accounts:
        accounts.change(name, _request(UserChange, password=password))
    _tell(f"changed the password of {name}", password, show=show)


@command.command("role")
@click.argument("name")
@click.argument("role", type=accounts_of.ROLES)
@READ
@PUBLISH
def set_role(name: str, role: Role, read: tuple[str, ...], publish: tuple[str, ...]) -> None:
    """Set a user's role and filters; without filters those of the role hold."""
    change = UserChange(role=role, read=list(read) or None, publish=list(publish) or None)
    with accounts_of.opened("user_change", name, f"role: {role}") as accounts:
        accounts.change(name, change)
    click.echo(f"{name} is {role} now")


@command.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Remove a user; the last administrator stays."""
    with accounts_of.opened("user_remove", name) as accounts:
        accounts.remove(name)
    click.echo(f"removed {name}")


def _request(kind: type[RequestT], **fields: object) -> RequestT:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        click.echo(str(error), err=True)
        sys.exit(accounts_of.EXIT_REFUSED)


def _tell(line: str, password: str, *, show: bool) -> None:
    click.echo(line)
    if show:
        click.echo(f"password: {password}")
