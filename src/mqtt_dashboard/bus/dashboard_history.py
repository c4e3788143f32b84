"""What the dashboard reads of the past and of the system; entries it cannot read are left out."""

from typing import Any, Final, TypeVar

import msgspec

from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.bus.kept import CHANGES_KEPT, EVENTS_KEPT, POINTS_KEPT, RESULTS_KEPT
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.history import Span, StatsPoint
from mqtt_dashboard.contract.messages import StatusChange
from mqtt_dashboard.contract.system import (
    BridgeAbout,
    RedisFacts,
    StreamFacts,
    StreamName,
    WorkerReport,
)
from mqtt_dashboard.errors import BusRefusedError, ContractError

WORKER_GONE_S: Final = 10.0
WORKER_FORGOTTEN_S: Final = 60.0
MAX_WORKERS: Final = 256
# Of its memory limit; beyond it there is little time left to do something.
ALARM_SHARE: Final = 0.7

AnyT = TypeVar("AnyT")
_points = msgspec.msgpack.Decoder(StatsPoint)


class DashboardHistory:
    """The past, the workers, and Redis itself."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._channels = channels
        self._address = address

    def stats(self, span: Span) -> list[StatsPoint]:
        """Return the measurements of the last hour or day, oldest first."""
        with plain_errors(self._address):
            entries: Any = self._client.xrange(self._channels.stats_history(span))
        found = []
        for _, fields in entries:
            try:
                found.append(_points.decode(fields.get(b"p", b"")))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
        return found

    def story(self, limit: int) -> list[StatusChange]:
        """Return the newest changes of the MQTT session, newest first."""
        with plain_errors(self._address):
            entries: Any = self._client.xrevrange(self._channels.status_history, count=limit)
        changes = (_readable(fields.get(b"d"), StatusChange) for _, fields in entries)
        return [change for change in changes if change is not None]

    def bridge_about(self) -> BridgeAbout | None:
        """Return how the newest active bridge introduced itself."""
        with plain_errors(self._address):
            document = self._client.get(self._channels.bridge_about)
        return _readable(document, BridgeAbout)

    def report_worker(self, report: WorkerReport) -> None:
        """Renew a worker's account."""
        with plain_errors(self._address):
            self._client.hset(self._channels.workers, report.name, codec.encode(report))

    def forget_worker(self, name: str) -> None:
        """Remove a worker's account."""
        with plain_errors(self._address):
            self._client.hdel(self._channels.workers, name)

    def workers(self, now: float) -> list[WorkerReport]:
        """Return the accounts renewed lately; those of workers long gone are removed."""
        with plain_errors(self._address):
            stored: Any = self._client.hgetall(self._channels.workers)
        alive: list[WorkerReport] = []
        gone: list[bytes] = []
        for name, document in stored.items():
            report = _readable(document, WorkerReport)
            if report is None or abs(now - report.timestamp) > WORKER_FORGOTTEN_S:
                gone.append(name)
            elif abs(now - report.timestamp) <= WORKER_GONE_S and len(alive) < MAX_WORKERS:
                alive.append(report)
        if gone:
            with plain_errors(self._address):
                self._client.hdel(self._channels.workers, *gone)
        return sorted(alive, key=lambda report: report.process.started_at)

    def redis_facts(self) -> RedisFacts:
        """Ask Redis about itself; what its access rules hide stays null."""
        info = self._allowed("INFO")
        facts = _Facts(info if isinstance(info, dict) else {})
        names = self._channels
        oldest = self._allowed("XRANGE", names.message_log, "-", "+", "COUNT", 1)
        return RedisFacts(
            address=self._address,
            version=facts.text("redis_version"),
            uptime_s=facts.number("uptime_in_seconds"),
            used_bytes=facts.number("used_memory"),
            limit_bytes=facts.number("maxmemory"),
            policy=facts.text("maxmemory_policy"),
            evicted_keys=facts.number("evicted_keys"),
            clients=facts.number("connected_clients"),
            append_only=None if (aof := facts.number("aof_enabled")) is None else bool(aof),
            log_entries=_whole(self._allowed("XLEN", names.message_log)),
            # All of it: entries are of very unequal size, and a few samples mislead.
            log_bytes=_whole(self._allowed("MEMORY USAGE", names.message_log, "SAMPLES", 0)),
            log_oldest_at=_first_time(oldest),
            events=_whole(self._allowed("XLEN", names.events)),
            topics=_whole(self._allowed("ZCARD", names.topic_names)),
            warnings=facts.warnings(),
        )

    def streams(self) -> list[StreamFacts]:
        """Return the lengths of all streams, and the limits that are no settings."""
        names = self._channels
        waiting = self._allowed("GET", names.order_bytes)
        streams: dict[StreamName, tuple[str, int | None]] = {
            "messages": (names.message_log, None),
            "events": (names.events, EVENTS_KEPT),
            "commands": (names.orders, None),
            "results": (names.order_results, RESULTS_KEPT),
            "stats_hour": (names.stats_history("hour"), POINTS_KEPT["hour"]),
            "stats_day": (names.stats_history("day"), POINTS_KEPT["day"]),
            "story": (names.status_history, CHANGES_KEPT),
            "audit": (names.audit, None),
        }
        return [
            StreamFacts(
                name=name,
                entries=_whole(self._allowed("XLEN", key)),
                limit=limit,
                bytes=int(waiting or 0) if name == "commands" else None,
            )
            for name, (key, limit) in streams.items()
        ]

    def _allowed(self, *command: object) -> Any:
        try:
            with plain_errors(self._address):
                return self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        except BusRefusedError:
            return None


class _Facts:
    """Redis' INFO with types."""

    def __init__(self, info: dict[str, Any]) -> None:
        self._info = info

    def text(self, name: str) -> str | None:
        value = self._info.get(name)
        return None if value is None else str(value)

    def number(self, name: str) -> int | None:
        return _whole(self._info.get(name))

    def warnings(self) -> list[str]:
        """Name what breaks promises: evictions, and a memory limit nearly reached."""
        found = []
        policy = self.text("maxmemory_policy")
        if policy is not None and policy.startswith("allkeys"):
            found.append(
                f"maxmemory-policy {policy} lets Redis remove data in use; set it to noeviction"
            )
        if evicted := self.number("evicted_keys"):
            found.append(f"Redis has evicted {evicted} keys to stay below its memory limit")
        used, limit = self.number("used_memory"), self.number("maxmemory")
        if used and limit and used > ALARM_SHARE * limit:
            share = f"{ALARM_SHARE:.0%}".replace("%", " %")
            found.append(f"Redis uses {used} of the {limit} bytes it may use, more than {share}")
        return found


def _readable(document: object, kind: type[AnyT]) -> AnyT | None:
    if not isinstance(document, bytes):
        return None
    try:
        return codec.decode(document, kind)
    except ContractError:
        return None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _first_time(entries: Any) -> float | None:
    if not entries:
        return None
    return int(entries[0][0].partition(b"-")[0]) / 1000
