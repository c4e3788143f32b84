"""`mqtt-dashboard topics`: what the topic index knows."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from mqtt_dashboard.cli import terminal
from mqtt_dashboard.cli.server import JSON, Server, opened, server_options
from mqtt_dashboard.cli.terminal import complain, leave, payload_line, visible
from mqtt_dashboard.cli.topic_words import checked_filter
from mqtt_dashboard.contract.api import TopicInfo, TopicsReply

PAGE: Final = 1000
VALUE_CHARACTERS: Final = 60

Tree = dict[str, "Tree"]


@click.command(
    "topics",
    cls=terminal.Command,
    epilog="""
    \b
    Examples:
      mqtt-dashboard topics
      mqtt-dashboard topics 'lamps/+/state'
      mqtt-dashboard topics --search 'hall temperature' --limit 20
      mqtt-dashboard topics 'plant/#' --tree
      mqtt-dashboard topics --json | jq -r 'select(.last_retained) | .topic'

    \b
    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no dashboard, 4 not allowed.
    """,
)
@click.argument("topic_filter", required=False, metavar="[FILTER]")
@click.option("--search", help="Words that must all be in the topic.")
@click.option("--tree", is_flag=True, help="Draw the levels, with the number of topics below.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Topics at most."
)
@JSON
@server_options
def command(
    topic_filter: str | None,
    search: str | None,
    limit: int,
    url: str | None,
    token: str | None,
    token_file: Path | None,
    *,
    tree: bool,
    as_json: bool,
) -> None:
    """List the topics on which messages were seen, with their last values.

    A line has the messages' number, the seconds since the last one, topic and value, with tabs
    between. With --json each line is a JSON document.
    """
    if tree and as_json:
        leave("--tree and --json exclude each other", terminal.EXIT_USAGE)
    query: dict[str, str] = {}
    if topic_filter is not None:
        query["filter"] = checked_filter(topic_filter)
    if search is not None:
        query["search"] = search
    server = opened(url, token, token_file)
    root: Tree = {}
    found = 0
    for info in _pages(server, query, limit):
        found += 1
        if tree:
            _plant(root, info.topic)
        elif as_json:
            terminal.say_json(info)
        else:
            terminal.say(_line(info))
    if tree:
        _draw(root, "")
    if found >= limit:
        complain(f"-- {limit} topics shown; there may be more: --limit")


def _pages(server: Server, query: dict[str, str], limit: int) -> Iterator[TopicInfo]:
    after: str | None = None
    left = limit
    while left > 0:
        asked = {**query, "limit": str(min(PAGE, left))}
        if after is not None:
            asked["after"] = after
        page = server.get("/api/topics", TopicsReply, asked)
        if after is None and page.stale:
            complain("-- the index may be out of date: no bridge has renewed it lately")
        yield from page.topics
        left -= len(page.topics)
        after = page.next
        if after is None:
            return


def _line(info: TopicInfo) -> str:
    age = max(0.0, time.time() - info.last_seen)
    value = payload_line(info.last_payload, info.encoding)
    if len(value) > VALUE_CHARACTERS or info.truncated:
        value = f"{value[:VALUE_CHARACTERS]}…"
    kept = "\tretained" if info.last_retained else ""
    return f"{info.message_count}\t{age:.0f} s\t{visible(info.topic)}\t{value}{kept}"


def _plant(root: Tree, topic: str) -> None:
    here = root
    for level in topic.split("/"):
        here = here.setdefault(level, {})
    # A mark that no level can be: topics hold no U+0000. This is a topic, not only a way to some.
    here["\0"] = {}


def _topics_in(tree: Tree) -> int:
    """Count without recursion: a topic may have 32,768 levels."""
    total, waiting = 0, [tree]
    while waiting:
        here = waiting.pop()
        total += "\0" in here
        waiting += [below for name, below in here.items() if name != "\0"]
    return total


def _draw(tree: Tree, indent: str) -> None:
    waiting = [(indent, name, below) for name, below in reversed(_children(tree))]
    while waiting:
        before, name, below = waiting.pop()
        children = _children(below)
        # A way without branches is one line.
        while len(children) == 1 and "\0" not in below:
            (step, below) = children[0]
            name = f"{name}/{step}"
            children = _children(below)
        count = _topics_in(below)
        terminal.say(f"{before}{visible(name)}{f'  ({count})' if children else ''}")
        waiting += [(f"{before}  ", *child) for child in reversed(children)]


def _children(tree: Tree) -> list[tuple[str, Tree]]:
    return [(name, below) for name, below in tree.items() if name != "\0"]
