"""Both ways a batch gets into the message log: a script when it is small, else a transaction."""

import pytest

from mqtt_dashboard.bus.connection import Pipeline, open_client
from mqtt_dashboard.bus.log_writer import LARGE_BYTES, LogWriter
from mqtt_dashboard.config import RedisSettings, load
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.errors import BusStateError, FencedError
from tests.support.servers import RedisServer, wait_for

NAMES = RedisChannels()
EPOCH = 7
KEPT = 1000
HIGHEST_ID = f"{2**64 - 1}-{2**64 - 1}"


@pytest.fixture(params=[1, LARGE_BYTES], ids=["script", "transaction"])
def size(request: pytest.FixtureRequest) -> int:
    """Bytes of each message."""
    return int(request.param)


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    """Redis under the rule of one bridge."""
    redis_server.client().set(NAMES.bridge_epoch, EPOCH)
    return redis_server


def writer_at(redis: RedisServer, kind: type[LogWriter] = LogWriter) -> LogWriter:
    """Return a writer with a client of its own."""
    settings = load(RedisSettings, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port)})
    return kind(open_client(settings, "test"), NAMES, settings.address)


def texts(size: int, *numbers: int) -> list[bytes]:
    """Return documents of which each is as large."""
    return [b"%d" % number * size for number in numbers]


def logged(redis: RedisServer) -> list[bytes]:
    """Return every entry of the log."""
    return [fields[b"b"] for _id, fields in redis.client().xrange(NAMES.message_log)]


def test_which_way_a_batch_goes(redis: RedisServer, size: int) -> None:
    """What the other tests compare are really two ways."""
    writer_at(redis).append(EPOCH, 1, b"p" * size, texts(size, 1), KEPT)
    calls = redis.client().info("commandstats")
    assert ("cmdstat_exec" in calls) == (size == LARGE_BYTES)


def test_a_retry_is_written_once(redis: RedisServer, size: int) -> None:
    """A batch that is in the log already, or a part of it, is neither written nor published."""
    writer, listener = writer_at(redis), redis.client().pubsub()
    listener.subscribe(NAMES.MQTT_MESSAGES)
    assert listener.get_message(timeout=2)
    four, five = texts(size, 1, 2, 3, 4), texts(size, 5)
    assert writer.append(EPOCH, 1, b"4" * 4 * size, four, KEPT) == 4
    assert writer.append(EPOCH, 1, b"4" * 4 * size, four, KEPT) == 4
    assert writer.append(EPOCH, 1, b"2" * 2 * size, four[:2], KEPT) == 4
    assert writer.append(EPOCH, 5, b"5" * size, five, KEPT) == 5
    assert logged(redis) == [b"4" * 4 * size, b"5" * size]
    heard = [wait_for(lambda: listener.get_message(timeout=1), "it")["data"] for _ in range(5)]
    assert heard == [*four, *five]
    assert listener.get_message(timeout=0.2) is None
    assert redis.client().get(NAMES.log_end) == b"7:5"


def test_a_new_epoch_numbers_anew(redis: RedisServer, size: int) -> None:
    """The end of another epoch says nothing about this one, nor does one that cannot be read."""
    writer = writer_at(redis)
    for end in ("6:900", "7", "7:many", ":", ""):
        redis.client().set(NAMES.log_end, end)
        assert writer.append(EPOCH, 1, b"p" * size, texts(size, 1), KEPT) == 1
    assert len(logged(redis)) == 5


@pytest.mark.parametrize("ruling", [b"8", b"", b"07", None])
def test_another_epoch_is_refused(redis: RedisServer, size: int, ruling: bytes | None) -> None:
    """P55: whoever does not rule writes nothing, also when nobody does."""
    redis.client().delete(NAMES.bridge_epoch)
    if ruling is not None:
        redis.client().set(NAMES.bridge_epoch, ruling)
    with pytest.raises(FencedError):
        writer_at(redis).append(EPOCH, 1, b"p" * size, texts(size, 1), KEPT)
    assert logged(redis) == []
    assert redis.client().get(NAMES.log_end) is None


def test_a_log_of_another_kind_is_left_alone(redis: RedisServer, size: int) -> None:
    """Nothing is published or noted as written that is not in the log."""
    redis.client().set(NAMES.message_log, "no stream")
    with pytest.raises(BusStateError, match="WRONGTYPE"):
        writer_at(redis).append(EPOCH, 1, b"p" * size, texts(size, 1), KEPT)
    assert redis.client().get(NAMES.message_log) == b"no stream"
    assert redis.client().get(NAMES.log_end) is None


def test_what_the_log_refuses_is_not_noted(redis: RedisServer, size: int) -> None:
    """A stream without ids takes nothing: the end stays where it was, so a retry is no copy."""
    redis.client().xadd(NAMES.message_log, {"b": "first"}, id="1-1")
    redis.client().execute_command("XSETID", NAMES.message_log, HIGHEST_ID)
    redis.client().set(NAMES.log_end, "7:3")
    with pytest.raises(Exception, match="exhausted"):
        writer_at(redis).append(EPOCH, 4, b"p" * size, texts(size, 4), KEPT)
    assert redis.client().get(NAMES.log_end) == b"7:3"
    assert logged(redis) == [b"first"]


class _Overtaken(LogWriter):
    """Is overtaken by another bridge right after it looked, once."""

    def _look(self, transaction: Pipeline, epoch: int) -> bytes:
        end = super()._look(transaction, epoch)
        self._client.set(self._names.bridge_epoch, EPOCH + 1)
        return end


def test_the_fence_holds_until_the_transaction_runs(redis: RedisServer) -> None:
    """P55: between looking and writing, too, a bridge may be frozen for as long as it likes."""
    with pytest.raises(FencedError):
        writer_at(redis, _Overtaken).append(
            EPOCH, 1, b"p" * LARGE_BYTES, texts(LARGE_BYTES, 1), KEPT
        )
    assert logged(redis) == []
    assert redis.client().get(NAMES.log_end) is None


class _Disturbed(LogWriter):
    """Somebody removes old entries right after each look."""

    looks = 0

    def _look(self, transaction: Pipeline, epoch: int) -> bytes:
        end = super()._look(transaction, epoch)
        self.looks += 1
        self._client.xadd(self._names.message_log, {"b": "old"})
        self._client.xtrim(self._names.message_log, maxlen=0, approximate=False)
        return end


def test_a_log_that_changes_all_the_time_is_written_to(redis: RedisServer) -> None:
    """Trimming must not hold the messages up: in the end the script takes them."""
    writer = writer_at(redis, _Disturbed)
    document = texts(LARGE_BYTES, 1)
    assert writer.append(EPOCH, 1, b"p" * LARGE_BYTES, document, KEPT) == 1
    assert isinstance(writer, _Disturbed)
    assert writer.looks > 1
    assert logged(redis) == [b"p" * LARGE_BYTES]
