"""The system of ourselves: what runs where, in which version, with which settings and losses."""

from typing import Literal

from msgspec import Struct, field


class SettingShown(Struct, kw_only=True, frozen=True):
    """One environment variable as it took effect; a secret is only ever ``set`` or ``not set``."""

    name: str
    value: str
    description: str
    is_default: bool
    secret: bool = False


class ProcessInfo(Struct, kw_only=True, frozen=True):
    """A process of ours and what it is made of. ``rss_bytes`` is null where it cannot be read."""

    version: str
    python: str
    host: str
    pid: int
    started_at: float
    rss_bytes: int | None = None
    libraries: dict[str, str] = field(default_factory=dict)


class BridgeAbout(Struct, kw_only=True, frozen=True):
    """What a bridge says of itself once, when it becomes the active one."""

    process: ProcessInfo
    settings: list[SettingShown]


class WorkerReport(Struct, kw_only=True, frozen=True):
    """A dashboard worker's account, renewed every two seconds.

    ``counts`` are since its start, as ``name`` or ``name:reason``. ``log_seq`` is the last message
    it has read from the log, ``null`` while nobody watches there.
    """

    name: str
    timestamp: float
    process: ProcessInfo
    viewers: int
    buffered: int
    log_seq: int | None = None
    counts: dict[str, int] = field(default_factory=dict)


StreamName = Literal[
    "messages", "events", "commands", "results", "stats_hour", "stats_day", "story", "audit"
]


class StreamFacts(Struct, kw_only=True, frozen=True):
    """A stream of ours against its limit; ``null`` where there is none or it is not known.

    Limits in entries are kept to about a hundred more, as Redis trims by whole nodes.
    """

    name: StreamName
    entries: int | None = None
    limit: int | None = None
    bytes: int | None = None
    limit_bytes: int | None = None


class RedisFacts(Struct, kw_only=True, frozen=True):
    """Redis as it describes itself; ``null`` where it does not tell (ACL) or does not know.

    ``warnings`` name settings under which what is promised cannot be kept.
    """

    address: str
    version: str | None = None
    uptime_s: int | None = None
    used_bytes: int | None = None
    limit_bytes: int | None = None
    policy: str | None = None
    evicted_keys: int | None = None
    clients: int | None = None
    append_only: bool | None = None
    log_entries: int | None = None
    log_bytes: int | None = None
    log_oldest_at: float | None = None
    events: int | None = None
    topics: int | None = None
    streams: list[StreamFacts] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class SystemReply(Struct, kw_only=True, frozen=True):
    """``GET /api/system``.

    ``bridge`` is null while no bridge has introduced itself; whether it is alive says
    ``/api/broker/status``. ``lag`` is how many messages the worker that lags most has still to
    read of the log, null while none reads it. ``commands_durable``: whether accepted commands
    outlive a restart of Redis, null when it does not tell. ``seq`` is the number of the last
    message the bridge has written, null while it is silent: a worker has ``seq - log_seq`` to read.
    """

    timestamp: float
    answered_by: str
    redis: RedisFacts | None
    redis_problem: str | None
    bridge: BridgeAbout | None
    workers: list[WorkerReport]
    settings: list[SettingShown]
    lag: int | None = None
    seq: int | None = None
    commands_durable: bool | None = None
    commands_durable_reason: str | None = None
