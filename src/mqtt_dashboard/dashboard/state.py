"""The read model of one worker: what is known, since when, and what is not known.

Only the follower writes here. Ages run on this process' own monotonic clock; whatever cannot be
known is None, and nothing here ever takes "Redis answers" for "the broker is connected".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from mqtt_dashboard import __version__
from mqtt_dashboard.bus.durability import NOT_ASKED, Durability
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import CONTRACT_VERSION, topics
from mqtt_dashboard.contract.api import (
    BridgePart,
    BrokerPart,
    BrokerStatsReply,
    BrokerStatusReply,
    ClientsReply,
    RedisHealth,
    RedisState,
    VersionReply,
)
from mqtt_dashboard.contract.messages import (
    BridgeStatus,
    ClientsUpdate,
    Rates,
    StateDocument,
    StatsUpdate,
    StatusChange,
    TopicsUpdate,
    Traffic,
)

BRIDGE_SILENT_AFTER_S: Final = 3.5
REDIS_SILENT_AFTER_S: Final = 3.5
STATS_STALE_AFTER_S: Final = 15.0
LISTS_STALE_AFTER_S: Final = 30.0

DocumentT = TypeVar("DocumentT", StatsUpdate, StatusChange, ClientsUpdate, TopicsUpdate)


@dataclass(frozen=True)
class Kept(Generic[DocumentT]):
    """A document and how old it is: ``born`` is its birth on our monotonic clock."""

    document: DocumentT
    born: float


class ReadModel:
    """The newest state of broker, bridge and Redis as this worker knows it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._bridge: BridgeStatus | None = None
        self._beat: tuple[str, int] | None = None
        self._beat_at = 0.0
        self._redis_answered_at: float | None = None
        self._redis_failure: str | None = None
        self.stats: Kept[StatsUpdate] | None = None
        self.clients: Kept[ClientsUpdate] | None = None
        self.topics: Kept[TopicsUpdate] | None = None
        self.last_change: StatusChange | None = None
        self.durability: Durability = NOT_ASKED

    # Written by the follower -----------------------------------------------------------------
    def redis_answered(self) -> None:
        """Note that Redis answered just now."""
        self._redis_answered_at = self._clock.monotonic()
        self._redis_failure = None

    def redis_failed(self, reason: str) -> None:
        """Note that Redis did not answer."""
        self._redis_failure = reason

    def bridge_reported(self, status: BridgeStatus | None) -> None:
        """Take the status key as just read; None when there is none."""
        self._bridge = status
        beat = None if status is None else (status.instance, status.beat)
        if beat != self._beat:
            self._beat, self._beat_at = beat, self._clock.monotonic()

    def take(self, document: StateDocument) -> None:
        """Keep a state document as the newest of its kind."""
        age = max(0.0, self._clock.now() - document.timestamp)
        born = self._clock.monotonic() - age
        match document:
            case StatsUpdate():
                self.stats = Kept(document, born)
            case ClientsUpdate():
                self.clients = Kept(document, born)
            case TopicsUpdate():
                self.topics = Kept(document, born)
            case StatusChange():
                self.last_change = document

    # Read by everybody -----------------------------------------------------------------------
    def redis_health(self) -> RedisHealth:
        """Return what is known of Redis."""
        if self._redis_answered_at is None:
            if self._redis_failure is None:
                return RedisHealth(status="unknown", reason="Redis has not been asked yet")
            return RedisHealth(status="down", reason=self._redis_failure)
        age = self._clock.monotonic() - self._redis_answered_at
        status: RedisState = "down"
        reason = self._redis_failure
        if reason is None and age > REDIS_SILENT_AFTER_S:
            reason = "Redis does not answer"
        elif reason is None:
            status = "up"
        return RedisHealth(
            status=status,
            reason=reason,
            age_s=age,
            durable=self.durability.durable,
            durable_reason=self.durability.reason,
        )

    def bridge_alive(self) -> bool | None:
        """Tell whether a bridge reports; None while Redis cannot be asked."""
        if self.redis_health().status != "up":
            return None
        return self._bridge is not None and self._beat_age() <= BRIDGE_SILENT_AFTER_S

    def bridge(self) -> BridgeStatus | None:
        """Return the bridge's own status while it is alive."""
        return self._bridge if self.bridge_alive() else None

    def connected(self) -> bool | None:
        """Tell whether the bridge has its MQTT session; None when it cannot be known."""
        bridge = self.bridge()
        return None if bridge is None else bridge.connected

    def covers(self, topic_filter: str) -> bool | None:
        """Tell whether the bridge receives all of a filter; None when it cannot be known."""
        bridge = self.bridge()
        if bridge is None:
            return None
        return any(
            granted.granted is not None and topics.contains(granted.filter, topic_filter)
            for granted in bridge.subscriptions
        )

    def broker_status(self) -> BrokerStatusReply:
        """Return broker, bridge and Redis, each on its own."""
        redis = self.redis_health()
        bridge = self.bridge()
        if bridge is None:
            return BrokerStatusReply(
                connected=None,
                state="unknown",
                reason=self._why_unknown(redis),
                since=None,
                age_s=None,
                timestamp=self._clock.now(),
                broker=BrokerPart(),
                bridge=BridgePart(alive=self.bridge_alive()),
                redis=redis,
            )
        return BrokerStatusReply(
            connected=bridge.connected,
            state=bridge.state,
            reason=bridge.reason,
            since=bridge.since,
            age_s=self._beat_age(),
            timestamp=self._clock.now(),
            broker=self._broker_part(bridge),
            bridge=self._bridge_part(bridge),
            redis=redis,
        )

    def broker_stats(self) -> BrokerStatsReply:
        """Return the newest statistics with their age."""
        if self.stats is None:
            return BrokerStatsReply(
                data=None,
                rates=Rates(),
                traffic=Traffic(),
                ages={},
                timestamp=None,
                age_s=None,
                stale=True,
            )
        document, age = self.stats.document, self._age(self.stats)
        return BrokerStatsReply(
            data=document.data,
            rates=document.rates,
            traffic=document.traffic,
            ages={name: seconds + age for name, seconds in document.ages.items()},
            timestamp=document.timestamp,
            age_s=age,
            stale=age > STATS_STALE_AFTER_S,
        )

    def version(self) -> VersionReply:
        """Return the versions of all parts."""
        bridge = self.bridge()
        age = None if self.stats is None else self._age(self.stats)
        return VersionReply(
            broker=None if self.stats is None else self.stats.document.data.version,
            bridge=None if bridge is None else bridge.version,
            dashboard=__version__,
            contract=CONTRACT_VERSION,
            age_s=age,
            stale=age is None or age > STATS_STALE_AFTER_S,
        )

    def client_list(self) -> ClientsReply:
        """Return the known clients with the age of the list."""
        if self.clients is None:
            return ClientsReply(
                clients=[],
                connected=None,
                known=None,
                source=None,
                hint=None,
                age_s=None,
                stale=True,
            )
        document, age = self.clients.document, self._age(self.clients)
        return ClientsReply(
            clients=document.clients,
            connected=document.connected,
            known=document.known,
            source=document.source,
            hint=document.hint,
            age_s=age,
            stale=age > LISTS_STALE_AFTER_S,
            truncated=document.truncated,
            left_out=document.left_out,
            accounts=document.accounts,
            accounts_total=document.accounts_total,
            accounts_hint=document.accounts_hint,
        )

    def topics_age(self) -> tuple[float | None, bool]:
        """Return the age of the topic index and whether that is too old."""
        if self.topics is None:
            return None, True
        age = self._age(self.topics)
        return age, age > LISTS_STALE_AFTER_S

    def _age(
        self,
        kept: Kept[StatsUpdate] | Kept[ClientsUpdate] | Kept[TopicsUpdate],
    ) -> float:
        return self._clock.monotonic() - kept.born

    def _beat_age(self) -> float:
        return self._clock.monotonic() - self._beat_at

    def _why_unknown(self, redis: RedisHealth) -> str:
        if redis.status != "up":
            return redis.reason or "Redis does not answer"
        if self._bridge is not None:
            return f"the bridge has been silent for {self._beat_age():.0f} s"
        if self.last_change is not None and self.last_change.state == "stopped":
            return f"the bridge was stopped: {self.last_change.reason}"
        return "no bridge reports; mqtt-bridge is not running or cannot reach Redis"

    def _broker_part(self, bridge: BridgeStatus) -> BrokerPart:
        return BrokerPart(
            host=bridge.host,
            port=bridge.port,
            tls=bridge.tls,
            protocol=bridge.protocol,
            family=bridge.broker_family,
            version=None if self.stats is None else self.stats.document.data.version,
            anonymous=bridge.anonymous,
            capabilities=bridge.capabilities,
        )

    def _bridge_part(self, bridge: BridgeStatus) -> BridgePart:
        return BridgePart(
            alive=True,
            age_s=self._beat_age(),
            instance=bridge.instance,
            version=bridge.version,
            epoch=bridge.epoch,
            started_at=bridge.started_at,
            client_id=bridge.client_id,
            connects=bridge.connects,
            subscriptions=bridge.subscriptions,
            traffic=bridge.traffic,
            retained=bridge.retained,
            restoring=bridge.restoring,
            faults=bridge.faults,
        )


def outline(status: BrokerStatusReply) -> Mapping[str, object]:
    """Return what of a status is worth telling at once when it changes."""
    return {
        "connected": status.connected,
        "state": status.state,
        "reason": status.reason if status.bridge.alive else None,
        "since": status.since,
        "broker": status.broker,
        "alive": status.bridge.alive,
        "instance": status.bridge.instance,
        "epoch": status.bridge.epoch,
        "subscriptions": status.bridge.subscriptions,
        "redis": status.redis.status,
    }
