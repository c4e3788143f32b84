"""People and programs who talk to a dashboard that asks for sign-in."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Self

import msgspec
import redis

import socketio
from mqtt_dashboard.bus.auth_store import AuthStore
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config import RedisSettings, load
from mqtt_dashboard.contract import events
from mqtt_dashboard.contract.auth import TokenCreate, UserCreate
from mqtt_dashboard.contract.policy import Role
from mqtt_dashboard.dashboard.auth.accounts import Accounts
from mqtt_dashboard.dashboard.auth.passwords import Passwords
from tests.support.dashboard_server import DashboardServer
from tests.support.servers import running, wait_for

PASSWORD = "correct horse battery"


class Visitor:
    """One browser or program at an address: keeps its cookie, or sends its token."""

    def __init__(
        self, server: DashboardServer, token: str | None = None, source: str | None = None
    ) -> None:
        self.server = server
        self.token = token
        self.source = source
        self.cookie: str | None = None
        self.attributes = ""
        self.events: list[tuple[str, Any]] = []
        self.socket: socketio.Client | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Return what identifies this visitor."""
        found = {}
        if self.cookie is not None:
            found["Cookie"] = self.cookie
        if self.token is not None:
            found["Authorization"] = f"Bearer {self.token}"
        return found

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Send a request with a JSON body; return status and answer, and keep the cookie."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else msgspec.json.encode(body)
        given = {**self.headers, "Content-Type": "application/json", **named}
        status, answer, got = self.server.request(method, path, data, given, source=self.source)
        if "set-cookie" in got:
            self._keep(got["set-cookie"])
        self.got = got
        try:
            return status, msgspec.json.decode(answer)
        except msgspec.DecodeError:
            return status, answer

    def get(self, path: str) -> tuple[int, Any]:
        """Send a GET."""
        return self.ask("GET", path)

    def login(self, name: str, password: str = PASSWORD) -> Self:
        """Sign in; must work."""
        status, answer = self.ask("POST", "/api/auth/login", {"name": name, "password": password})
        assert status == 200, answer
        return self

    def connect(self) -> socketio.Client:
        """Open the live channel; must work."""
        client = socketio.Client(reconnection=False)
        for name in events.SERVER_EVENTS:
            client.on(name, lambda document, name=name: self.events.append((name, document)))
        client.connect(
            self.server.url, headers=self.headers, transports=["websocket"], wait_timeout=5
        )
        self.socket = client
        return client

    def call(self, event: str, data: object) -> Any:
        """Send an event and return its acknowledgement."""
        assert self.socket is not None
        return self.socket.call(event, data, timeout=15)

    def named(self, name: str) -> list[Any]:
        """Return what was received of one event."""
        return [document for event, document in list(self.events) if event == name]

    def topics_received(self) -> set[str]:
        """Return the topics of all frames, replayed ones too."""
        frames = self.named("mqtt_messages")
        return {one["topic"] for frame in frames for one in frame["messages"]}

    def is_cut(self, within: float) -> bool:
        """Tell whether the live channel ends within a time."""
        assert self.socket is not None
        client = self.socket
        try:
            wait_for(lambda: not client.connected, "cut", within)
        except AssertionError:
            return False
        return True

    def close(self) -> None:
        """Close the live channel."""
        if self.socket is not None and self.socket.connected:
            self.socket.disconnect()

    def _keep(self, header: str) -> None:
        jar = SimpleCookie(header)
        for name, morsel in jar.items():
            self.cookie = f"{name}={morsel.value}" if morsel.value else None
            self.attributes = header


@contextmanager
def served(folder: Path, redis_port: int, **environ: str) -> Iterator[DashboardServer]:
    """Run a dashboard on a Redis and yield it."""
    server = DashboardServer(folder, redis_port, **environ)
    with running(server):
        yield server


def store_of(port: int) -> AuthStore:
    """Return the users and tokens in a Redis."""
    settings = load(RedisSettings, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)})
    return DashboardStore(settings, name="test").auth


def accounts_of(port: int) -> Accounts:
    """Return the accounts in a Redis, as the command line handles them."""
    return Accounts(store_of(port), Passwords(), SystemClock())


def add_user(
    port: int,
    name: str,
    role: Role,
    read: list[str] | None = None,
    publish: list[str] | None = None,
) -> None:
    """Add a user whose password is `PASSWORD`."""
    request = UserCreate(name=name, password=PASSWORD, role=role, read=read, publish=publish)
    accounts_of(port).add(request)


def make_token(port: int, role: Role, read: list[str] | None = None) -> str:
    """Make a token and return its text; an administrator's may change accounts, too."""
    accounts = role == "administrator"
    request = TokenCreate(label="test", role=role, read=read, lifetime_s=600, accounts=accounts)
    return accounts_of(port).create_token(request, "test")[0]


def forgive_all(client: redis.Redis) -> None:
    """Forget failed sign-ins, so that tests do not hold each other back."""
    for key in client.scan_iter("mqtt:auth:failures:*"):
        client.delete(key)
