"""The audit record over HTTP, for administrators: pages, a file, a proof."""

from collections.abc import Callable, Iterator
from typing import Final, get_args

import flask

from mqtt_dashboard.contract.audit import AuditAction, AuditOutcome, AuditReply
from mqtt_dashboard.dashboard import audit_trail
from mqtt_dashboard.dashboard.audit_trail import Search
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.auth.principal import ForbiddenError, SignInError
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import BadQueryError, reply

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 500
# A download may take long; whose it is is looked at every so many lines.
LOOK_EVERY: Final = 500
ACTIONS: Final = frozenset(get_args(AuditAction))
OUTCOMES: Final = frozenset(get_args(AuditOutcome))


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
                since=store.oldest_at(),
                last=head.seq,
                limit=limit,
            )
        )

    @routes.get("/verify")
    def verify() -> flask.Response:
        return reply(audit_trail.verify(store))

    @routes.get("/export")
    def export() -> flask.Response:
        lines = audit_trail.json_lines(store)
        return _file(parts, lines, "application/x-ndjson", "audit.jsonl")

    @routes.get("/export.csv")
    def export_csv() -> flask.Response:
        return _file(parts, audit_trail.comma_separated(store), "text/csv", "audit.csv")

    return routes


def _file(parts: Parts, lines: Iterator[bytes], kind: str, name: str) -> flask.Response:
    who = current()

    def may_go_on() -> bool:
        try:
            return parts.publisher.still(who).has_role("administrator")
        except SignInError:
            return False

    answer = flask.Response(while_allowed(lines, may_go_on), mimetype=kind)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def while_allowed(lines: Iterator[bytes], may_go_on: Callable[[], bool]) -> Iterator[bytes]:
    """Yield lines while who asked for them may have them; then the download breaks off."""
    for number, line in enumerate(lines):
        if number % LOOK_EVERY == 0 and not may_go_on():
            raise ForbiddenError("whoever asked for this file may not have it any more")
        yield line


def _search() -> Search:
    query = flask.request.args
    return Search(
        who=query.get("who") or None,
        action=_one_of("action", ACTIONS),
        outcome=_one_of("outcome", OUTCOMES),
        topic=query.get("topic") or None,
        since=_time("since"),
        until=_time("until"),
    )


def _one_of(name: str, words: frozenset[str]) -> str | None:
    text = flask.request.args.get(name)
    if text is not None and text not in words:
        raise BadQueryError(f"{name} must be one of {', '.join(sorted(words))}", name)
    return text


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
