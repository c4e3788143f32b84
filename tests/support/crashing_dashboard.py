"""gunicorn's settings of a real dashboard whose workers end by SIGKILL where a request says so.

``X-Crash-At``: ``asked`` (it is written down that somebody wants to publish), ``accepted`` (the
command is in Redis, and nobody was told), ``answered`` (the client has its answer).
"""

import os
import signal
from typing import Any

import flask

from mqtt_dashboard.dashboard import gunicorn_conf
from mqtt_dashboard.dashboard.gunicorn_conf import *  # noqa: F403 - all that is served with

POINTS = ("asked", "accepted", "answered")
HEADER = "X-Crash-At"


def post_worker_init(worker: Any) -> None:  # type: ignore[no-redef] # in place of the real one
    """Start the worker as always, then lay the mines."""
    from mqtt_dashboard.bus.dashboard_orders import DashboardOrders  # noqa: PLC0415 - after gevent
    from mqtt_dashboard.dashboard.audit import Auditor  # noqa: PLC0415

    gunicorn_conf.post_worker_init(worker)
    mine(Auditor, "publishing", "asked")
    mine(DashboardOrders, "accept", "accepted")


def post_request(_worker: Any, _request: Any, environ: dict[str, Any], _answer: Any) -> None:
    """End the worker once the client has its answer."""
    if environ.get("HTTP_X_CRASH_AT") == "answered":
        os.kill(os.getpid(), signal.SIGKILL)


def mine(kind: type, name: str, point: str) -> None:
    """End the worker right after a method, in a request that asks for it."""
    inner = getattr(kind, name)

    def mined(*args: Any, **named: Any) -> Any:
        result = inner(*args, **named)
        if flask.has_request_context() and flask.request.headers.get(HEADER) == point:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(kind, name, mined)
