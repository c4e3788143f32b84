"""Status, statistics and versions, now and before."""

from typing import Final

import flask

from mqtt_dashboard.contract import history
from mqtt_dashboard.contract.history import Span, StatsHistoryReply, StatsPoint, StoryReply
from mqtt_dashboard.dashboard.auth import redaction
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.queries import whole_number
from mqtt_dashboard.dashboard.responses import BadQueryError, reply

STEPS: Final[dict[Span, float]] = {"hour": 5.0, "day": 60.0}
STORY_LIMIT: Final = 500


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("broker", __name__, url_prefix="/api/broker")

    @routes.get("/status")
    def status() -> flask.Response:
        return reply(redaction.status(parts.state.broker_status(), current().read))

    @routes.get("/stats")
    def stats() -> flask.Response:
        return reply(parts.state.broker_stats())

    @routes.get("/stats/history")
    def stats_history() -> flask.Response:
        span, fields = _span(), _fields()
        return reply(_columns(span, fields, parts.store.history.stats(span)))

    @routes.get("/story")
    def story() -> flask.Response:
        limit = whole_number("limit", 100, STORY_LIMIT)
        changes = parts.store.history.story(limit + 1)
        return reply(StoryReply(changes=changes[:limit], more=len(changes) > limit))

    @routes.get("/version")
    def version() -> flask.Response:
        return reply(parts.state.version())

    return routes


def _span() -> Span:
    span = flask.request.args.get("span", "hour")
    if span not in STEPS:
        raise BadQueryError("span must be hour or day", "span")
    return span


def _fields() -> list[str]:
    known = history.names()
    text = flask.request.args.get("fields")
    if not text:
        return sorted(known)
    fields = list(dict.fromkeys(text.split(",")))
    if unknown := [name for name in fields if name not in known]:
        raise BadQueryError(f"no such field: {unknown[0][:80]!a}", "fields")
    return fields


def _columns(span: Span, fields: list[str], points: list[StatsPoint]) -> StatsHistoryReply:
    step = STEPS[span]
    times: list[float] = []
    rows: list[dict[str, float]] = []
    for point in points:
        if times and point.timestamp - times[-1] > 2.5 * step:
            times.append(times[-1] + step)
            rows.append({})
        times.append(point.timestamp)
        rows.append(point.values)
    series = {name: [row.get(name) for row in rows] for name in fields}
    return StatsHistoryReply(span=span, step_s=step, times=times, series=series)
