"""The system of ourselves, for whoever operates it."""

import flask
import msgspec

from mqtt_dashboard import about
from mqtt_dashboard.contract.system import (
    BridgeAbout,
    RedisFacts,
    StreamFacts,
    SystemReply,
    WorkerReport,
)
from mqtt_dashboard.dashboard.auth import redaction
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import reply
from mqtt_dashboard.errors import BusError


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the route."""
    routes = flask.Blueprint("system", __name__)

    @routes.get("/api/system")
    def system() -> flask.Response:
        return reply(redaction.system(_system(parts), current().read))

    return routes


def _system(parts: Parts) -> SystemReply:
    history, own = parts.store.history, parts.census.report()
    redis, bridge, problem = None, None, None
    workers = [own]
    try:
        bridge = history.bridge_about()
        facts = history.redis_facts()
        streams = [_limited(parts, bridge, facts, one) for one in history.streams()]
        told = msgspec.structs.replace(facts, streams=streams)
        redis = _with_door(told, parts.redis_door.warning)
        others = history.workers(parts.clock.now())
        workers = [own, *(one for one in others if one.name != own.name)]
    except BusError as error:
        problem = error.reason
    return SystemReply(
        timestamp=parts.clock.now(),
        answered_by=own.name,
        redis=redis,
        redis_problem=problem,
        bridge=bridge,
        workers=workers,
        settings=about.settings(
            [parts.settings, parts.page_settings, parts.auth.settings, parts.redis_settings]
        ),
        lag=_lag(parts, workers),
        seq=None if (now := parts.state.bridge()) is None else now.seq,
        commands_durable=parts.state.durability.durable,
        commands_durable_reason=parts.state.durability.reason,
    )


def _with_door(facts: RedisFacts, warning: str | None) -> RedisFacts:
    if warning is None:
        return facts
    return msgspec.structs.replace(facts, warnings=[warning, *facts.warnings])


def _limited(
    parts: Parts, bridge: BridgeAbout | None, redis: RedisFacts, stream: StreamFacts
) -> StreamFacts:
    """Put the limits that are settings, and the bytes of the log, beside a stream's length."""
    settings, auth = parts.settings, parts.auth.settings
    match stream.name:
        case "messages":
            limit = _setting(bridge, "MESSAGE_LOG_BYTES")
            return msgspec.structs.replace(stream, bytes=redis.log_bytes, limit_bytes=limit)
        case "commands":
            return msgspec.structs.replace(
                stream, limit=settings.command_limit, limit_bytes=settings.command_bytes
            )
        case "audit":
            return msgspec.structs.replace(stream, limit=auth.audit_limit)
    return stream


def _setting(bridge: BridgeAbout | None, name: str) -> int | None:
    """Return a number the bridge is set to; the dashboard does not share its environment."""
    shown = () if bridge is None else bridge.settings
    found = next((one.value for one in shown if one.name == name), "")
    return int(found) if found.isdecimal() else None


def _lag(parts: Parts, workers: list[WorkerReport]) -> int | None:
    bridge = parts.state.bridge()
    read = [worker.log_seq for worker in workers if worker.log_seq is not None]
    if bridge is None or not read:
        return None
    return max(0, bridge.seq - min(read))
