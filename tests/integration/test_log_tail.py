"""The end of the message log in a real Redis, from the message an index is whole up to."""

import itertools

from mqtt_dashboard.bus.connection import open_client
from mqtt_dashboard.bus.log_tail import TAIL_S, LogTail, Tail
from mqtt_dashboard.config import RedisSettings, load
from mqtt_dashboard.contract import CONTRACT_VERSION, codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import Batch, LogMessage
from tests.support.servers import RedisServer

NAMES = RedisChannels()


def test_the_end_of_the_log_is_found_and_read(redis_server: RedisServer) -> None:
    """From the entry with the mark on, oldest first; it is said when the log does not reach it."""
    redis = redis_server.client()
    options = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_server.port)}
    client = open_client(load(RedisSettings, options), "test")
    tail = LogTail(client, NAMES, "test")
    assert tail.find((5, 1)) == Tail(None, reached=True)
    for seq in range(1, 400, 2):
        messages = [
            LogMessage(f"t/{seq + one}", b"x" * 900, 0, False, False, 1.0) for one in (0, 1)
        ]
        redis.xadd(NAMES.message_log, {"b": codec.pack(Batch(CONTRACT_VERSION, 5, seq, messages))})
    redis.xadd(NAMES.message_log, {"b": b"\xc1"})
    found = list(tail.read(tail.find((5, 370))))
    assert [one.first_seq if one else None for one in found] == [*range(369, 400, 2), None]
    assert tail.find((5, 0)).reached
    assert not tail.find((4, 9)).reached
    clock = itertools.count(step=TAIL_S / 10)
    cut = tail.find((5, 1), lambda: next(clock))
    assert not cut.reached
    assert cut.start is not None
    assert 0 < len(list(tail.read(cut))) < 20
    client.close()
