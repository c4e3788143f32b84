"""The whole path in a flood: new topics, retained topics, sessions that were kept."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from tests.support.blaster import Blaster
from tests.support.dashboard_server import DashboardServer, viewers
from tests.support.fake_broker import publish
from tests.support.measured import percentile, tell
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

NAMES = RedisChannels()
MIB = 1024 * 1024
ROOMY = "max_queued_messages 0\nmax_queued_bytes 0\nmemory_limit 0"


def status(redis_server: RedisServer) -> dict[str, Any]:
    """Return the bridge's status."""
    document = redis_server.client().get(NAMES.bridge_status)
    return dict(json.loads(document)) if document else {}


class Commands:
    """Sends commands over the channel, several a second, and times their results."""

    def __init__(self, redis_server: RedisServer, every_s: float) -> None:
        self._redis = redis_server
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seconds: list[float] = []
        self.states: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        client = self._redis.client()
        number = 0
        while not self._stop.wait(self._every_s):
            number += 1
            command = {"type": "cmd_publish", "topic": "probe", "payload": "1", "qos": 1}
            asked = time.monotonic()
            client.publish(NAMES.COMMANDS, json.dumps(command | {"id": f"probe-{number}"}))
            answer = client.blpop([NAMES.reply(f"probe-{number}")], timeout=4)
            self.seconds.append(time.monotonic() - asked)
            self.states.append(json.loads(answer[1])["state"] if answer else "unanswered")


@contextmanager
def following(
    redis_server: RedisServer, see: Callable[[float, bytes, bytes], None]
) -> Iterator[None]:
    """Follow the message log in a thread; ``see`` gets the time, topic and payload of each."""
    stop = threading.Event()

    def follow() -> None:
        client, last = redis_server.client(), "$"
        while not stop.is_set():
            for _stream, entries in client.xread({NAMES.message_log: last}, block=200) or []:
                now = time.monotonic()
                for position, fields in entries:
                    last = position
                    for message in codec.unpack_batch(fields[b"b"]).messages:
                        see(now, message.topic.encode(), message.payload)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_g11_a_flood_of_new_topics_is_bounded(tmp_path: Path, redis_server: RedisServer) -> None:
    """G11: 10,000 messages a second to new topics for 60 s: bounded, accounted, live, serving."""
    seconds, rate, limit, slices = 60, 10_000, 100_000, 20
    broker = Broker(tmp_path, extra=ROOMY)
    bridge = BridgeProcess(tmp_path, broker.port, redis_server, TOPIC_LIMIT=str(limit))
    dashboard = DashboardServer(tmp_path, redis_server.port)
    late: list[float] = []
    shown: list[float] = []

    def see(now: float, topic: bytes, payload: bytes) -> None:
        if topic.startswith(b"flood/"):
            late.append(now - float(payload[:20]))

    with running(broker, bridge, dashboard):
        bridge.wait_ready()
        dashboard.wait_ready()
        process = psutil.Process(bridge.pid)
        peak = 0
        with (
            viewers(dashboard) as (viewer,),
            following(redis_server, see),
            Commands(redis_server, 0.25) as commands,
            Blaster(broker.port) as blaster,
        ):

            def keep(frame: Any) -> None:
                now = time.monotonic()
                shown.extend(now - float(one["payload"][:20]) for one in frame["messages"])

            viewer.client.on("mqtt_messages", keep)
            viewer.subscribe("flood/#")
            began = time.monotonic()
            for part in range(seconds * slices):
                at = f"{time.monotonic():20.6f}".encode()
                blaster.send(
                    b"".join(
                        publish(b"flood/%d/%d" % (part, number), at + b"x" * 30)
                        for number in range(rate // slices)
                    )
                )
                peak = max(peak, process.memory_info().rss)
                time.sleep(max(0.0, began + (part + 1) / slices - time.monotonic()))
            took = time.monotonic() - began
            wait_for(lambda: len(late) == seconds * rate, "all of them are in the log", 30)

        def counted() -> dict[str, Any] | None:
            told = status(redis_server).get("traffic") or {}
            done = told.get("queued") == 0 and told.get("received", 0) >= seconds * rate
            return told if done else None

        # The status is renewed each second.
        traffic = wait_for(counted, "all counted", 10)
        assert traffic is not None
    tell(
        f"G11: {seconds * rate / took:,.0f}/s; to the log p99 {percentile(late, 0.99):.3f} s; "
        f"to a viewer p99 {percentile(shown, 0.99):.3f} s of {len(shown):,}; "
        f"commands p99 {percentile(commands.seconds, 0.99):.3f} s of {len(commands.seconds)}; "
        f"bridge {peak / MIB:.0f} MiB"
    )
    assert took < seconds * 1.05, "the flood was slower than it should be"
    assert traffic["dropped"] == {}
    assert traffic["received"] == traffic["forwarded"] + traffic["queued"]
    assert redis_server.client().zcard(NAMES.topic_names) <= limit
    assert percentile(late, 0.99) <= 1
    assert percentile(shown, 0.99) <= 1
    assert set(commands.states) == {"acked"}
    assert percentile(commands.seconds, 0.99) <= 0.5
    assert peak <= 200 * MIB


def test_g13_two_hundred_thousand_retained(tmp_path: Path, redis_server: RedisServer) -> None:
    """P45, G13: 200,000 retained on stock limits: complete in 60 s, commands served meanwhile."""
    count = 200_000
    broker = Broker(tmp_path)
    with running(broker):
        with Blaster(broker.port) as blaster:
            for start in range(0, count, 1000):
                blaster.send(
                    b"".join(
                        publish(b"kept/%d/%d" % (number % 500, number), b"v", flags=1)
                        for number in range(start, start + 1000)
                    )
                )
            blaster.settle()
        bridge = BridgeProcess(tmp_path, broker.port, redis_server)
        with running(bridge):
            began = time.monotonic()
            bridge.wait_ready()
            ready = time.monotonic() - began
            with Commands(redis_server, 0.2) as commands:
                wait_for(
                    lambda: (status(redis_server).get("retained") or {}).get("state") == "complete",
                    "complete",
                    90,
                )
                complete = time.monotonic() - began
            census = status(redis_server)["retained"]
    tell(
        f"G13: ready after {ready:.1f} s, complete after {complete:.1f} s; "
        f"{len(commands.seconds)} commands, slowest {max(commands.seconds):.3f} s"
    )
    assert complete <= 60
    assert census["seen"] >= count
    assert census["missing"] == 0
    assert len(commands.states) > 5
    assert set(commands.states) == {"acked"}
    assert max(commands.seconds) <= 1


def test_a_kept_session_of_any_size_is_taken(tmp_path: Path, redis_server: RedisServer) -> None:
    """G1: 200,000 waiting messages, sent all at once, and Redis frozen: each is written once."""
    count = 200_000
    broker = Broker(tmp_path, extra=f"{ROOMY}\nmax_inflight_messages 0")
    bridge = BridgeProcess(tmp_path, broker.port, redis_server, MESSAGE_LOG_BYTES=str(1 << 30))
    with running(broker):
        with running(bridge):
            bridge.wait_ready()
        with Blaster(broker.port) as blaster:
            for start in range(0, count, 1000):
                blaster.send(
                    b"".join(
                        publish(b"n", b"%d" % number, qos=1, packet_id=number % 60_000 + 1)
                        for number in range(start, start + 1000)
                    )
                )
                time.sleep(0.02)
            blaster.settle()
        with running(bridge):
            wait_for(lambda: len(bridge.logged("mqtt.connected")) == 2, "connected again", 15)
            redis_server.freeze()
            time.sleep(5)
            redis_server.thaw()
            seen: list[bytes] = []

            def all_there() -> bool:
                seen.clear()
                for _id, fields in redis_server.client().xrange(NAMES.message_log):
                    messages = codec.unpack_batch(fields[b"b"]).messages
                    seen.extend(one.payload for one in messages if one.topic == "n")
                return len(seen) >= count

            wait_for(all_there, "every message", 60)
            assert len(seen) == len(set(seen)) == count
            assert len(bridge.logged("mqtt.connected")) == 2
            assert bridge.logged("mqtt.disconnected") == []
