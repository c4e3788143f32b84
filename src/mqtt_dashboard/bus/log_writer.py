"""The bridge's side of the message log: a batch and its messages, all of it or nothing.

Two ways lead there, with the same outcome. A script needs one round trip. But Lua hashes every byte
it is given, and Redis is deaf meanwhile: with large messages that is most of what Redis does. So a
batch of those goes as a transaction, whose bytes are only copied. Both refuse a stale epoch.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final

from mqtt_dashboard.bus.connection import Client, Pipeline, WatchError
from mqtt_dashboard.bus.fence import FENCE, fencing_errors
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.errors import FencedError

# Bytes per message. At half of this both ways carry as many, and the script costs the bridge less.
LARGE_BYTES: Final = 8192
# What is watched changes when old messages leave the log, every few seconds.
ATTEMPTS: Final = 3

# KEYS epoch, log, log end; ARGV epoch, channel, entries to keep, first and last number, packed
# batch, documents... A batch whose first number is in the log already is not written again: it is
# a retry, and the answer says how far the attempt before got. A retry may be shorter than that.
_APPEND: Final = (
    FENCE
    + """
local epoch, seq = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+):(%d+)$')
if epoch == ARGV[1] and tonumber(seq) >= tonumber(ARGV[4]) then return tonumber(seq) end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'b', ARGV[6])
redis.call('SET', KEYS[3], ARGV[1] .. ':' .. ARGV[5])
for i = 7, #ARGV do redis.call('PUBLISH', ARGV[2], ARGV[i]) end
return tonumber(ARGV[5])
"""
)

# KEYS epoch, log end; ARGV epoch, end as it was, last number that did not get into the log.
_PUT_BACK: Final = (
    FENCE
    + """
if redis.call('GET', KEYS[2]) == ARGV[1] .. ':' .. ARGV[3] then
  redis.call('SET', KEYS[2], ARGV[2])
end
"""
)

# KEYS epoch, log; ARGV epoch, age in ms. The clock that gave out the ids says what is old.
_TRIM: Final = (
    FENCE
    + """
local now = redis.call('TIME')
local oldest = now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(ARGV[2])
return redis.call('XTRIM', KEYS[2], 'MINID', '~', string.format('%d-0', math.max(0, oldest)))
"""
)


class LogWriter:
    """Appends to the message log and keeps it short; safe to use from several threads.

    ``patient`` is a client that waits long for an answer, for what is slow to send.
    """

    def __init__(
        self,
        client: Client,
        channels: RedisChannels,
        address: str,
        patient: Client | None = None,
    ) -> None:
        self._client = client
        self._patient = patient or client
        self._names = channels
        self._address = address
        self._append = client.register_script(_APPEND)
        self._put_back = client.register_script(_PUT_BACK)
        self._trim = client.register_script(_TRIM)

    def append(
        self,
        epoch: int,
        first: int,
        packed: bytes,
        documents: Sequence[bytes],
        entries_kept: int,
        *,
        patiently: bool = False,
    ) -> int:
        """Append one batch to the log and publish its messages.

        Its messages are numbered from ``first`` on. Return the last number that is in the log:
        an attempt before, of which nobody heard, may have written this and more; then nothing is
        written again.
        """
        client = self._patient if patiently else self._client
        with self._errors():
            if len(packed) >= LARGE_BYTES * len(documents):
                for _ in range(ATTEMPTS):
                    try:
                        return self._transact(client, epoch, first, packed, documents, entries_kept)
                    except WatchError:
                        continue
            names = self._names
            last = first + len(documents) - 1
            keys = [names.bridge_epoch, names.message_log, names.log_end]
            args: list[int | str | bytes] = [
                epoch,
                names.MQTT_MESSAGES,
                entries_kept,
                first,
                last,
                packed,
                *documents,
            ]
            return int(self._append(keys=keys, args=args, client=client))

    def trim(self, epoch: int, age_s: float) -> int:
        """Remove messages that have been in the log for so long; return how many entries went."""
        keys = [self._names.bridge_epoch, self._names.message_log]
        with self._errors():
            return int(self._trim(keys=keys, args=[epoch, int(age_s * 1000)]))

    def size(self) -> tuple[int, int]:
        """Return the entries and the bytes the log holds in Redis."""
        log = self._names.message_log
        with self._errors():
            entries = int(self._client.xlen(log))
            used = self._client.memory_usage(log, samples=0)
        return entries, int(used or 0)

    def _transact(
        self,
        client: Client,
        epoch: int,
        first: int,
        packed: bytes,
        documents: Sequence[bytes],
        entries_kept: int,
    ) -> int:
        """Do what the script does; raise `WatchError` when somebody else wrote in between."""
        names, last = self._names, first + len(documents) - 1
        with client.pipeline() as transaction:
            # redis-py has no types for a part of this.
            transaction.watch(  # type: ignore[no-untyped-call,unused-ignore]
                names.bridge_epoch, names.message_log, names.log_end
            )
            end = self._look(transaction, epoch)
            reached = _number(end, epoch)
            if reached >= first:
                return reached
            transaction.multi()
            transaction.xadd(
                names.message_log, {"b": packed}, maxlen=entries_kept, approximate=True
            )
            transaction.set(names.log_end, f"{epoch}:{last}")
            for document in documents:
                transaction.publish(names.MQTT_MESSAGES, document)
            added = transaction.execute(raise_on_error=False)[0]
        if isinstance(added, Exception):
            # A transaction goes on after a command that failed: the log does not reach that far.
            keys = [names.bridge_epoch, names.log_end]
            self._put_back(keys=keys, args=[epoch, end, last], client=client)
            raise added
        return last

    def _look(self, transaction: Pipeline, epoch: int) -> bytes:
        """Return the end of the log as it is written down; nothing read here changes unseen."""
        names = self._names
        ruling, end = transaction.mget(names.bridge_epoch, names.log_end)
        if ruling != b"%d" % epoch:
            raise FencedError("another bridge holds the lease")
        # Refused where the log is something else than a stream, before anything is written.
        transaction.xlen(names.message_log)
        return end if isinstance(end, bytes) else b""

    def _errors(self) -> AbstractContextManager[None]:
        return fencing_errors(self._address)


def _number(end: bytes, epoch: int) -> int:
    of, _, seq = end.partition(b":")
    return int(seq) if of == b"%d" % epoch and seq.isdigit() else 0
