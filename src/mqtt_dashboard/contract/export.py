"""The HTTP routes as a table, and the OpenAPI document made from it and the API's types.

The table is what the documents are made of; a test compares it with the routes the dashboard
really serves, so neither can drift. Every schema comes from the Structs of this package.
"""

import inspect
from typing import Any, Final

import msgspec
from msgspec import Struct

from mqtt_dashboard.contract import (
    CONTRACT_VERSION,
    api,
    export_audit,
    export_auth,
    history,
    system,
)
from mqtt_dashboard.contract.command_routes import COMMAND_ROUTES
from mqtt_dashboard.contract.common_replies import (
    SECURITY_SCHEMES,
    portable,
    replies_of,
    security_of,
)
from mqtt_dashboard.contract.routes import Query, Route
from mqtt_dashboard.contract.topic_routes import TOPIC_ROUTES

SCHEMA_REF: Final = "#/components/schemas/{name}"


_TEXT: Final = {"type": "string"}
_HISTORY_QUERY: Final = (
    Query("span", "The last hour or day.", {"type": "string", "enum": ["hour", "day"]}),
    Query("fields", "Names of `BrokerStats` or `rate_…`, commas between; without it, all.", _TEXT),
)
_REFUSED: Final = ("Refused; the message says why.", api.ErrorReply)
_FOREIGN: Final = ("The request names a foreign host or comes from a foreign page.", api.ErrorReply)

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "get",
        "/health",
        "getHealth",
        "Whether the dashboard serves, and if not fully, why.",
        {
            200: ("Healthy or degraded.", api.HealthReply),
            503: ("Unhealthy.", api.HealthReply),
        },
    ),
    Route(
        "get",
        "/healthz",
        "getLiveness",
        "Whether this worker's own loops turn.",
        {200: ("They turn.", api.ProbeReply), 503: ("One is dead or hangs.", api.ProbeReply)},
    ),
    Route(
        "get",
        "/readyz",
        "getReadiness",
        "Whether Redis answers and a bridge is alive.",
        {200: ("Ready.", api.ProbeReply), 503: ("Not ready.", api.ProbeReply)},
    ),
    Route(
        "get",
        "/metrics",
        "getMetrics",
        "Counters of the worker that answers, in Prometheus' text format.",
        {200: ("Counters.", "text/plain")},
    ),
    Route(
        "get",
        "/openapi.json",
        "getOpenapi",
        "This document.",
        {200: ("OpenAPI 3.1.", "application/json")},
    ),
    Route(
        "get",
        "/api/broker/status",
        "getBrokerStatus",
        "Broker, bridge and Redis, each on its own; unknown is null.",
        {200: ("Status.", api.BrokerStatusReply)},
    ),
    Route(
        "get",
        "/api/broker/stats",
        "getBrokerStats",
        "Newest statistics of the broker with their age.",
        {200: ("Statistics.", api.BrokerStatsReply)},
    ),
    Route(
        "get",
        "/api/broker/stats/history",
        "getBrokerStatsHistory",
        "Statistics over the last hour or day, in columns.",
        {
            200: ("Columns.", history.StatsHistoryReply),
            400: _REFUSED,
            503: ("Redis does not answer.", api.ErrorReply),
        },
        query=_HISTORY_QUERY,
    ),
    Route(
        "get",
        "/api/broker/story",
        "getBrokerStory",
        "How the bridge's connection to the broker came and went, newest first.",
        {
            200: ("Changes.", history.StoryReply),
            400: _REFUSED,
            503: ("Redis does not answer.", api.ErrorReply),
        },
        query=(
            Query(
                "limit",
                "Changes at most.",
                {"type": "integer", "minimum": 1, "maximum": 500, "default": 100},
            ),
        ),
    ),
    Route(
        "get",
        "/api/system",
        "getSystem",
        "What runs where: bridge, Redis, workers; versions, settings without secrets, losses.",
        {200: ("The system; what Redis does not tell is null.", system.SystemReply)},
    ),
    Route(
        "get",
        "/api/broker/version",
        "getBrokerVersion",
        "Versions of broker, bridge, dashboard and contract.",
        {200: ("Versions.", api.VersionReply)},
    ),
    *TOPIC_ROUTES,
    Route(
        "get",
        "/api/clients",
        "getClients",
        "MQTT clients as far as the broker lets them be known.",
        {200: ("Clients.", api.ClientsReply)},
    ),
    Route(
        "post",
        "/api/messages/publish",
        "publishMessage",
        "Publish one message and wait for what becomes of it.",
        {
            200: ("Confirmed by the broker (QoS 1, 2) or sent (QoS 0).", api.PublishReply),
            400: ("Not JSON.", api.ErrorReply),
            403: _FOREIGN,
            413: ("The body is too large.", api.ErrorReply),
            415: ("The body is not application/json.", api.ErrorReply),
            422: ("A field is not valid.", api.ErrorReply),
            502: ("The bridge or the broker refused it.", api.PublishReply),
            503: ("No bridge is listening, or Redis does not answer.", api.ErrorReply),
            504: ("Not sent in time, or the result is not known.", api.PublishReply),
        },
        body=api.PublishRequest,
    ),
    *COMMAND_ROUTES,
    *export_auth.ROUTES,
    *export_audit.ROUTES,
)


def openapi(version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the HTTP interface."""
    kinds = {kind for route in ROUTES for kind in _kinds(route)}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template=SCHEMA_REF)
    structs = _structs_by_name(ordered)
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "MQTT Dashboard",
            "version": version,
            "description": "Reads come from shared state with its age; unknown is null, never 0.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "x-contract-version": CONTRACT_VERSION,
        },
        "paths": paths,
        "components": {
            "securitySchemes": SECURITY_SCHEMES,
            "schemas": {
                name: _finish(schemas[name], structs.get(name)) for name in sorted(schemas)
            },
        },
    }


def render_openapi(version: str) -> bytes:
    """Return the document as the bytes that are served and kept in the repository."""
    return msgspec.json.format(msgspec.json.encode(openapi(version)), indent=2) + b"\n"


def _kinds(route: Route) -> list[type[Struct]]:
    found = [kind for _, kind in replies_of(route).values() if not isinstance(kind, str)]
    return [*found, route.body] if route.body else found


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.text,
        "security": security_of(route),
    }
    if route.query:
        operation["parameters"] = [
            {
                "name": one.name,
                "in": one.place,
                "description": one.text,
                "schema": one.schema,
                **({"required": True} if one.required or one.place == "path" else {}),
            }
            for one in route.query
        ]
    if route.body:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    operation["responses"] = {
        str(status): {"description": text, "content": _content(kind)}
        for status, (text, kind) in sorted(replies_of(route).items())
    }
    return operation


def _content(kind: type[Struct] | str) -> dict[str, Any]:
    if isinstance(kind, str):
        return {kind: {}}
    return {"application/json": {"schema": {"$ref": SCHEMA_REF.format(name=kind.__name__)}}}


def _structs_by_name(kinds: list[type[Struct]]) -> dict[str, type[Struct]]:
    found: dict[str, type[Struct]] = {}
    waiting: list[Any] = list(msgspec.inspect.multi_type_info(kinds))
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls.__name__ in found:
                continue
            found[info.cls.__name__] = info.cls
            waiting.extend(one.type for one in info.fields)
        elif isinstance(info, msgspec.inspect.UnionType):
            waiting.extend(info.types)
        elif isinstance(info, msgspec.inspect.ListType):
            waiting.append(info.item_type)
        elif isinstance(info, msgspec.inspect.DictType):
            waiting.append(info.value_type)
    return found


def _finish(schema: dict[str, Any], kind: type[Struct] | None) -> dict[str, Any]:
    """Say plainly what a reply always holds: a default is written out, unless told otherwise."""
    schema = dict(portable(schema))
    if "description" in schema:
        schema["description"] = inspect.cleandoc(schema["description"])
    is_request = kind is not None and kind.__struct_config__.forbid_unknown_fields
    leaves_out = kind is not None and kind.__struct_config__.omit_defaults
    if not is_request and not leaves_out and "properties" in schema:
        schema["required"] = list(schema["properties"])
    return schema
