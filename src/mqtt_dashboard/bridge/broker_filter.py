"""One filter at the broker: how far it is, and what is known of it as long as the session lasts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from mqtt_dashboard.bridge import coverage
from mqtt_dashboard.mqtt.client import Wanted

Step = Literal["snapshot", "live"]


@dataclass(eq=False)
class BrokerFilter:
    """One filter, asked for or held.

    As long as the broker keeps the session: ``complete`` is set once its retained messages came,
    right before it is asked for at its final QoS. ``rank`` orders filters by when that was granted,
    0 before; ``age`` orders them by when they were first asked for. ``number`` is the subscription
    identifier reserved for it, 0 while it needs none. ``confirmed``: the broker holds it, for all
    that is known.

    On the present connection: the ``step`` it is at (None: not asked for yet), whether the answer
    is ``pending``, the ``identifier`` last sent and the one ``in_force``, the QoS ``granted``, and
    since when it is so.
    """

    filter: str
    age: int
    qos: int = 0
    complete: bool = False
    rank: int = 0
    number: int = 0
    confirmed: bool = False
    step: Step | None = None
    pending: bool = False
    identifier: int = 0
    in_force: int = 0
    granted: int | None = None
    since: float = 0.0

    @cached_property
    def inner(self) -> str:
        """What it matches by."""
        return coverage.inner(self.filter)

    @cached_property
    def shared(self) -> bool:
        """Whether it is a shared subscription."""
        return coverage.is_shared(self.filter)

    @property
    def live(self) -> bool:
        """Whether the broker has granted it at its final QoS in this session."""
        return self.rank > 0

    @property
    def serves(self) -> bool:
        """Whether its messages come, at its final QoS."""
        return self.live and self.confirmed

    @property
    def unsettled(self) -> bool:
        """Whether an answer is awaited, or the next step."""
        return self.pending or self.step == "snapshot"

    @property
    def place(self) -> tuple[int, int]:
        """Its place among filters that overlap; see `copies`."""
        if self.shared:
            return 2, self.age
        return (0, self.rank) if self.live else (1, self.age)

    def ask(self, step: Step, identifier: int, *, retained: bool) -> Wanted:
        """Note that it is being asked for, and return what to ask."""
        self.step, self.identifier, self.pending = step, identifier, True
        # A bridge that dies now must not go back to QoS 0: messages may wait at QoS 1 already.
        self.complete = step == "live"
        qos: Literal[0, 1] = 1 if self.qos and step == "live" else 0
        return Wanted(self.filter, qos, retained=retained, identifier=identifier)

    def new_connection(self) -> None:
        """Forget what belonged to the connection before."""
        self.confirmed = self.live
        self.step, self.pending, self.granted = None, False, None
        self.identifier, self.in_force = 0, self.number

    def refused(self) -> None:
        """Note that the broker refused it: it begins anew."""
        self.complete = self.confirmed = self.pending = False
        self.step, self.granted, self.rank = None, None, 0
