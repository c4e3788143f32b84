"""What the bridge writes to Redis and takes from it. Every write is fenced by the epoch.

A write is one script call: it compares the epoch it was made under with the one in Redis, so a
bridge that lost its lease while it was frozen writes nothing. See also `log_writer`.
"""

from contextlib import AbstractContextManager
from typing import Final, NamedTuple

from mqtt_dashboard.bus import connection
from mqtt_dashboard.bus.bridge_history import BridgeHistory
from mqtt_dashboard.bus.bridge_orders import BridgeOrders
from mqtt_dashboard.bus.bridge_session import BridgeSession
from mqtt_dashboard.bus.bridge_topics import BridgeTopics
from mqtt_dashboard.bus.fence import FENCE, fencing_errors
from mqtt_dashboard.bus.kept import EVENTS_KEPT
from mqtt_dashboard.bus.log_tail import LogTail
from mqtt_dashboard.bus.log_writer import LogWriter
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.commands import CommandReply
from mqtt_dashboard.contract.messages import StateDocument, WantedFilter
from mqtt_dashboard.errors import BusError, ContractError

LEASE_TTL_MS: Final = 5000
STATUS_TTL_MS: Final = 3000
REPLY_TTL_S: Final = 60
EVENTS_BYTES: Final = 16 * 1024 * 1024

# KEYS lease, epoch, status, beat; ARGV instance, lease ttl, own epoch, now (s), status, status ttl,
# number of the last renewal that was confirmed, number of this one.
# A reign ends when the lease has passed to somebody else, or when Redis forgot the epoch or a
# renewal: then it came back with older data, and what was written since is gone. Epochs start from
# the clock so that they grow even after Redis lost its data. Answers the epoch and whether another
# bridge has ruled since ours.
_RENEW: Final = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return {0, 1} end
local epoch = tonumber(redis.call('GET', KEYS[2]) or '0')
local mine = tonumber(ARGV[3])
local beat = tonumber(redis.call('GET', KEYS[4]) or '0') or 0
redis.call('SET', KEYS[4], ARGV[8])
if mine == 0 or epoch ~= mine or beat < tonumber(ARGV[7]) then
  mine = math.max(epoch + 1, mine + 1, tonumber(ARGV[4]))
  redis.call('SET', KEYS[2], string.format('%d', mine))
end
local ruled = epoch > tonumber(ARGV[3]) and 1 or 0
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[5] ~= '' and mine == tonumber(ARGV[3]) then
  redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[6])
end
return {mine, ruled}
"""

_RELEASE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1], KEYS[2])
"""

# KEYS epoch, latest, events; ARGV epoch, channel, document, events to keep, bytes to keep
_ANNOUNCE: Final = (
    FENCE
    + """
redis.call('SET', KEYS[2], ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'c', ARGV[2], 'd', ARGV[3])
local kept = redis.call('XLEN', KEYS[3])
while kept > 1 and redis.call('MEMORY', 'USAGE', KEYS[3], 'SAMPLES', 0) > tonumber(ARGV[5]) do
  kept = math.floor(kept * 0.75)
  redis.call('XTRIM', KEYS[3], 'MAXLEN', kept)
end
return redis.call('PUBLISH', ARGV[2], ARGV[3])
"""
)


class Renewed(NamedTuple):
    """The epoch held, 0 if none, and whether another bridge has ruled since the one before."""

    epoch: int
    others_ruled: bool


class BridgeStore:
    """The bridge's side of Redis; safe to use from several threads.

    ``patient`` is a client that waits long for an answer, for what is slow to send.
    """

    def __init__(
        self,
        client: connection.Client,
        channels: RedisChannels,
        address: str,
        patient: connection.Client | None = None,
    ) -> None:
        self._client = client
        self._channels = channels
        self._address = address
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)
        self._announce = client.register_script(_ANNOUNCE)
        self.log = LogWriter(client, channels, address, patient)
        self.topics = BridgeTopics(client, channels, address)
        self.tail = LogTail(client, channels, address)
        self.history = BridgeHistory(client, channels, address)
        self.orders = BridgeOrders(client, channels, address)
        self.session = BridgeSession(client, channels, address)

    def renew(
        self,
        instance: str,
        epoch: int,
        now: float,
        status: bytes = b"",
        beats: tuple[int, int] = (0, 1),
    ) -> Renewed:
        """Take or keep the lease and renew the status key.

        ``epoch`` is the one held so far (0: none). The status is stored only when the reign goes
        on; after a new epoch the caller renews again with a status that bears it. ``beats`` are the
        number of the last renewal that was confirmed, and the number of this one.
        """
        names = self._channels
        keys = [names.bridge_lease, names.bridge_epoch, names.bridge_status, names.bridge_beat]
        with self._errors():
            held, ruled = self._renew(
                keys=keys,
                args=[instance, LEASE_TTL_MS, epoch, int(now), status, STATUS_TTL_MS, *beats],
            )
        return Renewed(int(held), bool(ruled))

    def release(self, instance: str) -> None:
        """Give the lease up and remove the status, so that a standby can take over at once."""
        keys = [self._channels.bridge_lease, self._channels.bridge_status]
        with self._errors():
            self._release(keys=keys, args=[instance])

    def announce(self, epoch: int, channel: str, document: StateDocument) -> None:
        """Keep a state document as the newest, log it and publish it."""
        names = self._channels
        with self._errors():
            self._announce(
                keys=[names.bridge_epoch, names.latest(channel), names.events],
                args=[epoch, channel, codec.encode(document), EVENTS_KEPT, EVENTS_BYTES],
            )

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
