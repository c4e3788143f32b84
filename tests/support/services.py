"""Our own services as child processes, and devices that talk to the broker."""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Protocol, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.servers import START_S, Broker, Child, RedisServer, free_port, wait_for

BIN = Path(sys.executable).parent


class HasPort(Protocol):
    """A Redis, or a relay in front of it."""

    port: int


class BridgeProcess(Child):
    """A mqtt-bridge between a broker and a Redis; ``extra`` adds environment variables."""

    def __init__(self, folder: Path, broker_port: int, redis: HasPort, **extra: str) -> None:
        self.http_port = free_port()
        env = {
            **os.environ,
            "MQTT_BROKER_HOST": "127.0.0.1",
            "MQTT_BROKER_PORT": str(broker_port),
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(redis.port),
            "BRIDGE_HTTP_PORT": str(self.http_port),
            "LOG_FORMAT": "json",
            **extra,
        }
        log = folder / f"bridge-{self.http_port}.log"
        super().__init__([str(BIN / "mqtt-bridge")], log, env)

    def probe(self, path: str) -> tuple[int, str]:
        """Return status and body of a path of the bridge's own port; status 0 when it is shut."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.http_port}{path}", timeout=3
            ) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def ready(self) -> bool:
        """Tell whether it says that it carries messages."""
        return self.probe("/readyz")[0] == 200

    def wait_ready(self) -> Self:
        """Wait until it carries messages and the broker has granted its filters."""
        try:
            wait_for(self.ready, "the bridge is ready", START_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.probe('/readyz')}\n{self.output()}") from None
        return self

    def events(self) -> list[dict[str, Any]]:
        """Return everything it has logged."""
        return [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the log entries of one event."""
        return [entry for entry in self.events() if entry.get("event") == event]


class Device:
    """A device at the broker: publishes, and remembers what it received."""

    def __init__(
        self, port: int, client_id: str = "device", *, topics: tuple[str, ...] = ()
    ) -> None:
        self.received: list[paho.MQTTMessage] = []
        self.connects = 0
        self._topics = topics
        self._ready = False
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.on_message = lambda _client, _data, message: self.received.append(message)
        self.client.on_connect = self._connected
        self.client.on_subscribe = self._subscribed
        self.port = port

    def __enter__(self) -> Self:
        self.client.connect("127.0.0.1", self.port)
        self.client.loop_start()
        wait_for(lambda: self._ready, "the device is connected")
        return self

    def __exit__(self, *_details: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(
        self,
        topic: str,
        payload: bytes | str = b"",
        *,
        qos: int = 1,
        retain: bool = False,
        correlation: bytes | None = None,
    ) -> None:
        """Publish and wait for the broker's confirmation (QoS 0: until it was written)."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if correlation is not None:
            properties.CorrelationData = correlation
        sent = self.client.publish(topic, payload, qos, retain, properties)
        sent.wait_for_publish(10)

    def heard(self, topic: str) -> list[bytes]:
        """Payloads received on a topic so far."""
        return [bytes(message.payload) for message in self.received if message.topic == topic]

    def _connected(self, client: paho.Client, *_details: object) -> None:
        self.connects += 1
        if self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
        else:
            self._ready = True

    def _subscribed(self, *_details: object) -> None:
        self._ready = True


class Ear:
    """A subscriber of the public Redis channels, as any other program could be one."""

    def __init__(self, redis: RedisServer, *channels: str) -> None:
        self._pubsub = redis.client().pubsub()
        self._pubsub.subscribe(*channels)
        for _ in channels:
            assert self._pubsub.get_message(timeout=5)["type"] == "subscribe"
        self.documents: list[dict[str, Any]] = []

    def listen(self) -> list[dict[str, Any]]:
        """Read what has arrived and return every document so far."""
        while (message := self._pubsub.get_message(timeout=0.02)) is not None:
            if message["type"] == "message":
                self.documents.append(json.loads(message["data"]))
        return self.documents

    def wait(self, what: str, timeout: float = 10.0, **fields: Any) -> dict[str, Any]:
        """Wait for a document in which every given field has the given value."""

        def found() -> dict[str, Any] | None:
            for document in self.listen():
                if all(document.get(name) == value for name, value in fields.items()):
                    return document
            return None

        document = wait_for(found, what, timeout)
        assert document is not None
        return document


__all__ = ["BridgeProcess", "Broker", "Device", "Ear", "RedisServer"]
