"""Write docs/reference/cli.md from the commands' help, or tell with --check whether it is fresh."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from mqtt_dashboard.cli import main as program

TARGET = Path(__file__).parents[1] / "docs/reference/cli.md"
HEAD = """\
# The command line

Generated from the commands' own `--help` by `make generate`.

| commands | what they work on |
|---|---|
| `serve`, `up`, `demo` | they are the service |
| `pub`, `tail`, `topics` | a running dashboard, over HTTP and Socket.IO, like the page |
| `users`, `tokens`, `audit` | Redis, for the first administrator; or a running dashboard |
| `config`, `doctor` | the environment; `doctor` also the running system |

## A dashboard to talk to

`--url`, or `MQTT_DASHBOARD_URL`, names it; `http://127.0.0.1:8082` without. Where sign-in is
needed a token says who is asking: `MQTT_DASHBOARD_TOKEN`, `MQTT_DASHBOARD_TOKEN_FILE`,
`--token-file` or, visible to everybody on the machine, `--token`. It is never written anywhere,
and never sent on when the address answers with a redirect. `users`, `tokens` and `audit` say on
standard error when it was the variable that led them to a dashboard, so that one left over from
yesterday surprises nobody; `--redis` works on Redis whatever it says.

## Exit status

| status | meaning |
|---|---|
| 0 | done; `pub`: confirmed by the broker (QoS 0: sent) |
| 1 | refused; the line says why |
| 2 | wrong usage, or settings that cannot be used |
| 3 | no dashboard answers, or it cannot serve now |
| 4 | not signed in, or not allowed |
| 5 | `pub`: failed, the broker refused it or there was no way to send it |
| 6 | `pub`: expired, not sent before its deadline |
| 7 | `pub`: indeterminate, nobody can tell whether it arrived |
| 8 | `pub`: accepted, but no result could be had; it has one later under `/api/commands/<id>` |
| 9 | `tail`: less than `--count` came within `--for`; `pub`: no reply within `--wait-reply` |
| 130 | interrupted |

The modes of `pub --mode` are those of [durable commands](../architecture/durable-commands.md).

## What is written

Results go to standard output, everything about them to standard error, one line each. Topics,
payloads and the server's sentences come from anybody: control characters and those that move or
reverse text are written as `\\x1b` or `\\u202e`, bytes that are no text as `base64:…`. JSON
consists of ASCII characters. Only `tail --raw` writes what came as it came.

`tail` is sent no more than it takes: what a slow reader was not sent is counted on standard
error (`-- 12 messages skipped here …`). After a lost connection it goes on where it was, as far
as the message log still has what came since; where something is missing it says so. Payloads
longer than `FRAME_PAYLOAD_BYTES` are cut, and marked.

## Completion

`eval "$(mqtt-dashboard completion bash)"` in `~/.bashrc`; zsh and fish likewise. `pub` and `tail`
complete topics, too, when the dashboard answers within a second; topics with characters that a
shell would split, expand or run are never offered.
"""


def main() -> int:
    """Write the file, or compare it."""
    text = HEAD + "".join(_sections(program, "mqtt-dashboard"))
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("docs/reference/cli.md is stale; run: make generate")
    return 1


def _sections(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[str]:
    context = command.make_context(
        name, [], parent, resilient_parsing=True, terminal_width=96, max_content_width=96
    )
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    text = "\n".join(lines).strip()
    yield f"\n## `{context.command_path}`\n\n```\n{text}\n```\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None:
                yield from _sections(found, below, context)


if __name__ == "__main__":
    sys.exit(main())
