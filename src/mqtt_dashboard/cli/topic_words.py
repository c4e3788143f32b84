"""Filters as the commands take them: checked before anybody is asked, completed by a dashboard."""

import re
from typing import Final

import click
from click.shell_completion import CompletionItem

from mqtt_dashboard.cli import terminal
from mqtt_dashboard.cli.server import opened
from mqtt_dashboard.cli.terminal import CommandError, leave
from mqtt_dashboard.contract import topics
from mqtt_dashboard.contract.api import TopicsReply
from mqtt_dashboard.errors import TopicError

# Whoever presses the tab key does not wait longer.
COMPLETE_S: Final = 1.0
MOST_OFFERED: Final = 50
# Topics come from anybody: what a shell would split, expand or run is never put on a command line.
SAFE: Final = re.compile(r"[A-Za-z0-9_./@%+=,-]+")


def checked_filter(text: str) -> str:
    """Return a filter that can be watched; raise `CommandError` (wrong usage) otherwise."""
    try:
        group, _ = topics.split_shared(topics.check_filter(text))
    except TopicError as error:
        leave(f"{text}: {error}", terminal.EXIT_USAGE)
    if group is not None:
        leave(
            f"{text}: a shared subscription cannot be watched; leave out $share/<group>/",
            terminal.EXIT_USAGE,
        )
    return text


def complete_topics(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001 - click's signature
    incomplete: str,
) -> list[CompletionItem]:
    """Return topics the dashboard knows that begin like this; none when it does not answer."""
    given = ctx.params
    query = {"prefix": incomplete, "limit": str(MOST_OFFERED)}
    try:
        server = opened(given.get("url"), given.get("token"), given.get("token_file"))
        page = server.get("/api/topics", TopicsReply, query, timeout=COMPLETE_S)
    except CommandError:
        return []
    return [CompletionItem(one.topic) for one in page.topics if SAFE.fullmatch(one.topic)]
