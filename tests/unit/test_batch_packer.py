"""Commands leave as redis-py itself would write them, however they are packed."""

from typing import Any

import pytest
from redis.connection import HiredisRespSerializer
from redis.exceptions import DataError

from mqtt_dashboard.bus.connection import LONG_COMMAND, BatchPacker

MANY = [b"\x00\xff\r\n%d" % number for number in range(2 * LONG_COMMAND)]
COMMANDS: list[list[Any]] = [
    ["PING"],
    ["CLIENT SETNAME", "name"],
    ["EVALSHA", "0" * 40, 1, "key", 2.5, "ü", *MANY],
    ["CLIENT SETNAME", *MANY],
    ["EVALSHA", *MANY, memoryview(b"view"), bytearray(b"array")],
    ["EVALSHA", *MANY[: LONG_COMMAND - 2]],
    ["EVALSHA", *MANY[: LONG_COMMAND - 1]],
]


@pytest.mark.parametrize("command", COMMANDS, ids=range(len(COMMANDS)))
def test_a_command_is_written_as_redis_py_would(command: list[Any]) -> None:
    """Binary arguments, numbers, text, and names of two words: byte for byte the same."""
    assert b"".join(BatchPacker().pack(*command)) == b"".join(
        HiredisRespSerializer().pack(*command)
    )


def test_what_cannot_be_written_is_said_so() -> None:
    """An argument of another type is an error of redis-py, in a long command, too."""
    with pytest.raises(DataError):
        BatchPacker().pack("EVALSHA", *MANY, None)
