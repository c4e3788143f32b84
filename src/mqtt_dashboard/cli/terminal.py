"""What the commands write: nothing from outside may steer the terminal, and ends are quiet.

Topics, payloads and the server's sentences come from anybody. Control characters, also those of
the C1 set, and characters that move or reverse text are written out as escapes.
"""

import json
import os
import re
import sys
from typing import Any, Final, NoReturn

import click
import msgspec

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.messages import Encoding
from mqtt_dashboard.errors import ContractError, DashboardError

EXIT_DONE: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREACHABLE: Final = 3
EXIT_NOT_ALLOWED: Final = 4
EXIT_FAILED: Final = 5
EXIT_EXPIRED: Final = 6
EXIT_INDETERMINATE: Final = 7
EXIT_NO_RESULT: Final = 8
EXIT_TOO_FEW: Final = 9
EXIT_INTERRUPTED: Final = 130

# The server's word for an exhausted request limit.
TOO_MANY: Final = "too_many"

_UNSAFE: Final = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


class CommandError(DashboardError):
    """A command cannot go on: one sentence, and the exit status that stands for its kind.

    ``code`` is the server's short word for a refusal, None when it was not the server's.
    """

    def __init__(self, message: str, status: int = EXIT_ERROR, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def passing(self) -> bool:
        """Tell whether the same may well be served a little later."""
        return self.status == EXIT_UNREACHABLE or self.code == TOO_MANY


class Command(click.Command):
    """A command whose errors are one line, and which ends quietly when it is interrupted."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; turn errors into a line and a status."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except CommandError as error:
            complain(str(error))
            sys.exit(error.status)
        except BrokenPipeError:
            # Whoever read it has seen enough. Nothing more may be written, not even at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(EXIT_DONE)
        except KeyboardInterrupt:
            sys.exit(EXIT_INTERRUPTED)
        return result


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


def visible(text: str) -> str:
    """Return text on one line, with everything written out that would steer a terminal."""
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def payload_line(payload: str, encoding: Encoding) -> str:
    """Return a payload on one line; bytes that are no text as base64."""
    return visible(payload) if encoding == "utf8" else f"base64:{visible(payload)}"


def payload_bytes(payload: str, encoding: Encoding) -> bytes:
    """Return the bytes of a payload; what a broken server calls base64 is left as it is."""
    try:
        return codec.text_to_payload(payload, encoding)
    except ContractError:
        return payload.encode("utf-8", "replace")


def say(line: str) -> None:
    """Write a line whose parts are visible already, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say_json(document: object, *, indent: int | None = None) -> None:
    """Write a document as JSON of ASCII characters only, at once."""
    plain = msgspec.to_builtins(document)
    text = json.dumps(plain, ensure_ascii=True, indent=indent).replace("\x7f", "\\u007f")
    say(text)


def complain(line: str) -> None:
    """Write one line to standard error."""
    click.echo(visible(line), err=True)


def leave(message: str, status: int) -> NoReturn:
    """End the command with a sentence."""
    raise CommandError(message, status)
