"""The HTTP routes of durable commands, for the table in `export`."""

from typing import Final

from mqtt_dashboard.contract import api, orders
from mqtt_dashboard.contract.routes import Query, Route

_TEXT: Final = {"type": "string"}
_REFUSED: Final = ("Refused; the message says why.", api.ErrorReply)
_FOREIGN: Final = ("The request names a foreign host or comes from a foreign page.", api.ErrorReply)
_KEY_HEADER: Final = (
    Query(
        "Idempotency-Key",
        "The same key again is the same command: nothing is done twice.",
        {"type": "string", "minLength": 1, "maxLength": orders.MAX_KEY_LENGTH},
        "header",
    ),
)

COMMAND_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "post",
        "/api/commands",
        "sendCommand",
        "Accept a command for good; its result is read by its id.",
        {
            200: ("Known by its key, with its result.", orders.CommandRecord),
            202: ("Accepted, or known by its key and without result.", orders.CommandRecord),
            400: ("Not JSON.", api.ErrorReply),
            403: _FOREIGN,
            409: ("The Idempotency-Key stands for another command.", api.ErrorReply),
            413: ("The body is too large.", api.ErrorReply),
            415: ("The body is not application/json.", api.ErrorReply),
            422: ("A field is not valid.", api.ErrorReply),
            503: ("No room for more, or Redis does not answer.", api.ErrorReply),
        },
        query=_KEY_HEADER,
        body=orders.CommandRequest,
    ),
    Route(
        "get",
        "/api/commands",
        "getCommands",
        "The newest commands and how many wait for their result.",
        {
            200: ("Commands.", orders.CommandsReply),
            400: _REFUSED,
            503: ("Redis does not answer.", api.ErrorReply),
        },
        query=(
            Query(
                "limit",
                "Commands at most.",
                {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
            ),
        ),
    ),
    Route(
        "get",
        "/api/commands/{command_id}",
        "getCommand",
        "One command; with `wait`, as soon as it has its result.",
        {
            200: ("The command as it is now.", orders.CommandRecord),
            400: _REFUSED,
            404: ("There is no record of it (any more).", api.ErrorReply),
            503: ("Too many wait, or Redis does not answer.", api.ErrorReply),
        },
        query=(
            Query("command_id", "The command's id.", _TEXT, "path"),
            Query(
                "wait",
                "Seconds to wait for the result.",
                {"type": "number", "minimum": 0, "maximum": 30, "default": 0},
            ),
        ),
    ),
)
