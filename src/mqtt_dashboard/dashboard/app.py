"""Builds one worker of the dashboard: the only place that knows all parts.

Building opens no connection and starts nothing, so it may happen before or after a fork; `start`
runs in each worker.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

import flask
from gevent import monkey

from flask_socketio import SocketIO
from mqtt_dashboard.bus.connection import lets_strangers_in
from mqtt_dashboard.bus.dashboard_orders import Bounds
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.config import DashboardSettings
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.config_page import PageSettings
from mqtt_dashboard.dashboard import responses, websocket, wire
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.audit_pace import Pace
from mqtt_dashboard.dashboard.auth import parts as sign_in
from mqtt_dashboard.dashboard.auth.guard import SocketDoor
from mqtt_dashboard.dashboard.auth.publishing import JudgedPublisher
from mqtt_dashboard.dashboard.auth.redaction import RedactingOutlet
from mqtt_dashboard.dashboard.census import Census
from mqtt_dashboard.dashboard.commander import Commander
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.fanout import Fanout
from mqtt_dashboard.dashboard.follower import EventFollower, Heartbeat, LogFollower, Pulse
from mqtt_dashboard.dashboard.interests import Interests
from mqtt_dashboard.dashboard.loops import Loop
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.publisher import Publisher
from mqtt_dashboard.dashboard.redis_door import RedisDoor
from mqtt_dashboard.dashboard.results import ResultBoard, ResultFollower
from mqtt_dashboard.dashboard.resume import Resumer
from mqtt_dashboard.dashboard.routes import (
    audit,
    auth,
    broker,
    clients,
    commands,
    health,
    messages,
    oidc,
    openapi,
    sessions,
    spa,
    system,
    tokens,
    topics,
    users,
)
from mqtt_dashboard.dashboard.security import Door, Gate, headers
from mqtt_dashboard.dashboard.sockets import SocketHandlers
from mqtt_dashboard.dashboard.state import ReadModel
from mqtt_dashboard.service import settle_memory

EXTENSION: Final = "mqtt_dashboard"
MAX_BODY_BYTES: Final = 2 * 1024 * 1024
IDLE_TURN_S: Final = 5.0
STOP_LOOK_S: Final = 0.25
# What arrives within this time leaves together.
GATHER_S: Final = 0.01


class Worker:
    """What runs besides the requests: the loops of this process."""

    def __init__(
        self,
        parts: Parts,
        interests: Interests,
        outlet: wire.SocketOutlet,
        stopping: threading.Event,
    ) -> None:
        self.parts = parts
        self._interests = interests
        self._outlet = outlet
        self._stopping = stopping
        self._stop_asked = False

    def start(self) -> None:
        """Start all loops; once per worker, after the fork."""
        settle_memory()
        for loop in self.parts.loops:
            loop.start()
        threading.Thread(target=self._stop_when_asked, name="stopper", daemon=True).start()

    def stop(self) -> None:
        """Ask everything to end; only sets a flag, so a signal handler may call it."""
        self._stop_asked = True

    def _stop_when_asked(self) -> None:
        while not self._stop_asked:
            time.sleep(STOP_LOOK_S)
        self._stopping.set()
        for loop in self.parts.loops:
            loop.stop()
        self._interests.give_back_all()
        self.parts.census.leave()
        self._outlet.cut_all()


def create_app(
    settings: DashboardSettings,
    page: PageSettings,
    auth_settings: AuthSettings,
    store: DashboardStore,
    clock: Clock,
) -> flask.Flask:
    """Return the WSGI application; its `Worker` is in ``extensions``."""
    app = flask.Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    counters = Counters()
    door = Door(settings.allowed_hosts, settings.allowed_origins)
    server = _socket_server(app, door)
    outlet = wire.SocketOutlet(server)
    state = ReadModel(clock)
    stopping = threading.Event()
    auditor = _auditor(auth_settings, store, clock, counters)
    identity = sign_in.build(
        settings, auth_settings, store.auth, clock, counters, auditor, outlet.cut, stopping
    )
    payload, patience = settings.frame_payload_limit, settings.viewer_patience
    redacting = RedactingOutlet(outlet, identity.crowd.get, counters)
    fanout = Fanout(redacting, clock, counters, payload, patience)
    websocket.install(server.server, fanout.credit, counters)
    board = ResultBoard(fanout, counters)
    commander = _commander(settings, store, state, board, clock, counters)
    publisher = JudgedPublisher(
        Publisher(commander, state, counters, settings.publish_timeout),
        commander,
        auditor,
        identity.limits,
        identity.recognition,
    )
    nudge = threading.Event()
    owner = f"dashboard-{uuid.uuid4().hex[:12]}"
    interests = Interests(store, state, clock, counters, owner, nudge)
    census = Census(store.history, fanout, counters, clock, owner)
    door_of_redis = RedisDoor(store.settings, lets_strangers_in, clock, counters)
    heartbeat = Heartbeat(store, state, interests, counters, nudge)
    event_follower = EventFollower(store, state, fanout, counters, nudge)
    log_follower = LogFollower(store, fanout, counters)
    result_follower = ResultFollower(store, state, board, clock, counters, auditor)
    pulse = Pulse(state, fanout, clock, heartbeat.beaten)
    loops = (
        Loop("heartbeat", heartbeat.turn, clock, counters, heartbeat.failed),
        Loop("events", event_follower.turn, clock, counters, event_follower.failed),
        Loop("log", log_follower.turn, clock, counters, log_follower.failed),
        Loop("results", result_follower.turn, clock, counters, result_follower.failed),
        Loop("pulse", pulse.turn, clock, counters),
        Loop("census", _both(door_of_redis.look, census.turn), clock, counters),
        Loop("frames", _flusher(fanout, stopping), clock, counters),
        Loop("sign-in", identity.turn, clock, counters),
    )
    parts = Parts(
        settings=settings,
        page_settings=page,
        redis_settings=store.settings,
        clock=clock,
        counters=counters,
        store=store,
        state=state,
        fanout=fanout,
        publisher=publisher,
        commander=commander,
        auditor=auditor,
        census=census,
        redis_door=door_of_redis,
        auth=identity,
        loops=loops,
    )
    resumer = Resumer(store, fanout, clock, counters)
    handlers = SocketHandlers(
        state, fanout, resumer, interests, publisher, commander, identity.crowd, clock, counters
    )
    handlers.register(server)
    identity.guard.install(app)
    answer_headers = headers(page.frame_ancestors)
    _register(app, parts, answer_headers)
    inner = SocketDoor(app.wsgi_app, identity.guard, counters, answer_headers)
    addresses = identity.recognition.addresses
    app.wsgi_app = Gate(  # type: ignore[method-assign]
        inner, door, counters, answer_headers, addresses, page.base_path
    )
    app.extensions[EXTENSION] = Worker(parts, interests, outlet, stopping)
    return app


def worker_of(app: flask.Flask) -> Worker:
    """Return the worker that belongs to an application."""
    worker = app.extensions[EXTENSION]
    assert isinstance(worker, Worker)
    return worker


def _socket_server(app: flask.Flask, door: Door) -> SocketIO:
    def allowed(origin: str | None, environ: dict[str, Any]) -> bool:
        return origin is not None and door.origin_allowed(origin, environ)

    logger = logging.getLogger("mqtt_dashboard.socketio")
    logger.setLevel(logging.WARNING)
    return SocketIO(
        app,
        async_mode="gevent" if monkey.is_module_patched("socket") else "threading",
        transports=["websocket"],
        always_connect=True,
        cors_allowed_origins=allowed,
        cors_credentials=False,
        max_http_buffer_size=websocket.MAX_MESSAGE_BYTES,
        http_compression=False,
        allow_upgrades=False,
        manage_session=False,
        json=wire.PacketJson,
        logger=logger,
        engineio_logger=logger,
    )


def _register(app: flask.Flask, parts: Parts, answer_headers: dict[str, str]) -> None:
    for module in (
        health,
        broker,
        topics,
        clients,
        messages,
        commands,
        system,
        auth,
        oidc,
        users,
        sessions,
        tokens,
        audit,
    ):
        app.register_blueprint(module.blueprint(parts))
    app.register_blueprint(openapi.blueprint())
    app.register_blueprint(spa.blueprint())
    responses.install(app, parts.counters, answer_headers)


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def turn() -> None:
        first()
        second()

    return turn


def _auditor(
    settings: AuthSettings, store: DashboardStore, clock: Clock, counters: Counters
) -> Auditor:
    record = store.audit(settings.audit_secret, settings.audit_limit, settings.audit_bytes)
    pace = Pace(settings.publishes_per_minute, counters)
    return Auditor(record, store.orders, clock, counters, settings.audit_age_s, pace)


def _commander(
    settings: DashboardSettings,
    store: DashboardStore,
    state: ReadModel,
    board: ResultBoard,
    clock: Clock,
    counters: Counters,
) -> Commander:
    bounds = Bounds(
        settings.command_limit,
        settings.command_bytes,
        settings.command_ttl,
        settings.command_record_bytes,
    )
    must_last = settings.command_durability == "required"
    return Commander(store.orders, state, board, clock, counters, bounds, must_last=must_last)


def _flusher(fanout: Fanout, stopping: threading.Event) -> Any:
    wait_s: float | None = None

    def turn() -> None:
        nonlocal wait_s
        fanout.due.wait(IDLE_TURN_S if wait_s is None else wait_s)
        fanout.due.clear()
        wait_s = fanout.flush()
        stopping.wait(GATHER_S)

    return turn
