"""HTTP bodies. The OpenAPI document and the page's TypeScript types are generated from here."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from mqtt_dashboard.contract.commands import CommandState, QoS
from mqtt_dashboard.contract.messages import (
    BrokerStats,
    ClientInfo,
    Encoding,
    GrantedFilter,
    LinkState,
    MessageReceived,
    Rates,
    RetainedCensus,
    Traffic,
)
from mqtt_dashboard.contract.offers import AccountInfo, Capabilities

Health = Literal["healthy", "degraded", "unhealthy"]
RedisState = Literal["up", "down", "unknown"]


class RedisHealth(Struct, kw_only=True, frozen=True):
    """What this worker knows of Redis; ``age_s`` is the time since it last answered.

    ``durable``: whether accepted commands outlive a restart of Redis, ``null`` when unknown.
    """

    status: RedisState
    reason: str | None = None
    age_s: float | None = None
    durable: bool | None = None
    durable_reason: str | None = None


class WebsocketHealth(Struct, kw_only=True, frozen=True):
    """The live channel of this worker; how many clients is told to operators."""

    status: Literal["up", "down"]
    connected_clients: int | None


class HealthReply(Struct, kw_only=True, frozen=True):
    """``GET /health``: whether the dashboard serves, and if not fully, why.

    Everybody is told the statuses; versions, counts and reasons are for operators, and ``null`` or
    left out for others.
    """

    status: Health
    service: str
    version: str | None
    redis: RedisHealth
    websocket: WebsocketHealth
    problems: list[str] = field(default_factory=list)


class ProbeReply(Struct, kw_only=True, frozen=True):
    """``GET /healthz`` and ``/readyz``; of the latter's problems only operators are told."""

    ok: bool
    problems: list[str] = field(default_factory=list)


class BrokerPart(Struct, kw_only=True, frozen=True):
    """The broker as the bridge is configured to reach it; ``null`` while no bridge tells."""

    host: str | None = None
    port: int | None = None
    tls: bool | None = None
    protocol: str | None = None
    family: str | None = None
    version: str | None = None
    anonymous: bool | None = None
    capabilities: Capabilities | None = None


class BridgePart(Struct, kw_only=True, frozen=True):
    """The bridge process. ``alive`` is ``null`` when Redis cannot be asked.

    ``faults`` counts by place what it could not use, or what failed in it, and was survived.
    """

    alive: bool | None
    age_s: float | None = None
    instance: str | None = None
    version: str | None = None
    epoch: int | None = None
    started_at: float | None = None
    client_id: str | None = None
    connects: int | None = None
    subscriptions: list[GrantedFilter] = field(default_factory=list)
    traffic: Traffic | None = None
    retained: RetainedCensus | None = None
    restoring: bool | None = None
    faults: dict[str, int] = field(default_factory=dict)


class BrokerStatusReply(Struct, kw_only=True, frozen=True):
    """``GET /api/broker/status`` and the event ``broker_status``: broker, bridge and Redis apart.

    ``connected`` is the bridge's MQTT session: ``null`` when it cannot be known because the bridge
    is silent or Redis does not answer. ``state`` is the bridge's word for it, else ``unknown``.
    """

    connected: bool | None
    state: LinkState | Literal["unknown"]
    reason: str
    since: float | None
    age_s: float | None
    timestamp: float
    broker: BrokerPart
    bridge: BridgePart
    redis: RedisHealth


class BrokerStatsReply(Struct, kw_only=True, frozen=True):
    """``GET /api/broker/stats``. ``stale`` when ``age_s`` exceeds three intervals or is unknown."""

    data: BrokerStats | None
    rates: Rates
    traffic: Traffic
    ages: dict[str, float]
    timestamp: float | None
    age_s: float | None
    stale: bool


class VersionReply(Struct, kw_only=True, frozen=True):
    """``GET /api/broker/version``."""

    broker: str | None
    bridge: str | None
    dashboard: str
    contract: int
    age_s: float | None
    stale: bool


SearchIn = Literal["names", "values"]


class TopicInfo(Struct, kw_only=True, frozen=True):
    """One topic of the index; ``last_payload`` is cut when ``truncated``.

    ``rate`` is messages per second, lowered by the silence since ``last_seen``; ``usual_gap_s`` is
    the usual time between two messages. Both are ``null`` while unknown.
    """

    topic: str
    message_count: int
    last_payload: str
    encoding: Encoding
    size: int
    truncated: bool
    last_qos: int
    last_retained: bool
    first_seen: float
    last_seen: float
    rate: float | None
    usual_gap_s: float | None = None


class TopicsReply(Struct, kw_only=True, frozen=True):
    """``GET /api/topics``: a page in the order of the tree.

    ``next`` continues it. A search for words gives what begins with the text first, then other
    names that hold every word, then topics whose value does, each in the order of the tree; its
    ``next`` is only good for the same search, and ``next_in`` tells what it goes on with. A request
    looks at a bounded number of names and ends with a step that found something, so a page may be
    short, or empty, and still have a ``next``. ``looked_at`` counts the names this request
    compared, ``looked_at_values`` the values, ``candidates`` all topics that can match: a whole
    search has looked at every one of their names, and of their values where these were asked for.
    """

    topics: list[TopicInfo]
    count: int | None
    next: str | None
    limit: int
    left_out: int | None
    age_s: float | None
    stale: bool
    looked_at: int = 0
    looked_at_values: int = 0
    candidates: int | None = None
    next_in: SearchIn | None = None


class TopicLevel(Struct, kw_only=True, frozen=True):
    """One child of a level: ``topics`` counts what may be read of its subtree, itself included.

    It is ``null`` when that takes too long to count. ``info`` is ``null`` when no message was seen
    on exactly this topic.
    """

    name: str
    topic: str
    topics: int | None
    info: TopicInfo | None


class LevelsReply(Struct, kw_only=True, frozen=True):
    """``GET /api/topics/levels``: what is directly below ``parent``; ``null`` is the root."""

    parent: str | None
    children: list[TopicLevel]
    count: int | None
    next: str | None
    limit: int
    left_out: int | None
    age_s: float | None
    stale: bool


class HistoryReply(Struct, kw_only=True, frozen=True):
    """``GET /api/topics/history``: what the message log still holds of one topic, newest first.

    The log is read backwards within bounds. ``back_to`` is when Redis took the oldest entry looked
    at (``null``: the log is empty), ``cut`` says which bound ended the reading: ``limit`` messages
    found, or bytes, entries or time spent; ``null`` when the log's beginning was reached.
    ``next`` goes on from there. Payloads are cut as in live frames.
    """

    topic: str
    messages: list[MessageReceived]
    limit: int
    looked_at: int
    looked_at_bytes: int
    back_to: float | None
    cut: Literal["limit", "bytes", "entries", "time"] | None
    next: str | None


class ClientsReply(Struct, kw_only=True, frozen=True):
    """``GET /api/clients``: ``known`` of ``connected``, with the reason when they differ."""

    clients: list[ClientInfo]
    connected: int | None
    known: int | None
    source: str | None
    hint: str | None
    age_s: float | None
    stale: bool
    truncated: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    accounts: list[AccountInfo] | None = None
    accounts_total: int | None = None
    accounts_hint: str | None = None


class PublishRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``POST /api/messages/publish`` and the socket event ``publish``."""

    topic: Annotated[str, Meta(min_length=1, max_length=65535)]
    payload: str = ""
    qos: QoS = 0
    retain: bool = False
    encoding: Encoding = "utf8"


class PublishReply(Struct, kw_only=True, frozen=True):
    """What became of a publish; ``duration_ms`` runs from the request to the result."""

    ok: bool
    id: str
    state: CommandState
    reason: str
    topic: str
    code: int | None = None
    duration_ms: float | None = None


class ErrorReply(Struct, kw_only=True, frozen=True):
    """Any refused request: a short code, a sentence that says what to do, the field if one."""

    error: str
    message: str
    field: str | None = None
