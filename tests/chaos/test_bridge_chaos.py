"""The bridge under kills, freezes and floods: goals with figures, in sizes that take minutes."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mqtt_dashboard.bus.log_writer import LARGE_BYTES
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import Batch
from tests.support.measured import tell
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

NAMES = RedisChannels()
RECEIVE_MAXIMUM = 200
ROOMY = "max_queued_messages 0\nmax_queued_bytes 0\nmemory_limit 0"


def status(redis_server: RedisServer) -> dict[str, Any]:
    document = redis_server.client().get(NAMES.bridge_status)
    return dict(json.loads(document)) if document else {}


def batches(redis_server: RedisServer) -> list[Batch]:
    entries = redis_server.client().xrange(NAMES.message_log)
    return [codec.unpack_batch(fields[b"b"]) for _id, fields in entries]


def padded(text: str, size: int) -> str:
    """Return a payload of at least so many bytes that begins with a text of its own."""
    return f"{text}|".ljust(size, ".")


def own_text(payload: bytes) -> bytes:
    return payload.partition(b"|")[0]


def numbers(redis_server: RedisServer) -> Counter[bytes]:
    return Counter(
        own_text(message.payload)
        for batch in batches(redis_server)
        for message in batch.messages
        if message.topic == "number"
    )


@pytest.mark.parametrize(("count", "size"), [(10_000, 0), (1000, LARGE_BYTES)])
def test_g1_killed_again_and_again_it_loses_nothing(
    tmp_path: Path, redis_server: RedisServer, count: int, size: int
) -> None:
    """P37: 10 kills amid QoS 1 messages of both sizes: none lost, few copies, each flagged."""
    kills = 10
    broker = Broker(tmp_path, extra=ROOMY)
    with running(broker), Device(broker.port) as device:
        bridge = BridgeProcess(tmp_path, broker.port, redis_server)
        with running(bridge):
            bridge.wait_ready()
            for kill in range(kills):
                for number in range(kill * count // kills, (kill + 1) * count // kills):
                    device.client.publish("number", padded(str(number), size), qos=1)
                time.sleep(0.05 * (kill % 4))
                bridge.kill()
                bridge.start()
                bridge.wait_ready()
            expected = {str(number).encode() for number in range(count)}
            wait_for(lambda: expected <= numbers(redis_server).keys(), "every message", 60)
    seen = numbers(redis_server)
    copies = sum(seen.values()) - count
    assert copies <= RECEIVE_MAXIMUM * kills
    flags: dict[bytes, list[bool]] = {}
    for batch in batches(redis_server):
        for message in batch.messages:
            if message.topic == "number":
                flags.setdefault(own_text(message.payload), []).append(message.dup)
    # Whichever of them was written first: all that follow say what they are.
    assert [one for one, marks in flags.items() if not all(marks[1:])] == []


@pytest.mark.parametrize("size", [0, LARGE_BYTES])
def test_g6_a_thawed_leader_writes_nothing(
    tmp_path: Path, broker: Broker, redis_server: RedisServer, size: int
) -> None:
    """P55: the leader frozen for 8 s, 10 times: epochs never go back, takeover within 6 s."""
    one = BridgeProcess(tmp_path, broker.port, redis_server)
    other = BridgeProcess(tmp_path, broker.port, redis_server)
    takeovers = []
    stop = threading.Event()

    def publish() -> None:
        with Device(broker.port, "steady") as device:
            while not stop.wait(0.02):
                device.client.publish("number", padded("x", size), qos=1)

    with running(one):
        one.wait_ready()
        with running(other):
            wait_for(lambda: "another bridge" in other.probe("/readyz")[1], "it stands by", 10)
            publisher = threading.Thread(target=publish)
            publisher.start()
            try:
                leader, standby = one, other
                for _ in range(10):
                    frozen = time.monotonic()
                    leader.freeze()
                    wait_for(standby.ready, "the standby takes over", 12)
                    takeovers.append(time.monotonic() - frozen)
                    time.sleep(max(0.0, 8 - takeovers[-1]))
                    leader.thaw()
                    leader, standby = standby, leader
                    wait_for(
                        lambda who=standby: "another bridge" in who.probe("/readyz")[1],  # type: ignore[misc]
                        "the thawed one stands by",
                        10,
                    )
            finally:
                stop.set()
                publisher.join()
    tell(f"G6: takeovers {[round(seconds, 1) for seconds in takeovers]} s")
    assert max(takeovers) <= 6, takeovers
    epochs = [batch.epoch for batch in batches(redis_server)]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) == 11
    # Within an epoch the numbers have neither hole nor repetition: one writer.
    for epoch in set(epochs):
        following = 1
        for batch in (one for one in batches(redis_server) if one.epoch == epoch):
            assert batch.first_seq == following
            following += len(batch.messages)


def repeated(measure: Callable[[], int], times: int, pause_s: float) -> Iterator[int]:
    """Measure again and again."""
    for _ in range(times):
        yield measure()
        time.sleep(pause_s)


@pytest.mark.parametrize(
    ("seconds", "size"),
    [(0.1, 0), (1, 0), (5, 0), (15, 0), (120, 0), (1, LARGE_BYTES), (15, LARGE_BYTES)],
)
@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_g7_redis_goes_and_comes(
    tmp_path: Path, redis_server: RedisServer, how: str, seconds: float, size: int
) -> None:
    """P01, P02: after an outage of Redis it recovers within 5 s, and no QoS 1 message is lost."""
    broker = Broker(tmp_path, extra=ROOMY)
    with running(broker), Device(broker.port) as device:
        bridge = BridgeProcess(tmp_path, broker.port, redis_server)
        with running(bridge):
            bridge.wait_ready()
            for number in range(500):
                device.client.publish("number", padded(f"before {number}", size), qos=1)
            wait_for(lambda: len(numbers(redis_server)) == 500, "all before", 20)
            process = psutil.Process(bridge.pid)
            # A probe has a thread of its own for a moment.
            threads = min(repeated(process.num_threads, 10, 0.1))
            redis_server.freeze() if how == "frozen" else redis_server.kill()
            for number in range(500):
                device.client.publish("number", padded(f"during {number}", size), qos=1)
            time.sleep(seconds)
            redis_server.thaw() if how == "frozen" else redis_server.start()
            back = time.monotonic()
            device.publish("number", padded("after", size))
            wait_for(lambda: b"after" in numbers(redis_server), "it recovers", 20)
            recovered = time.monotonic() - back
            tell(f"G7: {how} for {seconds} s, recovered within {recovered:.1f} s")
            assert recovered <= 5
            expected = {f"during {number}".encode() for number in range(500)}
            wait_for(lambda: expected <= numbers(redis_server).keys(), "every message", 20)
            assert bridge.probe("/healthz")[0] == 200
            # Repeated lines of the log are told by a thread that waits 10 s.
            wait_for(lambda: process.num_threads() == threads, "all threads", 20)
            traffic = wait_for(lambda: status(redis_server).get("traffic"), "its status is back", 5)
            assert traffic is not None
            accounted = traffic["forwarded"] + traffic["queued"] + sum(traffic["dropped"].values())
            assert traffic["received"] == accounted


def test_what_was_cleared_while_it_was_away_is_not_shown_as_retained(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """P29: cleared at QoS 0 in a kept session: a crawl finds out, and then the counts agree."""

    def retained(topic: str) -> bool:
        value = redis_server.client().hget(NAMES.topic_values, topic)
        return codec.unpack_entry(value).retained

    def state() -> object:
        return (status(redis_server).get("retained") or {}).get("state")

    broker = Broker(tmp_path)
    bridge = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(broker, bridge), Device(broker.port) as device:
        for number in range(5):
            device.publish(f"kept/{number}", "1", retain=True)
        wait_for(lambda: state() == "complete", "complete", 60)
        bridge.kill()
        device.publish("kept/0", "", qos=0, retain=True)
        bridge.start()
        wait_for(lambda: state() == "crawling", "it asks again", 60)
        wait_for(lambda: state() == "complete", "complete again", 60)
        wait_for(lambda: not retained("kept/0"), "it is not shown as retained", 20)
        assert retained("kept/1")
