"""The real dashboard as a child process, a viewer that keeps what it gets, and a beating bridge."""

import http.client
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import redis

import socketio
from mqtt_dashboard.bus.bridge_orders import BridgeOrders, Entry, Step
from mqtt_dashboard.contract import codec, events
from mqtt_dashboard.contract.commands import (
    CommandReply,
    PublishCommand,
    SubscribeCommand,
    UnsubscribeCommand,
)
from mqtt_dashboard.contract.orders import CommandResult, told_topic, unpack_order
from mqtt_dashboard.errors import BusError
from tests.support.feed import Feed
from tests.support.servers import START_S, Child, RedisServer, free_port, wait_for


class DashboardServer(Child):
    """`mqtt-dashboard serve` on a free port."""

    def __init__(self, folder: Path, redis_port: int, **environ: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        script = Path(sys.executable).parent / "mqtt-dashboard"
        env = {
            **{name: value for name, value in os.environ.items() if "PYTEST" not in name},
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(redis_port),
            "DASHBOARD_PORT": str(self.port),
            **environ,
        }
        super().__init__([str(script), "serve"], folder / f"dashboard-{self.port}.log", env)

    def start(self) -> Self:
        """Start and wait until it answers."""
        super().start()
        try:
            wait_for(lambda: self.answers() or not self.alive(), "it answers", START_S)
            assert self.alive(), "it has ended"
        except AssertionError as error:
            raise AssertionError(f"the dashboard did not start: {error}\n{self.output()}") from None
        return self

    def answers(self) -> bool:
        """Tell whether HTTP is served."""
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 15,
        source: str | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:
        """Send one request from an address of this machine; the path goes out as it is."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=timeout, source_address=_bound(source)
        )
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and decoded JSON (or the bytes when it is none)."""
        status, body, _ = self.request("GET", path)
        try:
            return status, msgspec.json.decode(body)
        except msgspec.DecodeError:
            return status, body

    def upgrade(self, source: str | None = None, **headers: str) -> int:
        """Ask for a websocket with exactly these headers; return the status."""
        lines = {
            "Host": f"127.0.0.1:{self.port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        request = f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n{text}\r\n"
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, 5, _bound(source)) as connection:
            connection.sendall(request.encode())
            return int(connection.recv(200).split()[1])

    def publish(self, **fields: object) -> tuple[int, Any]:
        """Post a publish request."""
        status, body, _ = self.request(
            "POST",
            "/api/messages/publish",
            msgspec.json.encode(fields),
            {"Content-Type": "application/json"},
        )
        return status, msgspec.json.decode(body)

    def broker(self) -> Any:
        """Return the broker status document."""
        return self.get("/api/broker/status")[1]

    def wait_ready(self) -> None:
        """Wait until Redis and a bridge are seen."""
        wait_for(lambda: self.get("/readyz")[0] == 200, "the dashboard is ready", START_S)

    def children(self) -> list[int]:
        """Return the process ids of the workers."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(part) for part in text.split()]


class Viewer:
    """A plain Socket.IO client over websocket that keeps every event it gets."""

    def __init__(self, server: DashboardServer) -> None:
        self.client = socketio.Client(reconnection=False)
        self.got: list[tuple[str, Any]] = []
        for name in events.SERVER_EVENTS:
            self.client.on(name, self._keeper(name))
        self.client.connect(server.url, transports=["websocket"], wait_timeout=5)

    def _keeper(self, name: str) -> Callable[[Any], None]:
        def keep(document: Any) -> None:
            self.got.append((name, document))

        return keep

    def call(self, event: str, data: object) -> Any:
        """Emit and return the acknowledgement."""
        return self.client.call(event, data, timeout=15)

    def subscribe(self, topic_filter: str) -> Any:
        """Watch a filter and return the acknowledgement."""
        return self.call("subscribe", {"filter": topic_filter})

    def named(self, name: str) -> list[Any]:
        """Return the documents of one event."""
        return [document for event, document in list(self.got) if event == name]

    def frames(self, *, replay: bool = False) -> list[Any]:
        """Return the message frames, live or replayed."""
        return [one for one in self.named("mqtt_messages") if one["replay"] is replay]

    def messages(self, *, replay: bool = False) -> list[Any]:
        """Return the messages of all frames."""
        return [one for frame in self.frames(replay=replay) for one in frame["messages"]]

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()


@contextmanager
def viewers(server: DashboardServer, count: int = 1) -> Iterator[list[Viewer]]:
    """Connect some viewers at the same time and close them whatever happens."""
    with ThreadPoolExecutor(max_workers=count) as pool:
        pending = [pool.submit(Viewer, server) for _ in range(count)]
    connected = [one.result() for one in pending if one.exception() is None]
    try:
        for one in pending:
            one.result()
        yield connected
    finally:
        for viewer in connected:
            viewer.close()


class BeatingBridge:
    """A writer that renews the status key and settles durable commands, without any MQTT.

    What it was asked to do is in ``commands``, orders of the stream as `PublishCommand`.
    """

    def __init__(self, server: RedisServer) -> None:
        self.feed = Feed(server.client())
        self.filters: tuple[str, ...] = ("#",)
        self.connected = True
        self.answer: Callable[[PublishCommand], CommandReply | None] = acked
        self.commands: list[PublishCommand | SubscribeCommand | UnsubscribeCommand] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._beat, name="beat"),
            threading.Thread(target=self._listen, name="listen"),
            threading.Thread(target=self._execute, name="execute"),
        ]
        self._server = server

    def start(self) -> Self:
        """Start beating and listening."""
        self.feed.beat(filters=self.filters)
        for thread in self._threads:
            thread.start()
        names = self.feed.channels
        wait_for(
            lambda: self.feed.client.pubsub_numsub(names.COMMANDS)[0][1] == 1, "bridge listens"
        )
        return self

    def stop(self) -> None:
        """Stop both."""
        self._stop.set()
        for thread in self._threads:
            thread.join(5)

    def _beat(self) -> None:
        feed = Feed(self._server.client())
        while not self._stop.wait(0.5):
            try:
                feed.beat(connected=self.connected, filters=self.filters)
            except redis.RedisError:
                continue

    def _listen(self) -> None:
        client = self._server.client()
        while not self._stop.is_set():
            try:
                with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    pubsub.subscribe(self.feed.channels.COMMANDS)
                    self._take_all(pubsub)
            except redis.RedisError:
                time.sleep(0.1)

    def _take_all(self, pubsub: Any) -> None:
        while not self._stop.is_set():
            message = pubsub.get_message(timeout=0.2)
            if message is None:
                continue
            self.commands.append(codec.decode_command(message["data"]))

    def _execute(self) -> None:
        client, names = self._server.client(), self.feed.channels
        store = BridgeOrders(client, names, "the test's Redis")
        while not self._stop.is_set():
            try:
                client.set(names.bridge_epoch, self.feed.epoch, nx=True)
                store.prepare()
                for entry in store.read("beating", 10, 0.1):
                    self._execute_one(store, entry)
            except (redis.RedisError, BusError):
                time.sleep(0.1)

    def _execute_one(self, store: BridgeOrders, entry: Entry) -> None:
        order = unpack_order(entry.body or b"")
        key = (entry.command_id, entry.position, 0)
        (taken,) = store.take(self.feed.epoch, [key], commit=True)
        if taken is None:
            return
        text, encoding = codec.payload_to_text(order.payload)
        command = PublishCommand(
            topic=order.topic,
            payload=text,
            encoding=encoding,
            qos=order.qos,
            retain=order.retain,
            id=entry.command_id,
            deadline=time.time() + taken.left_s,
            policy=order.policy,
        )
        self.commands.append(command)
        reply = self.answer(command)
        if reply is None:
            return
        topic, sha256 = told_topic(order.topic)
        result = CommandResult(
            id=reply.id,
            state=reply.state,
            reason=reply.reason,
            code=reply.code,
            topic=topic,
            topic_sha256=sha256,
            mode=order.mode,
            qos=order.qos,
            timestamp=time.time(),
        )
        step = Step("finish", entry.command_id, entry.position, result)
        store.settle(self.feed.epoch, [step])


def _bound(source: str | None) -> tuple[str, int] | None:
    """Return what to bind to; bound without need, a connection may meet itself on a free port."""
    return None if source is None else (source, 0)


def acked(command: PublishCommand) -> CommandReply:
    return CommandReply(id=command.id or "", state="acked", reason="confirmed by the broker")
