"""What the bridge writes to Redis and takes from it. Every write is fenced by the epoch.

A write is one script call: it compares the epoch it was made under with the one in Redis, so a
bridge that lost its lease while it was frozen writes nothing, and the whole batch is one round
trip however many messages it holds.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final

from mqtt_dashboard.bus import connection
from mqtt_dashboard.bus.bridge_history import BridgeHistory
from mqtt_dashboard.bus.bridge_orders import BridgeOrders
from mqtt_dashboard.bus.bridge_topics import BridgeTopics
from mqtt_dashboard.bus.fence import FENCE, fencing_errors
from mqtt_dashboard.bus.kept import EVENTS_KEPT
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.commands import CommandReply
from mqtt_dashboard.contract.messages import StateDocument, WantedFilter
from mqtt_dashboard.errors import BusError, ContractError

LEASE_TTL_MS: Final = 5000
STATUS_TTL_MS: Final = 3000
REPLY_TTL_S: Final = 60

# KEYS lease, epoch, status; ARGV instance, lease ttl, own epoch, now (s), status, status ttl.
# A reign ends when the lease has passed to somebody else, or when Redis forgot the epoch. Epochs
# start from the clock so that they grow even after Redis lost its data.
_RENEW: Final = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
local epoch = tonumber(redis.call('GET', KEYS[2]) or '0')
local mine = tonumber(ARGV[3])
if mine == 0 or epoch ~= mine then
  mine = math.max(epoch + 1, mine + 1, tonumber(ARGV[4]))
  redis.call('SET', KEYS[2], string.format('%d', mine))
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[5] ~= '' and mine == tonumber(ARGV[3]) then
  redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[6])
end
return mine
"""

_RELEASE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1], KEYS[2])
"""

# KEYS epoch, log; ARGV epoch, channel, entries to keep, packed batch, documents...
_APPEND: Final = (
    FENCE
    + """
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'b', ARGV[4])
for i = 5, #ARGV do redis.call('PUBLISH', ARGV[2], ARGV[i]) end
return 1
"""
)

# KEYS epoch, log; ARGV epoch, oldest id to keep
_TRIM: Final = FENCE + "return redis.call('XTRIM', KEYS[2], 'MINID', '~', ARGV[2])"

# KEYS epoch, latest, events; ARGV epoch, channel, document, events to keep
_ANNOUNCE: Final = (
    FENCE
    + """
redis.call('SET', KEYS[2], ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'c', ARGV[2], 'd', ARGV[3])
return redis.call('PUBLISH', ARGV[2], ARGV[3])
"""
)


class BridgeStore:
    """The bridge's side of Redis; safe to use from several threads."""

    def __init__(self, client: connection.Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._channels = channels
        self._address = address
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)
        self._append = client.register_script(_APPEND)
        self._trim = client.register_script(_TRIM)
        self._announce = client.register_script(_ANNOUNCE)
        self.topics = BridgeTopics(client, channels, address)
        self.history = BridgeHistory(client, channels, address)
        self.orders = BridgeOrders(client, channels, address)

    def renew(self, instance: str, epoch: int, now: float, status: bytes = b"") -> int:
        """Take or keep the lease and renew the status key; return the epoch held, 0 if none.

        ``epoch`` is the one held so far (0: none). The status is stored only when the reign goes
        on; after a new epoch the caller renews again with a status that bears it.
        """
        names = self._channels
        with self._errors():
            return int(
                self._renew(
                    keys=[names.bridge_lease, names.bridge_epoch, names.bridge_status],
                    args=[instance, LEASE_TTL_MS, epoch, int(now), status, STATUS_TTL_MS],
                )
            )

    def release(self, instance: str) -> None:
        """Give the lease up and remove the status, so that a standby can take over at once."""
        keys = [self._channels.bridge_lease, self._channels.bridge_status]
        with self._errors():
            self._release(keys=keys, args=[instance])

    def append(
        self, epoch: int, packed: bytes, documents: Sequence[bytes], entries_kept: int
    ) -> None:
        """Append one batch to the message log and publish its messages, in one round trip."""
        names = self._channels
        with self._errors():
            self._append(
                keys=[names.bridge_epoch, names.message_log],
                args=[epoch, names.MQTT_MESSAGES, entries_kept, packed, *documents],
            )

    def trim_log(self, epoch: int, before: float) -> int:
        """Remove messages written before a time (Unix seconds); return how many entries went."""
        names = self._channels
        with self._errors():
            return int(
                self._trim(
                    keys=[names.bridge_epoch, names.message_log],
                    args=[epoch, f"{int(before * 1000)}-0"],
                )
            )

    def announce(self, epoch: int, channel: str, document: StateDocument) -> None:
        """Keep a state document as the newest, log it and publish it."""
        names = self._channels
        with self._errors():
            self._announce(
                keys=[names.bridge_epoch, names.latest(channel), names.events],
                args=[epoch, channel, codec.encode(document), EVENTS_KEPT],
            )

    def log_size(self) -> tuple[int, int]:
        """Return the entries and the bytes the message log holds in Redis."""
        with self._errors():
            entries = int(self._client.xlen(self._channels.message_log))
            used = self._client.memory_usage(self._channels.message_log, samples=0)
        return entries, int(used or 0)

    def load_subscriptions(self) -> list[WantedFilter]:
        """Read the filters somebody asked for; entries that cannot be read are left out."""
        with self._errors():
            stored = self._client.hvals(self._channels.subscriptions)
        wanted = []
        for document in stored:
            try:
                wanted.append(codec.decode(document, WantedFilter))
            except ContractError:
                continue
        return wanted

    def store_subscription(self, wanted: WantedFilter) -> None:
        """Remember who wants a filter across restarts."""
        with self._errors():
            self._client.hset(self._channels.subscriptions, wanted.filter, codec.encode(wanted))

    def forget_subscription(self, topic_filter: str) -> None:
        """Forget a filter nobody wants any more."""
        with self._errors():
            self._client.hdel(self._channels.subscriptions, topic_filter)

    def reply(self, reply: CommandReply) -> None:
        """Hand the result of a command to whoever waits for it; it expires unread."""
        key = self._channels.reply(reply.id)
        with self._errors():
            pipeline = self._client.pipeline(transaction=True)
            pipeline.lpush(key, codec.encode(reply))
            pipeline.expire(key, REPLY_TTL_S)
            pipeline.execute()

    def listen(self) -> "CommandFeed":
        """Return the feed of commands; it connects on its first use."""
        return CommandFeed(self._client, self._channels.COMMANDS, self._address)

    def _errors(self) -> AbstractContextManager[None]:
        return fencing_errors(self._address)


class CommandFeed:
    """Documents of the command channel. Used by one thread only (P06).

    ``answered`` is false from a `ping` until Redis has said anything.
    """

    def __init__(self, client: connection.Client, channel: str, address: str) -> None:
        self._pubsub = connection.open_pubsub(client)
        self._channel = channel
        self._address = address
        self.answered = True

    def open(self, timeout: float = 2.0) -> None:
        """Subscribe and wait until Redis has confirmed it."""
        with connection.plain_errors(self._address):
            self._pubsub.subscribe(self._channel)
            if self._pubsub.get_message(timeout=timeout) is None:
                raise BusError(f"Redis at {self._address} did not confirm the command channel")

    def next(self, timeout: float) -> bytes | None:
        """Return the next document, or None after ``timeout`` seconds; raise `BusError`."""
        with connection.plain_errors(self._address):
            message = self._pubsub.get_message(timeout=timeout)
        if message is not None:
            self.answered = True
        if message is None or message["type"] != "message":
            return None
        data = message["data"]
        return data if isinstance(data, bytes) else str(data).encode()

    def ping(self) -> None:
        """Ask Redis for a sign of life; the answer arrives through `next`."""
        self.answered = False
        with connection.plain_errors(self._address):
            self._pubsub.ping()

    def close(self) -> None:
        """Give the connection up."""
        self._pubsub.close()
