"""The routes of the audit record, for the table in `export`."""

from typing import Any, Final, get_args

from mqtt_dashboard.contract import audit
from mqtt_dashboard.contract.api import ErrorReply
from mqtt_dashboard.contract.routes import Query, Route

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_TIME: Final[dict[str, Any]] = {"type": "number", "minimum": 0, "exclusiveMaximum": 1e11}
_UNKNOWN: Final = ("Nobody known is asking: sign in.", ErrorReply)
_FORBIDDEN: Final = ("Administrators only.", ErrorReply)
_INVALID: Final = ("A parameter is not valid.", ErrorReply)
_REDIS: Final = ("Redis does not answer.", ErrorReply)

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "get",
        "/api/audit",
        "getAudit",
        "Who did what, the newest first; administrators only.",
        {
            200: ("Entries.", audit.AuditReply),
            400: _INVALID,
            401: _UNKNOWN,
            403: _FORBIDDEN,
            503: _REDIS,
        },
        query=(
            Query("who", "The one who did it, or to whom it was done.", _TEXT),
            Query(
                "action",
                "What was done.",
                {"type": "string", "enum": list(get_args(audit.AuditAction))},
            ),
            Query(
                "outcome",
                "How it ended.",
                {"type": "string", "enum": list(get_args(audit.AuditOutcome))},
            ),
            Query("topic", "A part of the topic.", _TEXT),
            Query("since", "Not before this Unix time.", _TIME),
            Query("until", "Before this Unix time.", _TIME),
            Query(
                "before",
                "Entries with smaller numbers: `next` of the page before.",
                {"type": "integer", "minimum": 1},
            ),
            Query("limit", "Most entries.", {"type": "integer", "minimum": 1, "maximum": 500}),
        ),
    ),
    Route(
        "get",
        "/api/audit/verify",
        "verifyAudit",
        "Whether every kept entry is tied to the one before it; administrators only.",
        {200: ("The verdict.", audit.AuditVerdict), 401: _UNKNOWN, 403: _FORBIDDEN, 503: _REDIS},
    ),
    Route(
        "get",
        "/api/audit/export",
        "exportAudit",
        "The whole record as a download, one JSON document per line; administrators only.",
        {200: ("The file.", "application/x-ndjson"), 401: _UNKNOWN, 403: _FORBIDDEN},
    ),
    Route(
        "get",
        "/api/audit/export.csv",
        "exportAuditTable",
        "The whole record as a download for spreadsheets; administrators only.",
        {200: ("The file.", "text/csv"), 401: _UNKNOWN, 403: _FORBIDDEN},
    ),
)
