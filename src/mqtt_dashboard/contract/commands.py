"""Commands towards the bridge and their results; a document that does not fit is refused."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from mqtt_dashboard.contract.messages import Encoding
from mqtt_dashboard.contract.policy import CommandPolicy

QoS = Literal[0, 1, 2]
IDENTIFIER_PATTERN: Final = r"\A[A-Za-z0-9_.:-]+\Z"
Identifier = Annotated[str, Meta(min_length=1, max_length=64, pattern=IDENTIFIER_PATTERN)]
TopicText = Annotated[str, Meta(min_length=1, max_length=65535)]

CommandState = Literal["acked", "sent", "failed", "expired", "indeterminate"]


class PublishCommand(Struct, kw_only=True, frozen=True, tag_field="type", tag="cmd_publish"):
    """Publish one message.

    ``id`` asks for a `CommandReply`; without it the command is fire and forget. ``deadline`` is a
    Unix time in seconds after which the command must not be sent any more. ``policy`` says in whose
    name it is sent; the bridge refuses what that one may not publish to.
    """

    topic: TopicText
    payload: str = ""
    qos: QoS = 0
    retain: bool = False
    encoding: Encoding = "utf8"
    id: Identifier | None = None
    deadline: float | None = None
    policy: CommandPolicy | None = None


class SubscribeCommand(Struct, kw_only=True, frozen=True, tag_field="type", tag="cmd_subscribe"):
    """Watch a filter.

    Without ``owner`` each command counts one reference. With ``owner`` the command is idempotent
    and holds until ``ttl_s`` seconds have passed without a renewal.
    """

    topic: TopicText
    qos: QoS = 0
    owner: Identifier | None = None
    ttl_s: Annotated[float, Meta(gt=0, le=86400)] = 60.0


class UnsubscribeCommand(
    Struct, kw_only=True, frozen=True, tag_field="type", tag="cmd_unsubscribe"
):
    """Give up one reference to a filter; the last one ends the subscription."""

    topic: TopicText
    owner: Identifier | None = None


Command = PublishCommand | SubscribeCommand | UnsubscribeCommand


class CommandReply(Struct, kw_only=True, frozen=True):
    """What became of a command.

    ``acked``: the broker confirmed it (QoS 1 or 2). ``sent``: QoS 0, handed to the broker's
    connection, no confirmation exists. ``failed``: refused, with the reason. ``expired``: not sent
    before the deadline. ``indeterminate``: sent, and the connection was lost before the answer.
    """

    id: str
    state: CommandState
    reason: str
    code: int | None = None
    timestamp: float = 0.0
