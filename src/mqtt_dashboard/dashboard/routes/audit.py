"""The audit record over HTTP, for administrators: pages, a file, a proof."""

from typing import Final

import flask

from mqtt_dashboard.contract.audit import AuditReply
from mqtt_dashboard.dashboard import audit_trail
from mqtt_dashboard.dashboard.audit_trail import Search
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import BadQueryError, refuse, reply

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 500
FORMATS: Final = {
    "jsonl": (audit_trail.json_lines, "application/x-ndjson"),
    "csv": (audit_trail.comma_separated, "text/csv; charset=utf-8"),
}


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("audit", __name__, url_prefix="/api/audit")
    store = parts.auditor.store

    @routes.get("")
    def entries() -> flask.Response:
        limit = _whole("limit", DEFAULT_LIMIT, MAX_LIMIT)
        head = store.head()
        found, following, looked_at = audit_trail.page(store, _search(), _before(), limit)
        return reply(
            AuditReply(
                entries=found,
                next=following,
                looked_at=looked_at,
                first=head.first if head.seq else None,
                last=head.seq,
                limit=limit,
            )
        )

    @routes.get("/verify")
    def verify() -> flask.Response:
        return reply(audit_trail.verify(store))

    @routes.get("/export")
    def export() -> flask.Response:
        name = flask.request.args.get("format", "jsonl")
        if name not in FORMATS:
            return refuse(400, "invalid", f"format must be one of {', '.join(FORMATS)}", "format")
        lines, kind = FORMATS[name]
        answer = flask.Response(lines(store), mimetype=kind)
        answer.headers["Content-Disposition"] = f'attachment; filename="audit.{name}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return routes


def _search() -> Search:
    query = flask.request.args
    return Search(
        who=query.get("who") or None,
        action=query.get("action") or None,
        outcome=query.get("outcome") or None,
        topic=query.get("topic") or None,
        since=_time("since"),
        until=_time("until"),
    )


def _before() -> int | None:
    return _whole("before", 0, 2**53) if "before" in flask.request.args else None


def _whole(name: str, default: int, most: int) -> int:
    text = flask.request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 17 and 1 <= int(text) <= most):
        raise BadQueryError(f"{name} must be 1 to {most}", name)
    return int(text)


def _time(name: str) -> float | None:
    text = flask.request.args.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise BadQueryError(f"{name} must be a Unix time in seconds", name) from None
    if not 0 <= value < 1e11:
        raise BadQueryError(f"{name} must be a Unix time in seconds", name)
    return value
