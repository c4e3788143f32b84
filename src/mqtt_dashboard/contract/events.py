"""Socket.IO events: names and payloads. Websocket transport only.

A browser sends ``subscribe`` / ``unsubscribe`` / ``publish`` / ``watch_command`` and reads the
acknowledgement; the server sends the events of `SERVER_EVENTS`. A client that sends ``credit`` gets
as many message frames as it allows; one that never does gets frames at a modest fixed rate.
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
from mqtt_dashboard.contract.orders import CommandResult, CommandWatch, CommandWatchReply

BROKER_STATS: Final = "broker_stats"
BROKER_STATUS: Final = "broker_status"
MQTT_MESSAGES: Final = "mqtt_messages"
CLIENTS_UPDATE: Final = "clients_update"
TOPICS_UPDATE: Final = "topics_update"
COMMAND_RESULT: Final = "command_result"

SUBSCRIBE: Final = "subscribe"
UNSUBSCRIBE: Final = "unsubscribe"
PUBLISH: Final = "publish"
WATCH_COMMAND: Final = "watch_command"
CREDIT: Final = "credit"

MAX_CREDIT: Final = 64


class MessagesFrame(Struct, kw_only=True, frozen=True):
    """Messages of this viewer's filters since the frame before.

    ``seq`` is the last position in the log the frame has reached. Left out since the frame before:
    ``conflated`` messages, because the viewer was slow and a newer one of the same topic was kept;
    ``dropped`` messages, because there were too many even so. ``gap`` is true when messages were
    lost in between (log trimmed, new epoch); ``missing`` is how many numbers of the log are not
    there, those of other filters included, and null when that cannot be known. ``replay`` marks
    messages from before the subscription. ``left_out`` says how many of ``conflated`` and
    ``dropped`` together were of topics that are watched by their exact name, by topic.
    """

    epoch: int
    seq: int
    dropped: int
    messages: list[MessageReceived]
    gap: bool = False
    replay: bool = False
    conflated: int = 0
    missing: int | None = None
    left_out: dict[str, int] = {}


class LogPosition(Struct, kw_only=True, frozen=True):
    """A place in the message log: as ``epoch`` and ``seq`` of a frame or a message."""

    epoch: Annotated[int, Meta(ge=0)]
    seq: Annotated[int, Meta(ge=0)]


class FilterRequest(Struct, kw_only=True, frozen=True):
    """Payload of ``subscribe`` and ``unsubscribe``.

    ``after`` is for ``subscribe`` after a reconnect: ``epoch`` and ``seq`` of the last frame that
    was no replay. What came since is replayed as far as it is still there.
    """

    filter: Annotated[str, Meta(min_length=1, max_length=65535)]
    after: LogPosition | None = None


class FilterReply(Struct, kw_only=True, frozen=True):
    """Acknowledgement of ``subscribe`` and ``unsubscribe``.

    ``watched`` is false when the bridge does not receive this filter yet; it was asked to.
    """

    ok: bool
    filter: str
    message: str | None = None
    watched: bool | None = None


class CreditRequest(Struct, kw_only=True, frozen=True):
    """Payload of ``credit``: so many more message frames may be sent, replays included.

    From the first one on nothing is sent without credit. At most 64 are kept.
    """

    frames: Annotated[int, Meta(ge=1, le=MAX_CREDIT)]


class CreditReply(Struct, kw_only=True, frozen=True):
    """Acknowledgement of ``credit``: how many frames may be sent now; null when refused."""

    ok: bool
    frames: int | None = None
    message: str | None = None


SERVER_EVENTS: Final[dict[str, type[Struct]]] = {
    BROKER_STATS: BrokerStatsReply,
    BROKER_STATUS: BrokerStatusReply,
    MQTT_MESSAGES: MessagesFrame,
    CLIENTS_UPDATE: ClientsUpdate,
    TOPICS_UPDATE: TopicsUpdate,
    COMMAND_RESULT: CommandResult,
}

CLIENT_EVENTS: Final[dict[str, tuple[type[Struct], type[Struct]]]] = {
    SUBSCRIBE: (FilterRequest, FilterReply),
    UNSUBSCRIBE: (FilterRequest, FilterReply),
    PUBLISH: (PublishRequest, PublishReply),
    CREDIT: (CreditRequest, CreditReply),
    WATCH_COMMAND: (CommandWatch, CommandWatchReply),
}
