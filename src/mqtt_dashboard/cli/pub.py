"""`mqtt-dashboard pub`: publish one message as a durable command, and wait for its result."""

import base64
import binascii
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import click

from mqtt_dashboard.cli import terminal
from mqtt_dashboard.cli.server import (
    JSON,
    LostError,
    Server,
    document,
    opened,
    server_options,
    wait_until,
)
from mqtt_dashboard.cli.terminal import CommandError, leave, payload_line, visible
from mqtt_dashboard.cli.topic_words import complete_topics
from mqtt_dashboard.contract import codec, orders, topics
from mqtt_dashboard.contract.commands import QoS
from mqtt_dashboard.contract.messages import MessageReceived
from mqtt_dashboard.contract.orders import CommandMode, CommandRecord, CommandRequest
from mqtt_dashboard.errors import FieldRefusedError, TopicError

WAIT_S: Final = 20.0
GRACE_S: Final = 5.0
AGAIN_S: Final = 1.0
MAX_REPLY_S: Final = 3600.0
LEAST_QOS: Final[dict[str, QoS]] = {"at-least-once": 1, "exactly-once": 2}
STATUS: Final = {
    "acked": terminal.EXIT_DONE,
    "sent": terminal.EXIT_DONE,
    "failed": terminal.EXIT_FAILED,
    "expired": terminal.EXIT_EXPIRED,
    "indeterminate": terminal.EXIT_INDETERMINATE,
    "accepted": terminal.EXIT_NO_RESULT,
}


@click.command(
    "pub",
    cls=terminal.Command,
    epilog="""
    \b
    Examples:
      mqtt-dashboard pub lamps/1/set on
      echo '{"on": true}' | mqtt-dashboard pub lamps/1/set - --content-type application/json
      mqtt-dashboard pub firmware/7 --file image.bin --mode exactly-once --deadline 600
      mqtt-dashboard pub state/door '' --retain         deletes the retained value
      mqtt-dashboard pub jobs/run 7 --key job-7         twice is once
      mqtt-dashboard pub ask/lamp '?' --response-topic answers/me --wait-reply 5

    \b
    Exit status: 0 confirmed (QoS 0: sent) and, if one was waited for, replied to;
    1 refused by the dashboard, 2 wrong usage, 3 no dashboard, 4 not allowed,
    5 failed at the broker, 6 expired, 7 indeterminate: nobody can tell,
    8 no result yet, 9 confirmed, but no reply came in time, 130 interrupted.
    """,
)
@click.argument("topic", shell_complete=complete_topics)
@click.argument("payload", required=False)
@click.option(
    "--file", "file", type=click.Path(path_type=Path), help="Send the bytes of this file."
)
@click.option(
    "-q", "--qos", type=click.IntRange(0, 2), help="0, 1 or 2.  [default: 1; exactly-once 2]"
)
@click.option("-r", "--retain", is_flag=True, help="Let the broker keep it.")
@click.option(
    "--mode",
    type=click.Choice(["at-most-once", "at-least-once", "exactly-once"]),
    help="What happens when it is unclear whether it was sent; see docs/reference/cli.md.",
)
@click.option(
    "--deadline",
    type=click.FloatRange(0, orders.MAX_DEADLINE_S, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds within which it may be sent.",
)
@click.option("--key", help="Idempotency key: the same key again does nothing twice.")
@click.option("--content-type", help="Property: content type.")
@click.option("--response-topic", help="Property: where a reply is expected.")
@click.option("--correlation", help="Property: correlation data, as text or base64:….")
@click.option("--expiry", type=click.IntRange(1, 4_294_967_295), help="Property: seconds.")
@click.option(
    "--payload-format", type=click.Choice(["bytes", "text"]), help="Property: what is declared."
)
@click.option("-u", "--user-property", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option(
    "--wait-reply",
    type=click.FloatRange(0, MAX_REPLY_S, min_open=True),
    metavar="SECONDS",
    help="Wait so long for the reply on --response-topic, and write it.",
)
@click.option("--wait/--no-wait", default=True, help="Wait for the result.  [default: wait]")
@JSON
@server_options
def command(
    topic: str,
    payload: str | None,
    *,
    file: Path | None,
    qos: int | None,
    mode: str | None,
    key: str | None,
    correlation: str | None,
    payload_format: str | None,
    user_property: tuple[str, ...],
    url: str | None,
    token: str | None,
    token_file: Path | None,
    retain: bool,
    deadline: float,
    content_type: str | None,
    response_topic: str | None,
    expiry: int | None,
    wait_reply: float | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Publish PAYLOAD on TOPIC through the dashboard and wait for what becomes of it.

    PAYLOAD is text; - reads standard input, --file a file; without any it is empty. The command is
    kept until it has its result, also when the bridge or the broker is away meanwhile.

    With --wait-reply the response topic is watched from before the request on; the reply is what
    has the same correlation data, which is made up unless --correlation says one.
    """
    if wait_reply is not None:
        _check_question(response_topic, wait=wait)
        correlation = correlation or secrets.token_hex(8)
    server = opened(url, token, token_file)
    text, encoding = codec.payload_to_text(_payload(payload, file))
    request = document(
        CommandRequest,
        topic=topic,
        payload=text,
        encoding=encoding,
        qos=qos if qos is not None else LEAST_QOS.get(mode or "", 1),
        retain=retain,
        mode=cast("CommandMode | None", mode),
        deadline_s=deadline,
        content_type=content_type,
        response_topic=response_topic,
        correlation_data=_correlation(correlation),
        message_expiry_s=expiry,
        payload_format={"bytes": 0, "text": 1}.get(payload_format or ""),
        user_properties=[_pair(one) for one in user_property],
    )
    if wait_reply is not None:
        _ask(server, request, key, wait_reply, as_json=as_json)
    record = _accepted(server, request, key)
    if wait:
        record = _result(server, record, deadline)
    _tell(record, as_json=as_json)
    sys.exit(STATUS[record.state] if wait else terminal.EXIT_DONE)


def _check_question(response_topic: str | None, *, wait: bool) -> None:
    """Require a topic for the reply to come on, and a request that is known to be sent."""
    if response_topic is None:
        leave("--wait-reply needs --response-topic: where the reply comes", terminal.EXIT_USAGE)
    if not wait:
        leave("--wait-reply and --no-wait exclude each other", terminal.EXIT_USAGE)
    try:
        topics.check_topic(response_topic)
    except TopicError as error:
        leave(f"--response-topic: {error}", terminal.EXIT_USAGE)


def _ask(
    server: Server, request: CommandRequest, key: str | None, seconds: float, *, as_json: bool
) -> NoReturn:
    """Publish a request, wait for its result and then for the reply; end with their status."""
    # The live channel's libraries take a while to load.
    from mqtt_dashboard.cli.replies import Replies  # noqa: PLC0415

    topic = request.response_topic or ""
    reply: MessageReceived | None = None
    with Replies(server, topic, request.correlation_data or b"", _notice) as replies:
        began = time.monotonic()
        record = _result(server, _accepted(server, request, key), request.deadline_s)
        status = STATUS[record.state]
        if status == terminal.EXIT_DONE:
            reply = replies.wait(seconds)
        why = replies.lost or f"no reply on {topic} within {seconds:g} s"
    took = None if reply is None else replies.came_at - began
    if as_json:
        asked = {"command": record, "reply": reply, "round_trip_s": took, "others": replies.others}
        terminal.say_json(asked)
    else:
        _tell(record, as_json=False)
        if reply is not None and took is not None:
            payload = payload_line(reply.payload, reply.encoding)
            terminal.say(f"reply  {visible(topic)} after {took * 1000:.0f} ms: {payload}")
        if replies.others:
            _notice(f"{replies.others} others on {topic}: of other correlation data, or of none")
    if status == terminal.EXIT_DONE and reply is None:
        leave(why, terminal.EXIT_TOO_FEW)
    sys.exit(status)


def _notice(text: str) -> None:
    terminal.complain(f"-- {text}")


def _payload(payload: str | None, file: Path | None) -> bytes:
    if file is not None and payload is not None:
        leave("give PAYLOAD or --file, not both", terminal.EXIT_USAGE)
    most = orders.MAX_PAYLOAD_BYTES
    try:
        if file is not None:
            with file.open("rb") as source:
                found = source.read(most + 1)
        elif payload == "-":
            found = sys.stdin.buffer.read(most + 1)
        else:
            found = os.fsencode(payload or "")
    except OSError as error:
        leave(f"cannot read {file or 'standard input'}: {error.strerror}", terminal.EXIT_USAGE)
    if len(found) > most:
        leave(f"the payload has more than {most} bytes", terminal.EXIT_USAGE)
    return found


def _correlation(text: str | None) -> str | None:
    if text is None:
        return None
    if not text.startswith("base64:"):
        return base64.b64encode(os.fsencode(text)).decode("ascii")
    try:
        base64.b64decode(text[7:], validate=True)
    except (binascii.Error, ValueError) as error:
        leave(f"--correlation: not base64: {error}", terminal.EXIT_USAGE)
    return text[7:]


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        leave("--user-property is written NAME=VALUE", terminal.EXIT_USAGE)
    return name, value


def _accepted(server: Server, request: CommandRequest, key: str | None) -> CommandRecord:
    headers = {}
    if key is not None:
        try:
            headers["Idempotency-Key"] = orders.check_key(key)
        except FieldRefusedError as error:
            leave(f"--key: {error}", terminal.EXIT_USAGE)
    try:
        return server.send("POST", "/api/commands", CommandRecord, request, headers)
    except CommandError as error:
        if not _is_open(error):
            raise
        advice = "repeat it with the same --key" if key else "with --key it could be repeated"
        told = f"{error}: it is not known whether the message was accepted; {advice}"
        raise CommandError(told, terminal.EXIT_INDETERMINATE) from error


def _is_open(error: CommandError) -> bool:
    """Tell whether it may have been accepted although no good answer came."""
    if isinstance(error, LostError):
        return True
    # A proxy's word says nothing; the dashboard's own says whether Redis was asked.
    return error.status == terminal.EXIT_UNREACHABLE and error.code == "unavailable"


def _result(server: Server, record: CommandRecord, deadline_s: float) -> CommandRecord:
    """Wait for the result; the record as it is then, without one when it takes too long."""
    until = time.monotonic() + deadline_s + GRACE_S
    trouble: CommandError | None = None
    try:
        while record.state == "accepted" and (left := until - time.monotonic()) > 0:
            query: dict[str, Any] = {"wait": f"{min(WAIT_S, left):.3f}"}
            try:
                path = f"/api/commands/{record.id}"
                record = server.get(path, CommandRecord, query, timeout=WAIT_S + GRACE_S)
                trouble = None
            except CommandError as error:
                # It was accepted: whatever is wrong now is no refusal of the message.
                trouble = error
                if not error.passing:
                    break
                wait_until(until, AGAIN_S)
    except KeyboardInterrupt:
        terminal.complain(f"accepted as {record.id}; its result was not waited for")
        raise
    if trouble is not None:
        told = f"accepted as {record.id}, but its result cannot be asked for: {trouble}"
        raise CommandError(told, terminal.EXIT_NO_RESULT) from trouble
    return record


def _tell(record: CommandRecord, *, as_json: bool) -> None:
    if as_json:
        terminal.say_json(record)
        return
    code = "" if not record.code else f" (0x{record.code:02X})"
    reason = visible(record.reason)
    again = "  repeated: sent before under this key" if record.repeated else ""
    what = f"{record.state}  {visible(record.topic)}: {reason}{code}"
    terminal.say(f"{what}  [{visible(record.id)}]{again}")
