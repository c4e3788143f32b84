"""Socket.IO events: names and payloads. Websocket transport only.

A browser sends ``subscribe`` / ``unsubscribe`` / ``publish`` and reads the acknowledgement; the
server sends the five events of `SERVER_EVENTS`.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from mqtt_dashboard.contract.api import (
    BrokerStatsReply,
    BrokerStatusReply,
    PublishReply,
    PublishRequest,
)
from mqtt_dashboard.contract.messages import ClientsUpdate, MessageReceived, TopicsUpdate

BROKER_STATS: Final = "broker_stats"
BROKER_STATUS: Final = "broker_status"
MQTT_MESSAGES: Final = "mqtt_messages"
CLIENTS_UPDATE: Final = "clients_update"
TOPICS_UPDATE: Final = "topics_update"

SUBSCRIBE: Final = "subscribe"
UNSUBSCRIBE: Final = "unsubscribe"
PUBLISH: Final = "publish"


class MessagesFrame(Struct, kw_only=True, frozen=True):
    """Messages of this viewer's filters since the frame before.

    ``seq`` is the last position in the log the frame has reached. ``dropped`` counts messages of
    this viewer's filters that were left out since the frame before because there were too many;
    ``gap`` is true when an unknown number was lost in between (log trimmed, new epoch).
    ``replay`` marks messages from before the subscription.
    """

    epoch: int
    seq: int
    dropped: int
    messages: list[MessageReceived]
    gap: bool = False
    replay: bool = False


class FilterRequest(Struct, kw_only=True, frozen=True):
    """Payload of ``subscribe`` and ``unsubscribe``."""

    filter: Annotated[str, Meta(min_length=1, max_length=65535)]


class FilterReply(Struct, kw_only=True, frozen=True):
    """Acknowledgement of ``subscribe`` and ``unsubscribe``.

    ``watched`` is false when the bridge does not receive this filter yet; it was asked to.
    """

    ok: bool
    filter: str
    message: str | None = None
    watched: bool | None = None


SERVER_EVENTS: Final[dict[str, type[Struct]]] = {
    BROKER_STATS: BrokerStatsReply,
    BROKER_STATUS: BrokerStatusReply,
    MQTT_MESSAGES: MessagesFrame,
    CLIENTS_UPDATE: ClientsUpdate,
    TOPICS_UPDATE: TopicsUpdate,
}

CLIENT_EVENTS: Final[dict[str, tuple[type[Struct], type[Struct]]]] = {
    SUBSCRIBE: (FilterRequest, FilterReply),
    UNSUBSCRIBE: (FilterRequest, FilterReply),
    PUBLISH: (PublishRequest, PublishReply),
}
