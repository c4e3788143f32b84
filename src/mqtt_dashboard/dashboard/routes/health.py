"""Probes and counters; each answers for the worker that was asked."""

from collections.abc import Iterator

import flask
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from mqtt_dashboard import __version__
from mqtt_dashboard.contract.api import (
    Health,
    HealthReply,
    ProbeReply,
    RedisHealth,
    WebsocketHealth,
)
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import reply

SERVICE = "mqtt-dashboard"
HIDDEN = "what is wrong is told to operators: sign in, or send a token"


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("health", __name__)
    registry = CollectorRegistry()
    registry.register(WorkerCollector(parts))

    @routes.get("/health")
    def health() -> flask.Response:
        redis = parts.state.redis_health()
        loops = _loop_problems(parts)
        problems = _data_problems(parts) + loops
        status: Health = "degraded" if problems else "healthy"
        if redis.status != "up" or any(loop.hung() for loop in parts.loops):
            status = "unhealthy"
        told = _is_told(parts)
        document = HealthReply(
            status=status,
            service=SERVICE,
            version=__version__ if told else None,
            redis=redis if told else RedisHealth(status=redis.status),
            websocket=WebsocketHealth(
                status="down" if loops else "up",
                connected_clients=parts.fanout.viewer_count() if told else None,
            ),
            problems=problems if told else _hidden(problems),
        )
        return reply(document, 503 if status == "unhealthy" else 200)

    @routes.get("/healthz")
    def liveness() -> flask.Response:
        problems = [f"the loop {loop.name} does not turn" for loop in parts.loops if loop.hung()]
        return _probe(problems)

    @routes.get("/readyz")
    def readiness() -> flask.Response:
        problems = _data_problems(parts) + _loop_problems(parts)
        return _probe(problems if _is_told(parts) else _hidden(problems))

    @routes.get("/metrics")
    def metrics() -> flask.Response:
        return flask.Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return routes


class WorkerCollector(Collector):
    """The worker's counts in Prometheus' terms."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """Return all counters and gauges."""
        families: dict[str, CounterMetricFamily] = {}
        for (name, reason), value in sorted(self._parts.counters.snapshot().items()):
            family = families.setdefault(
                name, CounterMetricFamily(f"mqtt_dashboard_{name}", name, labels=["reason"])
            )
            family.add_metric([reason], value)
        yield from families.values()
        state = self._parts.state
        gauges = {
            "viewers": self._parts.fanout.viewer_count(),
            "viewer_messages_buffered": self._parts.fanout.buffered(),
            "redis_up": int(state.redis_health().status == "up"),
            # -1 says unknown: a gauge has no null, and 0 would be a claim.
            "bridge_alive": _number(state.bridge_alive()),
            "broker_connected": _number(state.connected()),
        }
        for name, value in gauges.items():
            yield GaugeMetricFamily(f"mqtt_dashboard_{name}", name.replace("_", " "), value)


def _number(value: bool | None) -> int:
    return -1 if value is None else int(value)


def _is_told(parts: Parts) -> bool:
    """Tell whether an operator asks; while Redis is away nobody can be known to be one."""
    recognition = parts.auth.recognition
    if recognition.required and parts.state.redis_health().status != "up":
        return False
    who = parts.auth.guard.known(flask.request.environ)
    return who is not None and who.has_role("operator")


def _hidden(problems: list[str]) -> list[str]:
    return [HIDDEN] if problems else []


def _probe(problems: list[str]) -> flask.Response:
    document = ProbeReply(ok=not problems, problems=problems)
    return reply(document, 503 if problems else 200)


def _data_problems(parts: Parts) -> list[str]:
    redis = parts.state.redis_health()
    if redis.status != "up":
        return [redis.reason or "Redis does not answer"]
    status = parts.state.broker_status()
    if not status.bridge.alive:
        return [status.reason]
    if not status.connected:
        return [f"the bridge has no connection to the broker: {status.reason}"]
    return []


def _loop_problems(parts: Parts) -> list[str]:
    problems = [f"the loop {loop.name} does not turn" for loop in parts.loops if loop.hung()]
    problems += [
        f"the loop {loop.name} failed a short while ago; the log has more"
        for loop in parts.loops
        if loop.failed_lately()
    ]
    problems += [
        f"the loop {loop.name} waits: {loop.waiting_for}"
        for loop in parts.loops
        if loop.waiting_for is not None and not loop.hung()
    ]
    return problems
