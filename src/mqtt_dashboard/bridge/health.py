"""The bridge's own HTTP port: /healthz (loops turn), /readyz (MQTT and Redis proven), /metrics."""

import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.api import ProbeReply
from mqtt_dashboard.contract.messages import BridgeStatus

Status = Callable[[], BridgeStatus]
Problems = Callable[[], list[str]]

REQUEST_TIMEOUT_S: Final = 5


class BridgeMetrics(Collector):
    """The bridge's status as Prometheus metrics, read at the moment of the scrape."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics."""
        status = self._status()
        traffic = status.traffic
        yield _gauge("mqtt_connected", "1 while the MQTT session is up.", float(status.connected))
        yield _gauge("queued_messages", "Messages waiting for Redis.", float(traffic.queued))
        yield _gauge("epoch", "Epoch of this bridge's lease, 0 = standby.", float(status.epoch))
        yield _counter("connects", "MQTT connections made.", float(status.connects))
        yield _counter("received_messages", "Messages received.", float(traffic.received))
        yield _counter("received_bytes", "Payload bytes received.", float(traffic.bytes))
        yield _counter("forwarded_messages", "Messages written.", float(traffic.forwarded))
        dropped = CounterMetricFamily(
            "mqtt_bridge_dropped_messages", "Messages left out, by reason.", labels=["reason"]
        )
        for reason, count in traffic.dropped.items():
            dropped.add_metric([reason], count)
        yield dropped
        commands = CounterMetricFamily(
            "mqtt_bridge_commands", "Commands by how they ended.", labels=["outcome"]
        )
        for outcome, count in status.commands.items():
            commands.add_metric([outcome], count)
        yield commands
        faults = CounterMetricFamily(
            "mqtt_bridge_faults", "What failed or could not be used, by place.", labels=["place"]
        )
        for place, count in status.faults.items():
            faults.add_metric([place], count)
        yield faults


class HealthServer:
    """Serves the probes on a thread of its own."""

    def __init__(
        self, host: str, port: int, status: Status, alive: Problems, ready: Problems
    ) -> None:
        self._address = (host, port)
        self._alive = alive
        self._ready = ready
        self._registry = CollectorRegistry()
        self._registry.register(BridgeMetrics(status))
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Open the port and serve; raise OSError when the port is taken."""
        server = ThreadingHTTPServer(self._address, self._handler())
        server.daemon_threads = True
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="http", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body for a path."""
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", generate_latest(self._registry)
        checks = {"/healthz": self._alive, "/readyz": self._ready}
        if path not in checks:
            return 404, "application/json", b'{"error":"not_found"}'
        problems = checks[path]()
        body = codec.encode(ProbeReply(ok=not problems, problems=problems))
        return (503 if problems else 200), "application/json", body

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_TIMEOUT_S

            def do_GET(self) -> None:
                status, content_type, body = answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Stay silent: a probe each second is no news."""

        return Handler


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"mqtt_bridge_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"mqtt_bridge_{name}", text, value=value)
