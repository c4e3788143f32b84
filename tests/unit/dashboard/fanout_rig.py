"""A fan-out with sockets that keep what they are sent."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.contract.messages import Batch, LogMessage
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.fanout import Fanout


class Sockets:
    """Keeps what is sent; a viewer in ``deaf`` has a full queue."""

    def __init__(self) -> None:
        self.frames: dict[str, list[Any]] = defaultdict(list)
        self.deaf: set[str] = set()
        self.closed: list[str] = []
        self.results: list[str] = []

    def send(self, sids: Sequence[str], event: str, document: bytes) -> None:
        """Keep a document for each viewer."""
        for sid in sids:
            assert sid not in self.deaf
            if event == "command_result":
                self.results.append(sid)
            if event == "mqtt_messages":
                self.frames[sid].append(msgspec.json.decode(document))

    def unread(self, sid: str) -> int:
        """Return a full queue for the deaf."""
        return 99 if sid in self.deaf else 0

    def cut(self, sid: str) -> None:
        """Note that a viewer was cut."""
        self.closed.append(sid)


class Rig:
    """A fan-out with its surroundings and a running number."""

    def __init__(self) -> None:
        self.sockets = Sockets()
        self.clock = ManualClock()
        self.counters = Counters()
        self.fanout = Fanout(self.sockets, self.clock, self.counters, payload_limit=100)
        self.fanout.prime([])
        self.seq = 0
        self.epoch = 1

    def flush(self) -> None:
        """Let the shortest time between two frames pass and send what is due."""
        self.clock.advance(0.1)
        self.fanout.flush()

    def join(self, sid: str, *filters: str) -> None:
        """Connect a viewer that watches some filters."""
        self.fanout.join(sid)
        for one in filters:
            self.fanout.watch(sid, one)

    def deliver(self, *topics: str, payload: bytes = b"x") -> None:
        """Hand over one batch."""
        messages = [LogMessage(one, payload, 0, False, False, 1.0) for one in topics]
        self.fanout.deliver(Batch(1, self.epoch, self.seq + 1, messages))
        self.seq += len(messages)

    def topics(self, sid: str) -> list[str]:
        """Return the topics a viewer got, without replays."""
        return [
            message["topic"]
            for frame in self.sockets.frames[sid]
            if not frame["replay"]
            for message in frame["messages"]
        ]

    def total(self, name: str) -> int:
        """Return a count over all reasons."""
        return sum(value for (one, _), value in self.counters.snapshot().items() if one == name)

    def check_account(self) -> None:
        """Assert the invariant."""
        assert self.total("viewer_messages_matched") == (
            self.total("viewer_messages_sent")
            + self.total("viewer_messages_conflated")
            + self.total("viewer_messages_dropped")
            + self.fanout.buffered()
        )
        for sid in "xyz":
            account = self.fanout.account(sid)
            if account is not None:
                assert account.matched == (
                    account.sent + account.conflated + account.dropped + account.buffered
                )
