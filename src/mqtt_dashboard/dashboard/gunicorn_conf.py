"""How gunicorn serves the dashboard; `mqtt-dashboard serve` adds the address.

Loaded before gevent patches the standard library, so it imports nothing of the product. The app is
loaded and started in each worker, after the fork.
"""

import os
import signal
import sys
from types import FrameType
from typing import Any

wsgi_app = "mqtt_dashboard.dashboard.wsgi:app"
worker_class = "gevent"
workers = int(os.environ.get("WEB_CONCURRENCY") or 1)
worker_connections = 2500
graceful_timeout = 4
timeout = 30
keepalive = 5
preload_app = False
accesslog = None
errorlog = "-"
loglevel = "warning"
proc_name = "mqtt-dashboard"
# The header is refused unless it is exact; nothing here needs large requests lines.
limit_request_line = 8190
# Whose word counts for scheme and address is judged in one place, by TRUSTED_PROXIES; gunicorn
# would believe whoever comes from this machine.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
# Where the page is below a path is a setting (DASHBOARD_BASE_PATH), not a stranger's header.
forwarder_headers = ""
control_socket_disable = True


def post_fork(_server: Any, _worker: Any) -> None:
    """Let no library load what it would only use as a client; 8 MB where they are installed."""
    for unused in ("requests", "valkey"):
        sys.modules.setdefault(unused, None)  # type: ignore[arg-type] # stands for "not there"


def post_worker_init(worker: Any) -> None:
    """Start the worker's loops, and let SIGTERM end them before gunicorn waits for requests."""
    runner = worker.wsgi.extensions["mqtt_dashboard"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        _also_stop(number, runner)
    runner.start()


def _also_stop(number: signal.Signals, runner: Any) -> None:
    gunicorn_handler = signal.getsignal(number)

    def handler(received: int, frame: FrameType | None) -> None:
        runner.stop()
        if callable(gunicorn_handler):
            gunicorn_handler(received, frame)

    signal.signal(number, handler)
