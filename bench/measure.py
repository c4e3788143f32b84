"""One session: fresh servers, one contestant, and as many runs as wanted, one after another."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench.contestants import Contestant, Place
from bench.counting import Count, Request
from bench.load import Load, Sent
from bench.process import cpu_of, rss_of
from bench.worker import Worker, WorkerError
from tests.support.servers import Broker, Child, RedisServer, running, wait_for

CHANNEL: Final = "mqtt:messages"
# The start's own work is not what is measured; what a load leaves to be done later is.
START_S: Final = 1.5
LATER_S: Final = 1.3
# Neither the broker's queue nor the subscriber's buffer in Redis may lose anything.
ROOMY_BROKER: Final = "max_queued_messages 0\nmax_queued_bytes 0\nmemory_limit 0"


class Run(msgspec.Struct, frozen=True):
    """One load through one contestant; CPU is seconds per 100,000 messages of each process."""

    part: str
    contestant: str
    load: Load
    received: int
    copies: int
    seconds: float
    cpu: dict[str, float]
    p50_ms: float
    p99_ms: float

    @property
    def lost(self) -> int:
        """Return how many messages never came."""
        return self.load.count - self.received

    @property
    def rate(self) -> float:
        """Return messages per second from the first sent to the last received."""
        return self.received / self.seconds if self.seconds else 0.0


class Idle(msgspec.Struct, frozen=True):
    """A bridge with nothing to do: percent of one core, and memory."""

    contestant: str
    cpu_percent: float
    rss_mb: float


@dataclass
class Session:
    """A running contestant."""

    contestant: Contestant
    counter: Worker
    pids: dict[str, int]
    sender: str
    port: int
    runs: int = 0

    def run(self, part: str, load: Load, later: float = LATER_S) -> Run:
        """Send one load and wait until all of it, or all that ever comes, was counted."""
        self.runs += 1
        load = msgspec.structs.replace(load, run=self.runs)
        self.counter.ask(Request(load.mark.decode()), Count)
        with Worker(self.sender, str(self.port), msgspec.json.encode(load).decode()) as sender:
            pids = {**self.pids, "sender": sender.pid}
            before = {name: cpu_of(pid) for name, pid in pids.items()}
            sent = sender.ask("go", Sent)
            sender_cpu = cpu_of(sender.pid) - before.pop("sender")
        counted = self.counter.ask(Request(load.mark.decode(), load.count, sent), Count)
        time.sleep(later)
        per = 100_000 / load.count
        cpu = {name: (cpu_of(self.pids[name]) - old) * per for name, old in before.items()}
        return Run(
            part=part,
            contestant=self.contestant.name,
            load=load,
            received=counted.received,
            copies=counted.copies,
            seconds=max(counted.last_at - sent.pieces[0][1], 0.0),
            cpu={**cpu, "sender": sender_cpu * per},
            p50_ms=counted.p50_ms,
            p99_ms=counted.p99_ms,
        )

    def idle(self, seconds: float) -> Idle:
        """Watch the bridge do nothing."""
        pid = self.pids["bridge"]
        began, before = time.monotonic(), cpu_of(pid)
        time.sleep(seconds)
        percent = (cpu_of(pid) - before) / (time.monotonic() - began) * 100
        return Idle(self.contestant.name, percent, rss_of(pid) / 1e6)


@contextlib.contextmanager
def session(contestant: Contestant, qos: int, *, roomy: bool, nodelay: bool) -> Iterator[Session]:
    """Start servers, contestant and counter.

    ``roomy`` lifts every queue limit around them; ``nodelay`` makes the broker send each packet
    at once, which is not how mosquitto comes.
    """
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    broker = Broker(folder, extra=ROOMY_BROKER if roomy else "", nodelay=nodelay)
    store = RedisServer(folder)
    place = Place(folder, broker, store, qos, roomy)
    child = contestant.build(place) if contestant.build else None
    servers: dict[str, Child] = {}
    if contestant.kind != "redis":
        servers["broker"] = broker
    if contestant.kind != "socket":
        servers["redis"] = store
    if child:
        servers["bridge"] = child
    try:
        with running(*servers.values()):
            if roomy and "redis" in servers:
                store.client().config_set("client-output-buffer-limit", "pubsub 0 0 0")
            with _counter(contestant, place) as counter:
                pids = {name: server.pid for name, server in servers.items()}
                # A limit's counter is all there is to a bridge.
                pids["counter" if child or contestant.kind == "redis" else "bridge"] = counter.pid
                if contestant.kind != "redis":
                    _wait_until_subscribed(contestant.name, broker, child)
                time.sleep(START_S)
                packed = contestant.kind == "redis"
                sender = "bench.bridges.packed_redis" if packed else "bench.load"
                port = store.port if packed else broker.port
                yield Session(contestant, counter, pids, sender, port)
    finally:
        shutil.rmtree(folder)


def _counter(contestant: Contestant, place: Place) -> Worker:
    direct = contestant.kind == "socket"
    port = place.broker.port if direct else place.store.port
    return Worker("bench.counting", contestant.source, str(port), CHANNEL)


def _wait_until_subscribed(name: str, broker: Broker, child: Child | None) -> None:
    try:
        wait_for(lambda: _subscribed(broker), f"{name} subscribes", 30)
    except AssertionError as error:
        said = child.output()[-500:] if child else ""
        raise WorkerError(f"{error} {said}") from error


def _subscribed(broker: Broker) -> bool:
    return "#" in [line.split()[-1] for line in broker.output().splitlines() if line.split()]
