"""Commands of all three modes, a bridge killed at named points, and what must hold afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.dashboard_server import DashboardServer
from tests.support.orders import NAMES, ROOMY, CrashingBridge, finished, left_in_stream, post
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import Device

PER_MODE: Final = 5
# By name, QoS and mode.
MODES: Final = {
    "most": (1, "at-most-once"),
    "least": (1, "at-least-once"),
    "once": (2, "exactly-once"),
}
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
Point = tuple[str, int]


@dataclass
class CrashLab:
    """Everything but the bridge, for many rows of the table."""

    folder: Path
    broker: Broker
    redis: RedisServer
    dashboard: DashboardServer
    rows: int = 0

    def run(self, *points: Point, lose_session: bool = False) -> dict[str, Any]:
        """Send commands, end one bridge after another at the points, check what became of them.

        Return how many of each mode ended how.
        """
        self.rows += 1
        topic = f"row/{self.rows}"
        bridge = CrashingBridge(self.folder, self.broker.port, self.redis)
        self._end_lease()
        with Device(self.broker.port, f"row{self.rows}", topics=(f"{topic}/#",)) as device:
            records = self._send(topic)
            for number, point in enumerate(points):
                bridge.crash_at(*point)
                with running(bridge):
                    crashed = bridge.wait_crash(8 if number else 15)
                    # A later point may have nothing left to pass by: then all was done before.
                    assert crashed or (number and self._all_done(records)), bridge.output()
                self._end_lease()
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
        # Between a CONNACK and the note of it nobody can know which session it was.
        unknown = {"adopted", "before-opened"} & {name for name, _ in points}
        return self._judge(device, topic, ended, lost=lose_session or bool(unknown))

    def _end_lease(self) -> None:
        """Do as if the dead bridge's time had run out: the table is long."""
        self.redis.client().delete(NAMES.bridge_lease)

    def _send(self, topic: str) -> dict[str, list[dict[str, Any]]]:
        records: dict[str, list[dict[str, Any]]] = {name: [] for name in MODES}
        for number in range(PER_MODE):
            for name, (qos, mode) in MODES.items():
                status, record = post(
                    self.dashboard,
                    f"{topic}/{name}/{number}",
                    topic=f"{topic}/{name}",
                    payload=str(number),
                    qos=qos,
                    mode=mode,
                    deadline_s=60,
                )
                assert status == 202, record
                records[name].append(record)
        return records

    def _all_done(self, records: dict[str, list[dict[str, Any]]]) -> bool:
        return all(
            self.dashboard.get(f"/api/commands/{record['id']}")[1]["state"] != "accepted"
            for group in records.values()
            for record in group
        )

    def _mark(self, device: Device, topic: str) -> None:
        """Let everything that was sent arrive: one more message, and wait for it."""
        device.publish(f"{topic}/end")
        wait_for(lambda: device.heard(f"{topic}/end"), "the end of the row")

    def _judge(
        self, device: Device, topic: str, ended: dict[str, Any], *, lost: bool
    ) -> dict[str, Any]:
        for name in MODES:
            heard = device.heard(f"{topic}/{name}")
            for number, record in enumerate(ended[name]):
                count = heard.count(str(number).encode())
                state = record["state"]
                told = (name, number, count, state, record["reason"])
                if name == "least":
                    assert state == "acked", told
                    assert count >= 1, told
                elif name == "most":
                    assert count <= 1, told
                    assert (state, count) in {
                        ("acked", 1),
                        ("indeterminate", 0),
                        ("indeterminate", 1),
                    }, told
                elif lost:
                    assert count <= 1, told
                    assert state in {"acked", "indeterminate"}, told
                else:
                    assert (state, count) == ("acked", 1), told
        for message in device.received:
            if message.topic == f"{topic}/least":
                pairs = dict(getattr(message.properties, "UserProperty", []))
                ids = [one["id"] for one in ended["least"]]
                assert pairs["command-id"] == ids[int(message.payload)]
        return {name: [one["state"] for one in ended[name]] for name in MODES}


@contextmanager
def crash_lab(folder: Path) -> Iterator[CrashLab]:
    """Run everything but the bridge."""
    broker = Broker(folder, extra=ROOMY)
    redis = RedisServer(folder, aof=True)
    with running(broker, redis):
        dashboard = DashboardServer(folder, redis.port)
        with running(dashboard):
            lab = CrashLab(folder, broker, redis, dashboard)
            wait_for(
                lambda: dashboard.get("/health")[1]["redis"]["durable"] is True, "Redis is seen"
            )
            yield lab
