"""Who is measured: for each a name, how to start it, where to count, and a fitting load."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from bench import installs
from bench.bridges import node_red
from tests.support.servers import Broker, Child, RedisServer, free_port

NAIVE: Final = "naive plan"
OURS: Final = "mqtt-bridge"
NODE: Final = "Node bridge"
MQ_BRIDGE: Final = "mq-bridge (documents)"
MQ_STREAM: Final = "mq-bridge (raw payloads)"
RAW: Final = "counting socket"
NAPPING: Final = "counting socket (napping)"
PACKED: Final = "Redis fed packed commands"

Kind = Literal["bridge", "socket", "redis"]


@dataclass(frozen=True)
class Place:
    """What a contestant is started with."""

    folder: Path
    broker: Broker
    store: RedisServer
    qos: int
    roomy: bool

    @property
    def env(self) -> dict[str, str]:
        """Return the environment that names both servers."""
        return {
            **os.environ,
            "MQTT_BROKER_PORT": str(self.broker.port),
            "REDIS_PORT": str(self.store.port),
            "QOS": str(self.qos),
        }

    def child(self, command: list[str], **env: str) -> Child:
        """Return a process that logs into the folder."""
        return Child(command, self.folder / "bridge.log", {**self.env, **env})


@dataclass(frozen=True)
class Contestant:
    """``pace`` is about what it takes per second, at QoS 0 and 1: it sizes the load."""

    name: str
    about: str
    pace: Mapping[int, int]
    build: Callable[[Place], Child] | None = None
    kind: Kind = "bridge"
    source: str = "channel"
    needs: tuple[Callable[[], object], ...] = field(default=())


def _module(name: str) -> Callable[[Place], Child]:
    return lambda place: place.child([sys.executable, "-m", f"bench.bridges.{name}"])


def _mq_bridge(name: str) -> Callable[[Place], Child]:
    def build(place: Place) -> Child:
        paths = f"{installs.mq_bridge()}{os.pathsep}{installs.ROOT}"
        return place.child([sys.executable, "-m", f"bench.bridges.{name}"], PYTHONPATH=paths)

    return build


def _node(place: Place) -> Child:
    script = str(installs.ROOT / "bench/bridges/node_bridge.cjs")
    modules = str(installs.node_modules())
    return place.child([str(installs.node()), script], NODE_PATH=modules)


def _node_red(place: Place) -> Child:
    home = node_red.write_home(place.folder, place.broker.port, place.store.port, place.qos)
    script = installs.node_modules() / "node-red/red.js"
    return place.child([str(installs.node()), str(script), "--userDir", str(home)])


def _ours(place: Place) -> Child:
    more = {"BRIDGE_QUEUE_BYTES": str(1024**3)} if place.roomy else {}
    env = {
        "MQTT_BROKER_HOST": "127.0.0.1",
        "REDIS_HOST": "127.0.0.1",
        "BRIDGE_HTTP_PORT": str(free_port()),
        **more,
    }
    return place.child([str(Path(sys.executable).parent / "mqtt-bridge")], **env)


_ALL: Final = (
    Contestant(
        NAIVE,
        "a paho callback that encodes each message and waits for one `PUBLISH` "
        "([naive.py](../../bench/bridges/naive.py))",
        {0: 8_000, 1: 5_000},
        _module("naive"),
    ),
    Contestant(
        "paho + pipeline",
        "a paho callback that only collects, and redis-py pipelines of up to 500 documents "
        "([paho_pipeline.py](../../bench/bridges/paho_pipeline.py))",
        {0: 35_000, 1: 15_000},
        _module("paho_pipeline"),
    ),
    Contestant(
        "Node-RED",
        "one flow: mqtt in, a function that builds the document, redis out with auto-pipelining "
        "([node_red.py](../../bench/bridges/node_red.py))",
        {0: 45_000, 1: 20_000},
        _node_red,
        needs=(installs.node, installs.node_modules),
    ),
    Contestant(
        NODE,
        "mqtt.js and ioredis with auto-pipelining "
        "([node_bridge.cjs](../../bench/bridges/node_bridge.cjs))",
        {0: 85_000, 1: 65_000},
        _node,
        needs=(installs.node, installs.node_modules),
    ),
    Contestant(
        MQ_BRIDGE,
        "its Rust core reads MQTT, an output of our own in Python publishes documents in "
        "pipelines; without the topic, which it does not hand on "
        "([mq_bridge_channel.py](../../bench/bridges/mq_bridge_channel.py))",
        {0: 90_000, 1: 30_000},
        _mq_bridge("mq_bridge_channel"),
        needs=(installs.mq_bridge,),
    ),
    Contestant(
        MQ_STREAM,
        "all in its Rust core, but less work than the others do: bare payloads into a Redis "
        "stream, no document and no topic; the counter follows the stream "
        "([mq_bridge.py](../../bench/bridges/mq_bridge.py))",
        {0: 200_000, 1: 30_000},
        _mq_bridge("mq_bridge"),
        source="stream",
        needs=(installs.mq_bridge,),
    ),
    Contestant(
        OURS,
        "everything on: MQTT 5, subscriptions at QoS 1, acknowledgement after the write, message "
        "log, topic index, statistics",
        {0: 150_000, 1: 90_000},
        _ours,
    ),
    Contestant(
        RAW,
        "limit: no Redis and no documents; a blocking socket subscribes at QoS 0 and only looks "
        "for the mark in what it reads",
        {0: 180_000},
        kind="socket",
        source="mqtt",
    ),
    Contestant(
        NAPPING,
        "limit: the same, but while traffic is dense it naps before each read, for as long as the "
        "bridge does, so that the broker wakes nobody",
        {0: 220_000},
        kind="socket",
        source="mqtt-nap",
    ),
    Contestant(
        PACKED,
        "limit: no broker; documents packed beforehand go to Redis as pipelines of 200 `PUBLISH` "
        "([packed_redis.py](../../bench/bridges/packed_redis.py))",
        {0: 500_000},
        kind="redis",
    ),
)
ALL: Final[Mapping[str, Contestant]] = {one.name: one for one in _ALL}
