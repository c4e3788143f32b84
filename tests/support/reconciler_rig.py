"""A reconciler between a modelled broker and a book in memory, moved by hand."""

from mqtt_dashboard.bridge.reconciler import Reconciler
from mqtt_dashboard.bridge.session_book import SessionBook
from mqtt_dashboard.bridge.subscriptions import Subscriptions
from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.contract.topics import matches
from mqtt_dashboard.mqtt.client import Incoming, Session
from tests.support.model_broker import Answer, Copy, MemoryStore, ModelBroker

# What was asked for, in short: filter, QoS, with retained messages or without.
Asked = tuple[str, int, bool]


class Rig:
    """``always`` are the configured filters; `turn` lets everything happen once."""

    def __init__(self, *always: str, broker: ModelBroker | None = None) -> None:
        self.clock = ManualClock()
        self.broker = broker or ModelBroker(matches)
        self.store = MemoryStore()
        self.subscriptions = Subscriptions(always)
        self.heard: list[Copy] = []
        self.reconciler = self._new()

    def restart(self, *always: str, kept: bool = True) -> None:
        """Let another bridge, with other filters, find the session kept or not."""
        self.subscriptions = Subscriptions(always)
        self.clock.advance(5)
        self.broker.lose_connection(kept=kept)
        self.broker.asked.clear()
        self.reconciler = self._new()
        self.open(kept=kept)

    def open(self, *, kept: bool = False, protocol5: bool = True) -> None:
        """Connect."""
        version = "5.0" if protocol5 else "3.1.1"
        session = Session(
            protocol=version,  # type: ignore[arg-type]
            session_present=kept,
            subscription_ids_available=protocol5,
        )
        self.reconciler.opened(session)

    def reconnect(self, *, kept: bool) -> None:
        """Lose the connection and come back."""
        self.broker.lose_connection(kept=kept)
        self.broker.asked.clear()
        self.reconciler.closed()
        self.open(kept=kept)

    def want(self, *filters: str) -> None:
        """Let somebody ask for filters."""
        for one in filters:
            self.subscriptions.want(one, 1, None, 0)

    def turn(self, seconds: float = 0.1) -> None:
        """Let time pass, send what is due, and read all that the broker sends."""
        self.clock.advance(seconds)
        self.reconciler.sync()
        self.broker.process()
        self.read()

    def settle(self, seconds: float = 6.0) -> None:
        """Let so much time pass, in turns of 0.6 s."""
        for _ in range(round(seconds / 0.6)):
            self.turn(0.6)

    def read(self) -> None:
        """Read all that the broker sends."""
        while (event := self.broker.take()) is not None:
            if isinstance(event, Answer):
                self.reconciler.granted(event.filter, event.qos, event.error)
            elif not self.reconciler.is_copy(event.topic, event.identifiers, event.qos):
                self.heard.append(event)
                self.reconciler.ear.hear([incoming(event)])

    def asked(self, topic_filter: str | None = None) -> list[Asked]:
        """Return what was asked for on this connection."""
        return [
            (one.filter, one.qos, one.retained)
            for one in self.broker.asked
            if topic_filter in {None, one.filter}
        ]

    def number(self, topic_filter: str) -> int:
        """Return the identifier a filter has at the broker."""
        return self.broker.held[topic_filter].identifier

    def _new(self) -> Reconciler:
        book = SessionBook(self.store, "session", lambda: 1, self.clock)
        reconciler = Reconciler(self.subscriptions, self.broker, self.clock, book)
        reconciler.restore()
        return reconciler


def incoming(copy: Copy) -> Incoming:
    """Return a copy as the link hands it over."""
    return Incoming(copy.topic, b"x", copy.qos, copy.retain, False, None, 0, copy.identifiers)


def settled(*always: str) -> Rig:
    """Return a rig whose filters are all live."""
    rig = Rig(*always)
    rig.open()
    rig.settle()
    assert rig.reconciler.settled
    return rig
