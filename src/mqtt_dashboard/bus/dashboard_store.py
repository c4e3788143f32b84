"""What the dashboard reads from and writes to Redis. Every error is a `BusError`.

Reads return what is there; judging ages and gaps is the reader's business. Entries that cannot be
understood are returned as `None` so that the caller can count them and go on.
"""

from dataclasses import dataclass
from typing import Any, Final

from mqtt_dashboard.bus.audit_store import AuditStore
from mqtt_dashboard.bus.auth_store import AuthStore
from mqtt_dashboard.bus.connection import Client, open_client, plain_errors
from mqtt_dashboard.bus.dashboard_history import DashboardHistory
from mqtt_dashboard.bus.dashboard_orders import DashboardOrders
from mqtt_dashboard.bus.dashboard_topics import DashboardTopics
from mqtt_dashboard.bus.readable_topics import ReadableTopics
from mqtt_dashboard.bus.shares import Shares
from mqtt_dashboard.bus.topic_history import TopicHistory
from mqtt_dashboard.config import RedisSettings
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.commands import Command
from mqtt_dashboard.contract.messages import Batch
from mqtt_dashboard.contract.policy import Grant
from mqtt_dashboard.errors import BusRefusedError, ContractError

BEGIN: Final = "0-0"
MAX_CONNECTIONS: Final = 96
# What visitors get of them; the worker's own loops never wait for visitors.
VISITORS_CONNECTIONS: Final = 64
VISITOR_CONNECTIONS: Final = 16


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of the message log; ``batch`` is None when it could not be understood."""

    position: str
    batch: Batch | None


@dataclass(frozen=True, slots=True)
class EventEntry:
    """An entry of the event stream, not yet decoded; None when it lacks a field."""

    position: str
    channel: str | None
    document: bytes | None


class DashboardStore:
    """Redis as the dashboard sees it; connects on first use, so it may be built before a fork."""

    def __init__(self, settings: RedisSettings, name: str = "mqtt-dashboard") -> None:
        self.channels = RedisChannels(settings.prefix)
        self.settings = settings
        self.address = settings.address
        self._client: Client = open_client(
            settings,
            name,
            max_connections=MAX_CONNECTIONS,
            shares=Shares(VISITOR_CONNECTIONS, VISITORS_CONNECTIONS),
        )
        self.topics = DashboardTopics(self._client, self.channels, self.address)
        self.history = DashboardHistory(self._client, self.channels, self.address)
        self.topic_history = TopicHistory(self._client, self.channels, self.address)
        self.orders = DashboardOrders(self._client, self.channels, self.address)
        self.auth = AuthStore(self._client, self.channels, self.address)

    def audit(self, key: bytes | None, limit: int, most_bytes: int | None = None) -> AuditStore:
        """Return the audit record; each worker needs one of its own, and only one."""
        return AuditStore(self._client, self.channels, self.address, key, limit, most_bytes)

    def topics_for(self, grant: Grant) -> DashboardTopics | ReadableTopics:
        """Return the topic index as somebody may read it; it holds no topic that begins with $."""
        if grant.unrestricted:
            return self.topics
        return ReadableTopics(self.topics, self._client, self.channels, self.address, grant)

    def close(self) -> None:
        """Close all connections."""
        with plain_errors(self.address):
            self._client.close()

    def bridge_status(self) -> bytes | None:
        """Return the bridge's status document; None when there is none, or not a text."""
        with plain_errors(self.address):
            value = self._client.get(self.channels.bridge_status)
        return value if isinstance(value, bytes) else None

    def latest(self, channel: str) -> bytes | None:
        """Return the newest document of a state channel."""
        with plain_errors(self.address):
            value = self._client.get(self.channels.latest(channel))
        return value if isinstance(value, bytes) else None

    def last_position(self, stream: str) -> str:
        """Return the last id a stream ever gave out, `BEGIN` when it does not exist."""
        try:
            with plain_errors(self.address):
                info: Any = self._client.xinfo_stream(stream)
        except BusRefusedError:
            # Redis has no other answer for a stream that does not exist; a key of another type
            # is told apart by the read that follows.
            return BEGIN
        return str(info["last-generated-id"], "ascii")

    def read_events(self, after: str, block_s: float) -> list[EventEntry]:
        """Wait for state documents behind a position."""
        entries = self._read(self.channels.events, after, block_s, count=50)
        return [_event(position, fields) for position, fields in entries]

    def read_log(self, after: str, block_s: float, count: int = 32) -> list[LogEntry]:
        """Wait for batches behind a position."""
        entries = self._read(self.channels.message_log, after, block_s, count)
        return [_batch(position, fields) for position, fields in entries]

    def recent_log(self, before: str | None, count: int) -> list[LogEntry]:
        """Return the newest batches (older than ``before`` when given), newest first."""
        limit = "+" if before is None else f"({before}"
        with plain_errors(self.address):
            entries: Any = self._client.xrevrange(
                self.channels.message_log, max=limit, min="-", count=count
            )
        return [_batch(str(position, "ascii"), fields) for position, fields in entries]

    def send(self, command: Command) -> int:
        """Send a command; return how many listeners received it."""
        with plain_errors(self.address):
            return int(self._client.publish(self.channels.COMMANDS, codec.encode(command)))

    def _read(
        self, stream: str, after: str, block_s: float, count: int
    ) -> list[tuple[str, dict[bytes, bytes]]]:
        with plain_errors(self.address):
            answer: Any = self._client.xread(
                {stream: after}, count=count, block=int(block_s * 1000)
            )
        if not answer:
            return []
        _, entries = answer[0]
        return [(str(position, "ascii"), fields) for position, fields in entries]


def position_key(position: str) -> tuple[int, int]:
    """Return a stream id as a pair that can be compared."""
    first, _, second = position.partition("-")
    return int(first), int(second or 0)


def _event(position: str, fields: dict[bytes, bytes]) -> EventEntry:
    channel, document = fields.get(b"c"), fields.get(b"d")
    name = None if channel is None else channel.decode(errors="replace")
    return EventEntry(position, name, document)


def _batch(position: str, fields: dict[bytes, bytes]) -> LogEntry:
    packed = fields.get(b"b")
    if packed is None:
        return LogEntry(position, None)
    try:
        return LogEntry(position, codec.unpack_batch(packed))
    except ContractError:
        return LogEntry(position, None)
