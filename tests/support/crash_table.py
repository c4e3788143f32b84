"""Commands of all three modes, a bridge killed at named points, and what must hold afterwards."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.orders import (
    NAMES,
    ROOMY,
    CrashingBridge,
    CrashingDashboard,
    Nursery,
    finished,
    left_in_stream,
    post_again,
)
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import Device

PER_MODE: Final = 5
# By name, QoS and mode.
MODES: Final = {
    "most": (1, "at-most-once"),
    "least": (1, "at-least-once"),
    "once": (2, "exactly-once"),
}
# Pairs of state and deliveries that a mode allows.
ONCE: Final = {("acked", 1)}
MOST_ONCE: Final = {("acked", 1), ("indeterminate", 0), ("indeterminate", 1)}
ONCE_LOST: Final = {("acked", 0), *MOST_ONCE}
# Where a bridge that executes commands can end: (point, n-th passing).
WORKING: Final = (
    ("read", 1),
    ("taken", 1),
    ("published", 1),
    ("published", 7),
    ("published", 15),
    ("receipt-acked", 1),
    ("receipt-acked", 8),
    ("pubrec", 1),
    ("pubrec", 5),
    ("before-received", 1),
    ("after-received", 1),
    ("released", 1),
    ("before-finish", 1),
    ("after-finish", 1),
)
# Where the next one can end while it goes on with what the first left.
GOING_ON: Final = (
    ("adopted", 1),
    ("before-opened", 1),
    ("after-opened", 1),
    ("taken", 1),
    ("published", 1),
    ("pubrec", 1),
    ("before-received", 1),
    ("after-received", 1),
    ("released", 1),
    ("receipt-acked", 1),
    ("before-finish", 1),
    ("after-finish", 1),
)
# Points a bridge may pass before it has written down which session its connection has: those of
# commands that do not hang on the session, and those of the note itself.
BEFORE_THE_NOTE: Final = frozenset(
    {
        "adopted",
        "before-opened",
        "taken",
        "published",
        "receipt-acked",
        "before-finish",
        "after-finish",
    }
)
Point = tuple[str, int]


def never() -> bool:
    """Say that there is always something left to do."""
    return False


@dataclass
class CrashLab:
    """Everything but the bridge, for many rows of the table."""

    folder: Path
    broker: Broker
    redis: RedisServer
    dashboard: CrashingDashboard
    nursery: Nursery
    rows: int = 0

    def run(self, *points: Point, lose_session: bool = False) -> dict[str, Any]:
        """Send commands, end one bridge after another at the points, check what became of them.

        Return how many of each mode ended how.
        """
        self.rows += 1
        topic = f"row/{self.rows}"
        bridge = CrashingBridge(self.nursery, self.folder, self.broker.port, self.redis)
        self.end_lease()
        unknown = False
        with Device(self.broker.port, f"row{self.rows}", topics=(f"{topic}/#",)) as device:
            records = self._send(topic)
            for number, point in enumerate(points):
                bridge.crash_at(*point)
                with running(bridge):
                    # A later point may have nothing left to pass by: then all was done before.
                    crashed = bridge.wait_crash(self._all_done if number else never)
                    assert crashed or (number and self._all_done()), bridge.output()
                # Between a CONNACK and the note of it nobody can know which session it was.
                unknown = unknown or (point[0] in BEFORE_THE_NOTE and self._unnoted())
                self.end_lease()
                if lose_session and number == 0:
                    self.broker.kill()
                    self.broker.start()
                    wait_for(lambda: device.connects == 2, "the device is back")
            bridge.crash_at(None)
            with running(bridge):
                bridge.wait_ready()
                ended = {
                    name: [finished(self.dashboard, record["id"]) for record in group]
                    for name, group in records.items()
                }
                wait_for(lambda: left_in_stream(self.redis) == 0, "the stream is empty")
                self._mark(device, topic)
        return judge(device, topic, ended, lost=lose_session or unknown)

    def _unnoted(self) -> bool:
        """Tell whether a bridge ended between setting the mark of a connection and the note."""
        return bool(self.redis.client().exists(NAMES.order_opening))

    def end_lease(self) -> None:
        """Do as if the dead bridge's time had run out: the table is long."""
        self.redis.client().delete(NAMES.bridge_lease)

    def _send(
        self, topic: str, each: int = PER_MODE, gap_s: float = 0.0
    ) -> dict[str, list[dict[str, Any]]]:
        records: dict[str, list[dict[str, Any]]] = {name: [] for name in MODES}
        for number in range(each):
            for name, (qos, mode) in MODES.items():
                record = post_again(
                    self.dashboard,
                    f"{topic}/{name}/{number}",
                    topic=f"{topic}/{name}",
                    payload=str(number),
                    qos=qos,
                    mode=mode,
                    deadline_s=120,
                )
                records[name].append(record)
                time.sleep(gap_s)
        return records

    def _all_done(self) -> bool:
        return left_in_stream(self.redis) == 0

    def _mark(self, device: Device, topic: str) -> None:
        """Let everything that was sent arrive: one more message, and wait for it."""
        device.publish(f"{topic}/end")
        wait_for(lambda: device.heard(f"{topic}/end"), "the end of the row")

    def endure(
        self, disturb: Callable[[CrashingBridge], None], *, each: int, gap_s: float = 0.0
    ) -> dict[str, Any]:
        """Send commands of all modes while a bridge executes them and something disturbs that.

        Whatever is refused or not answered is sent again with the same key.
        """
        self.rows += 1
        topic = f"row/{self.rows}"
        bridge = CrashingBridge(self.nursery, self.folder, self.broker.port, self.redis)
        bridge.crash_at(None)
        self.end_lease()
        device = Device(self.broker.port, f"row{self.rows}", topics=(f"{topic}/#",))
        with running(bridge), device, ThreadPoolExecutor(1) as pool:
            bridge.wait_ready()
            sending = pool.submit(self._send, topic, each, gap_s)
            disturb(bridge)
            records = sending.result()
            ended = {
                name: [finished(self.dashboard, record["id"], 60) for record in group]
                for name, group in records.items()
            }
            self._mark(device, topic)
        return judge(device, topic, ended, lost=False)


def judge(device: Device, topic: str, ended: dict[str, Any], *, lost: bool) -> dict[str, Any]:
    """Check what every mode promises; return how its commands ended.

    ``lost``: the broker may have lost the session, or nobody can know.
    """
    heard = {name: Counter(device.heard(f"{topic}/{name}")) for name in MODES}
    for name, records in ended.items():
        for number, record in enumerate(records):
            count, state = heard[name][str(number).encode()], record["state"]
            fits = {
                "least": state == "acked" and count >= 1,
                "most": (state, count) in MOST_ONCE,
                "once": (state, count) in (ONCE_LOST if lost else ONCE),
            }
            assert fits[name], (name, number, count, state, record["reason"])
    ids = [one["id"] for one in ended["least"]]
    for message in device.received:
        if message.topic == f"{topic}/least":
            pairs = dict(getattr(message.properties, "UserProperty", []))
            assert pairs["command-id"] == ids[int(message.payload)]
    return {name: [one["state"] for one in records] for name, records in ended.items()}


@contextmanager
def crash_lab(folder: Path) -> Iterator[CrashLab]:
    """Run everything but the bridge."""
    broker = Broker(folder, extra=ROOMY)
    redis = RedisServer(folder, aof=True)
    with running(broker, redis):
        # No user sends so much in a minute; this one is all of them.
        dashboard = CrashingDashboard(folder, redis.port, PUBLISHES_PER_MINUTE="100000")
        with running(dashboard):
            wait_for(
                lambda: dashboard.get("/health")[1]["redis"]["durable"] is True, "Redis is seen"
            )
            nursery = Nursery()
            try:
                yield CrashLab(folder, broker, redis, dashboard, nursery)
            finally:
                nursery.close()
