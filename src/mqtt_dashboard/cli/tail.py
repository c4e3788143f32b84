"""`mqtt-dashboard tail`: messages of some filters as they come."""

import sys
import time
from pathlib import Path

import click
import msgspec

from mqtt_dashboard.cli import terminal
from mqtt_dashboard.cli.server import JSON, opened, server_options
from mqtt_dashboard.cli.terminal import leave, payload_bytes, payload_line, visible
from mqtt_dashboard.cli.topic_words import checked_filter, complete_topics
from mqtt_dashboard.contract.messages import MessageReceived


@click.command(
    "tail",
    cls=terminal.Command,
    epilog="""
    \b
    Examples:
      mqtt-dashboard tail 'lamps/#'
      mqtt-dashboard tail 'a/+/state' 'b/#' --json | jq .payload
      mqtt-dashboard tail --count 1 --payload answers/me
      mqtt-dashboard tail '#' --for 60 > minute.txt

    \b
    Exit status: 0 done, 2 wrong usage, 3 no dashboard, 4 not allowed, 9 --count messages did not
    come within --for seconds, 130 interrupted.
    """,
)
@click.argument(
    "filters", nargs=-1, required=True, metavar="FILTER...", shell_complete=complete_topics
)
@click.option("-n", "--count", type=click.IntRange(min=1), help="End after so many messages.")
@click.option(
    "--for", "seconds", type=click.FloatRange(0, min_open=True), help="End after so many seconds."
)
@click.option("--recent", is_flag=True, help="Begin with the newest messages from before.")
@click.option("--payload", "only_payload", is_flag=True, help="Write payloads only.")
@click.option("-v", "--verbose", is_flag=True, help="Write QoS, retain and properties, too.")
@click.option("--raw", is_flag=True, help="Write topics and payloads as they are: unsafe.")
@JSON
@server_options
def command(
    filters: tuple[str, ...],
    count: int | None,
    seconds: float | None,
    url: str | None,
    token: str | None,
    token_file: Path | None,
    *,
    recent: bool,
    only_payload: bool,
    verbose: bool,
    raw: bool,
    as_json: bool,
) -> None:
    r"""Write the messages of all FILTERs, one a line: time, topic, payload.

    Control characters are written out (\x1b), bytes that are no text as base64:…, so nothing a
    device sends can steer your terminal; --raw writes everything as it is. A slow reader is sent
    less: what was skipped is said on standard error. A lost connection is opened again, and what
    came meanwhile follows as far as the message log still has it.
    """
    server = opened(url, token, token_file)
    for one in filters:
        checked_filter(one)
    # The live channel's libraries take a while to load.
    from mqtt_dashboard.cli.live import Tail  # noqa: PLC0415

    tail = Tail(server, filters, lambda text: terminal.complain(f"-- {text}"), recent=recent)
    left = count
    for message in tail.messages(seconds):
        _write(message, only_payload=only_payload, verbose=verbose, raw=raw, as_json=as_json)
        if left is not None:
            left -= 1
            if left == 0:
                return
    if left is not None:
        leave(f"{left} of {count} messages did not come in time", terminal.EXIT_TOO_FEW)


def _write(
    message: MessageReceived, *, only_payload: bool, verbose: bool, raw: bool, as_json: bool
) -> None:
    if as_json:
        terminal.say_json(message)
    elif raw:
        _write_raw(message, only_payload=only_payload)
    else:
        payload = payload_line(message.payload, message.encoding)
        if message.truncated:
            payload += f" … [cut, {message.size} bytes in all]"
        if only_payload:
            terminal.say(payload)
            return
        moment = time.strftime("%H:%M:%S", time.localtime(message.timestamp))
        millis = int(message.timestamp % 1 * 1000)
        about = f"  {_about(message)}" if verbose else ""
        terminal.say(f"{moment}.{millis:03}{about}  {visible(message.topic)}  {payload}")


def _write_raw(message: MessageReceived, *, only_payload: bool) -> None:
    payload = payload_bytes(message.payload, message.encoding)
    topic = b"" if only_payload else message.topic.encode("utf-8", "replace") + b"  "
    sys.stdout.buffer.write(topic + payload + b"\n")
    sys.stdout.buffer.flush()


def _about(message: MessageReceived) -> str:
    words = [f"qos={message.qos}"]
    words += ["retain"] if message.retain else []
    words += ["dup"] if message.dup else []
    found = msgspec.to_builtins(message.properties) if message.properties else {}
    for name, value in found.items():
        if name == "user_properties":
            words += [f"{visible(key)}={visible(text)}" for key, text in value]
        else:
            words.append(f"{name}={visible(str(value))}")
    return f"[{' '.join(words)}]"
