"""Documents from the bridge to everybody: statistics, status, messages, clients, topics.

Times named ``timestamp``, ``*_at`` and ``since`` are seconds since the Unix epoch (float). Fields
named ``*_s`` are seconds, ``*_bytes`` bytes. Unknown is ``null``, never 0.
"""

from typing import Literal

from msgspec import Struct, field

from mqtt_dashboard.contract.gaps import GapCause
from mqtt_dashboard.contract.offers import AccountInfo, Capabilities, HeldFilter

Encoding = Literal["utf8", "base64"]
LinkState = Literal["starting", "connecting", "connected", "disconnected", "standby", "stopped"]


class BrokerStats(Struct, kw_only=True, frozen=True):
    """What the broker says of itself under ``$SYS``; a field it does not provide is ``null``.

    Counters (``*_received``, ``*_sent``, ``*_dropped``, ``clients_expired``) count since the
    broker's start, in packets, messages or bytes. ``load_*`` are the broker's moving averages, per
    minute, over 1, 5 and 15 minutes. ``uptime`` is in seconds. ``messages_*`` count packets of all
    types, ``publish_*`` PUBLISH packets only.

    Source: mosquitto(8) "BROKER STATUS"; dialects of other brokers are mapped onto it.
    """

    version: str | None = None
    uptime: int | None = None
    clients_connected: int | None = None
    clients_disconnected: int | None = None
    clients_total: int | None = None
    clients_maximum: int | None = None
    clients_expired: int | None = None
    messages_received: int | None = None
    messages_sent: int | None = None
    messages_stored: int | None = None
    messages_inflight: int | None = None
    messages_dropped: int | None = None
    store_messages_bytes: int | None = None
    publish_received: int | None = None
    publish_sent: int | None = None
    publish_dropped: int | None = None
    publish_bytes_received: int | None = None
    publish_bytes_sent: int | None = None
    bytes_received: int | None = None
    bytes_sent: int | None = None
    subscriptions: int | None = None
    shared_subscriptions: int | None = None
    retained: int | None = None
    heap_current: int | None = None
    heap_maximum: int | None = None
    load_messages_received_1min: float | None = None
    load_messages_received_5min: float | None = None
    load_messages_received_15min: float | None = None
    load_messages_sent_1min: float | None = None
    load_messages_sent_5min: float | None = None
    load_messages_sent_15min: float | None = None
    load_publish_received_1min: float | None = None
    load_publish_received_5min: float | None = None
    load_publish_received_15min: float | None = None
    load_publish_sent_1min: float | None = None
    load_publish_sent_5min: float | None = None
    load_publish_sent_15min: float | None = None
    load_publish_dropped_1min: float | None = None
    load_publish_dropped_5min: float | None = None
    load_publish_dropped_15min: float | None = None
    load_bytes_received_1min: float | None = None
    load_bytes_received_5min: float | None = None
    load_bytes_received_15min: float | None = None
    load_bytes_sent_1min: float | None = None
    load_bytes_sent_5min: float | None = None
    load_bytes_sent_15min: float | None = None
    load_sockets_1min: float | None = None
    load_sockets_5min: float | None = None
    load_sockets_15min: float | None = None
    load_connections_1min: float | None = None
    load_connections_5min: float | None = None
    load_connections_15min: float | None = None
    last_updated: float | None = None


class Rates(Struct, kw_only=True, frozen=True):
    """Per-second rates between two statistics documents; ``null`` after a counter fell.

    ``publish_*`` and ``bytes_*`` come from the broker's counters, ``bridge_*`` from the traffic the
    bridge itself received, so that a broker without ``$SYS`` still has a chart. ``bridge_system``
    are the messages of ``$`` topics the bridge reads itself: the broker counts them as delivered.
    """

    publish_received: float | None = None
    publish_sent: float | None = None
    publish_dropped: float | None = None
    bytes_received: float | None = None
    bytes_sent: float | None = None
    bridge_messages: float | None = None
    bridge_bytes: float | None = None
    bridge_system: float | None = None


class Traffic(Struct, kw_only=True, frozen=True):
    """The bridge's own account: ``received = forwarded + dropped + queued`` at every moment.

    ``dropped`` is by reason. Counts are messages since the bridge's start, ``bytes`` payload bytes.
    """

    received: int = 0
    forwarded: int = 0
    queued: int = 0
    bytes: int = 0
    dropped: dict[str, int] = field(default_factory=dict)


class StatsUpdate(Struct, kw_only=True, frozen=True, tag_field="type", tag="stats_update"):
    """Broker statistics, every 5 s on `RedisChannels.BROKER_STATS`.

    ``ages`` gives, per field of ``data``, the seconds since the broker last sent it. mosquitto
    sends a value only when it changes, so staleness is judged by ``last_updated`` as a whole.
    """

    timestamp: float
    data: BrokerStats
    rates: Rates = Rates()
    traffic: Traffic = Traffic()
    ages: dict[str, float] = field(default_factory=dict)
    parse_failures: int = 0
    epoch: int = 0


class StatusChange(Struct, kw_only=True, frozen=True, tag_field="type", tag="status_change"):
    """The bridge's MQTT session came or went; also sent when the bridge starts and stops."""

    connected: bool
    timestamp: float
    reason: str
    state: LinkState = "starting"
    host: str = ""
    port: int = 0
    epoch: int = 0


class MessageProperties(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """MQTT 5 properties of a PUBLISH packet (MQTT 5.0, 3.3.2.3); binary data in base64."""

    payload_format_indicator: int | None = None
    message_expiry_interval: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    user_properties: list[tuple[str, str]] = field(default_factory=list)


class MessageReceived(
    Struct,
    frozen=True,
    omit_defaults=True,
    tag_field="type",
    tag="message_received",
    gc=False,
):
    """One MQTT message of a watched filter.

    ``payload`` is text when ``encoding`` is ``utf8`` and base64 otherwise; the bytes survive the
    round trip. ``size`` is the payload's length in bytes. ``truncated`` is true when ``payload``
    holds only its beginning (frames to browsers; never on the Redis channel). Within an epoch
    ``seq`` grows by one; a jump is a loss, and says how many (after a lost session: at least one).
    """

    topic: str
    payload: str
    encoding: Encoding
    timestamp: float
    qos: int
    retain: bool
    seq: int
    epoch: int
    size: int
    dup: bool = False
    truncated: bool = False
    properties: MessageProperties | None = None


class ClientInfo(Struct, kw_only=True, frozen=True):
    """One MQTT client as far as the broker lets it be known.

    ``since`` dates the present state, ``first_seen`` and ``last_seen`` what the bridge saw of it.
    ``connects`` counts accepted and ``refused`` refused connections that the bridge saw.
    ``subscriptions`` is ``null`` while the broker tells none; ``subscriptions_left_out`` counts
    those not listed, and ``subscriptions_complete`` says whether the list can be relied on.
    """

    client_id: str
    connected: bool | None = None
    address: str | None = None
    port: int | None = None
    protocol: str | None = None
    clean_start: bool | None = None
    keepalive_s: int | None = None
    username: str | None = None
    since: float | None = None
    last_reason: str | None = None
    first_seen: float | None = None
    last_seen: float | None = None
    connects: int = 0
    refused: int = 0
    subscriptions: list[HeldFilter] | None = None
    subscriptions_left_out: int = 0
    subscriptions_complete: bool = False


class ClientsUpdate(Struct, kw_only=True, frozen=True, tag_field="type", tag="clients_update"):
    """The clients known by id, and how many there are: ``known`` of ``connected``.

    ``connected`` is the broker's own count (``null`` when it gives none), ``known`` the number of
    clients known by id to be connected. ``clients`` holds the connected first; ``truncated`` says
    how many known ones are not in it. ``hint`` says what to switch on in the broker to see more.
    ``left_out`` counts by reason what the broker told and could not be used. ``accounts`` are user
    names of the broker's access control, not client ids; ``null`` when it was not asked or gave no
    answer, with the reason in ``accounts_hint``.
    """

    timestamp: float
    clients: list[ClientInfo]
    connected: int | None
    known: int
    source: str | None = None
    hint: str | None = None
    truncated: int = 0
    epoch: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    accounts: list[AccountInfo] | None = None
    accounts_total: int | None = None
    accounts_hint: str | None = None


class TopicChange(Struct, kw_only=True, frozen=True):
    """A topic that had traffic since the last `TopicsUpdate`; ``rate`` as in `TopicEntry`."""

    topic: str
    message_count: int
    last_seen: float
    rate: float | None
    retained: bool


class TopicNews(Struct, kw_only=True, frozen=True):
    """A topic that is worth a look: new, or silent for longer than usual.

    ``usual_gap_s`` is the usual time between two of its messages, ``null`` while unknown.
    """

    topic: str
    first_seen: float
    last_seen: float
    message_count: int
    usual_gap_s: float | None = None


class TopicsUpdate(Struct, kw_only=True, frozen=True, tag_field="type", tag="topics_update"):
    """Counts of the topic index and what changed in it since the last document.

    ``changed`` holds the busiest changed topics, ``changed_count`` how many changed in all.
    ``count`` and ``new`` are ``null`` for a viewer who may not read every topic.
    ``left_out`` counts messages whose topic the index refused because it was full, ``left_out_by``
    by which bound: ``topics`` or ``name_bytes``. ``values_cut`` counts values cut short because all
    values together had used up their bytes. ``newest`` are the topics seen first most recently,
    ``silent`` those whose silence began most recently and is three times as long as usual;
    ``silent_count`` counts all of these, ``null`` while not counted yet. The lists are bounded in
    bytes: a very long topic is counted, but not listed.
    """

    timestamp: float
    count: int | None
    new: int | None
    changed_count: int
    changed: list[TopicChange]
    limit: int
    left_out: int
    left_out_by: dict[str, int] = field(default_factory=dict)
    values_cut: int = 0
    newest: list[TopicNews] = field(default_factory=list)
    silent: list[TopicNews] = field(default_factory=list)
    silent_count: int | None = None
    epoch: int = 0


class RetainedCensus(Struct, kw_only=True, frozen=True):
    """How many of the broker's retained messages the bridge knows.

    ``seen`` are user topics known as retained, ``system`` those below ``$SYS``, ``broker`` the
    broker's own count of both, ``null`` when it gives none. ``missing`` = ``broker`` - ``seen`` -
    ``system``, when it can be known. ``state``: ``counting`` while a snapshot comes in,
    ``crawling`` while it is asked for again branch by branch, then ``complete``, ``short`` (with
    the reason) or ``unknown`` (with the reason).
    """

    state: Literal["counting", "crawling", "complete", "short", "unknown"]
    reason: str
    seen: int
    system: int
    broker: int | None = None
    missing: int | None = None
    crawled: int = 0


class GrantedFilter(Struct, kw_only=True, frozen=True):
    """A filter the bridge holds at the broker; ``granted`` is the QoS or ``null`` with an error."""

    filter: str
    qos: int
    granted: int | None = None
    error: str | None = None


class BridgeStatus(Struct, kw_only=True, frozen=True):
    """The bridge's own state, renewed each second under a key that expires.

    ``beat`` grows with each renewal: a reader judges age by when it last saw it grow, on its own
    clock. ``connected`` speaks of the MQTT session only. ``faults`` counts by place what the bridge
    could not use, or what failed in it, and was survived.
    """

    instance: str
    epoch: int
    beat: int
    version: str
    pid: int
    started_at: float
    timestamp: float
    connected: bool
    state: LinkState
    reason: str
    since: float
    host: str
    port: int
    tls: bool = False
    protocol: str | None = None
    client_id: str = ""
    connects: int = 0
    anonymous: bool = False
    broker_family: str | None = None
    subscriptions: list[GrantedFilter] = field(default_factory=list)
    traffic: Traffic = Traffic()
    commands: dict[str, int] = field(default_factory=dict)
    last_message_at: float | None = None
    seq: int = 0
    retained: RetainedCensus | None = None
    restoring: bool = False
    capabilities: Capabilities | None = None
    faults: dict[str, int] = field(default_factory=dict)


class WantedFilter(Struct, kw_only=True):
    """Who wants a filter: per owner a count (unnamed owners) or an expiry (named owners)."""

    filter: str
    qos: int = 0
    count: int = 0
    owners: dict[str, float] = field(default_factory=dict)


class LogMessage(Struct, array_like=True, frozen=True, gc=False):
    """One message inside a `Batch`; the payload stays bytes."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    timestamp: float
    properties: MessageProperties | None = None


class Batch(Struct, array_like=True, frozen=True):
    """An entry of the message log: ``gap`` says why numbers before ``first_seq`` are missing."""

    version: int
    epoch: int
    first_seq: int
    messages: list[LogMessage]
    gap: GapCause | None = None


StateDocument = StatsUpdate | StatusChange | ClientsUpdate | TopicsUpdate
