"""The HTTP routes of topics and their messages, for the table in `export`."""

from typing import Final

from mqtt_dashboard.contract import api
from mqtt_dashboard.contract.messages import MessageReceived
from mqtt_dashboard.contract.routes import Query, Route

# What every reader of JSON keeps exactly.
MOST_NUMBER: Final = 2**53 - 1
_TEXT: Final = {"type": "string"}
_LIMIT_QUERY: Final = Query(
    "limit",
    "Entries on the page.",
    {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
)
_TOPIC_QUERY: Final = (
    Query("after", "Continue behind this topic (`next` of the page before).", _TEXT),
    _LIMIT_QUERY,
    Query("prefix", "Only topics that begin with this text.", _TEXT),
    Query("filter", "Only topics that match this MQTT filter, `+` and `#` allowed.", _TEXT),
    Query("search", "Only topics that hold every word of this text, in any letter case.", _TEXT),
    Query(
        "values",
        "1: a word may also be in the last value.",
        {"type": "string", "enum": ["0", "1"], "default": "0"},
    ),
)
_LEVEL_QUERY: Final = (
    Query("parent", "The level to look below; without it, the root.", _TEXT),
    Query("after", "Continue behind this child (`next` of the page before).", _TEXT),
    _LIMIT_QUERY,
)
_ONE_TOPIC_QUERY: Final = (
    Query("topic", "The exact topic.", {"type": "string", "minLength": 1}, required=True),
)
_NUMBER: Final = {"type": "integer", "minimum": 0, "maximum": MOST_NUMBER}
_ONE_MESSAGE_QUERY: Final = (
    *_ONE_TOPIC_QUERY,
    Query("epoch", "The message's `epoch`; without it and `seq`, the last message.", _NUMBER),
    Query("seq", "The message's `seq`.", _NUMBER),
)
_TOPIC_HISTORY_QUERY: Final = (
    *_ONE_TOPIC_QUERY,
    Query(
        "limit",
        "Messages to return at most.",
        {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
    ),
    Query(
        "before",
        "Go on with older ones (`next` of the page before).",
        {"type": "string", "pattern": r"^[0-9]{1,20}-[0-9]{1,20}\.[0-9]{1,19}$"},
    ),
)
_REFUSED: Final = ("Refused; the message says why.", api.ErrorReply)

TOPIC_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "get",
        "/api/topics",
        "getTopics",
        "A page of the topic index in the order of the tree; search by words and by filter.",
        {
            200: ("A page.", api.TopicsReply),
            400: _REFUSED,
            503: ("Redis does not answer.", api.ErrorReply),
        },
        query=_TOPIC_QUERY,
    ),
    Route(
        "get",
        "/api/topics/levels",
        "getTopicLevels",
        "One level of the topic tree.",
        {
            200: ("A page of children.", api.LevelsReply),
            400: _REFUSED,
            503: ("Redis does not answer.", api.ErrorReply),
        },
        query=_LEVEL_QUERY,
    ),
    Route(
        "get",
        "/api/topics/one",
        "getTopic",
        "One topic with its last value.",
        {
            200: ("The topic.", api.TopicInfo),
            400: _REFUSED,
            404: ("No message was seen on it.", api.ErrorReply),
            503: ("Redis does not answer.", api.ErrorReply),
        },
        query=_ONE_TOPIC_QUERY,
    ),
    Route(
        "get",
        "/api/topics/history",
        "getTopicHistory",
        "The last messages of one topic, as far as the message log holds them.",
        {
            200: ("Messages, newest first.", api.HistoryReply),
            400: _REFUSED,
            503: ("Redis does not answer.", api.ErrorReply),
        },
        query=_TOPIC_HISTORY_QUERY,
    ),
    Route(
        "get",
        "/api/topics/payload",
        "getTopicPayload",
        "The bytes of a topic's last value, or of one of its messages, as a download.",
        {
            200: (
                "The bytes; `X-Truncated: 1` when only the beginning is still known.",
                "application/octet-stream",
            ),
            400: _REFUSED,
            404: ("No such message is known, or not any more.", api.ErrorReply),
            503: ("Redis does not answer.", api.ErrorReply),
        },
        query=_ONE_MESSAGE_QUERY,
    ),
    Route(
        "get",
        "/api/topics/message",
        "getTopicMessage",
        "One message with all of its payload, from the message log.",
        {
            200: ("The message.", MessageReceived),
            400: _REFUSED,
            404: ("No such message is known, or not any more.", api.ErrorReply),
            503: ("Redis does not answer.", api.ErrorReply),
        },
        query=_ONE_MESSAGE_QUERY,
    ),
)
