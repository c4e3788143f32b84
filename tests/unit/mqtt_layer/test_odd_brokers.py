"""A broker that does wrong: no hang, no dead thread, plain words or a correct going-on (P27)."""

import time

import pytest

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt import asking
from mqtt_dashboard.mqtt.client import Incoming, Outgoing, Session, Wanted
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.fake_broker import CONNECT, DISCONNECT, FakeBroker, Step, connack, frame
from tests.support.servers import wait_for
from tests.unit.mqtt_layer import odd_cases, odd_exchanges, odd_packets
from tests.unit.mqtt_layer.odd_cases import ALIVE, LIMIT, Odd, expect, send
from tests.unit.mqtt_layer.recorder import Receipts, Recorder, options, running

CASES = [*odd_cases.CASES, *odd_packets.CASES, *odd_exchanges.CASES]
KEEPALIVE_S = 3
# 1.5 keep alives, and what a loaded machine may take on top.
AT_MOST_S = 1.5 * KEEPALIVE_S + 1.5
WELL: list[Step] = [expect(CONNECT), send(connack() + ALIVE), lambda p: p.answer_pings(10)]


def test_the_table_is_large_and_its_names_are_unique() -> None:
    """The table keeps its size; a name that appears twice would hide a case."""
    assert len(CASES) >= 300
    assert len({case.name for case in CASES}) == len(CASES)


class Trial:
    """A link at a broker that follows the script of a case, and behaves at the second attempt."""

    def __init__(self, case: Odd) -> None:
        self.case = case
        opening: list[Step] = [expect(CONNECT), *(case.raw or [send(connack())])]
        going_on: list[Step] = [] if case.ends else [send(ALIVE), lambda p: p.answer_pings(10)]
        self.broker = FakeBroker([*opening, *case.after, *going_on], WELL)
        self.recorder, self.receipts = Recorder(), Receipts()
        settings = options(
            self.broker.port,
            max_packet_size=LIMIT,
            receive_maximum=8,
            keepalive=KEEPALIVE_S,
            ping_after=0.2,
            answer_timeout=0.5,
        )
        self.link = V5Link(settings, self.recorder, SystemClock())
        self.recorder.on_open_do = self._ask
        self.recorder.on_messages_do = self._acknowledge

    @property
    def alive(self) -> int:
        """How many of the messages came that mean that all is well."""
        return sum(message.topic == "alive" for message in self.recorder.messages)

    def _ask(self, _session: Session) -> None:
        case = self.case
        if len(self.recorder.sessions) > 1:
            return
        if case.wants:
            self.link.subscribe([Wanted(topic_filter, 0) for topic_filter in case.wants])
        if case.publishes is not None:
            deadline = time.monotonic() + 0.7
            message = Outgoing("out", b"1", case.publishes, False, deadline, self.receipts)  # type: ignore[arg-type]
            self.link.publish(message)

    def _acknowledge(self, messages: list[Incoming]) -> None:
        self.link.acknowledge([message.token for message in messages if message.token])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_odd_broker(case: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    """G17: whatever the broker sends, the link ends in words or goes on to the next message."""
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.4)
    trial = Trial(case)
    recorder, link, answers = trial.recorder, trial.link, bool(case.told or case.grants is not None)
    with trial.broker as broker:
        with running(link) as run:
            started = time.monotonic()
            if case.ends is None:
                wait_for(lambda: trial.alive, "going on")
                wait_for(lambda: not answers or len(recorder.granted) >= len(case.wants), "answers")
            if case.outcome:
                trial.receipts.one(3)
            if case.ends is None:
                link.close()
            loss = run.join()
            lasted = time.monotonic() - started
        seen = list(recorder.messages)
        # A second attempt finds nothing left over from the first.
        with running(link):
            wait_for(lambda: trial.alive > (case.ends is None), "connected again")
    assert broker.errors == []
    assert (case.ends or "closed by us") in loss.reason
    assert "internal error" not in loss.reason
    assert recorder.losses[0] == loss
    if case.ends:
        assert lasted < AT_MOST_S
    expected = {"version_refused": False, "final": False, "taken_over": False} | case.flags
    assert {name: getattr(loss, name) for name in expected} == expected
    assert len(recorder.malformed) == case.malformed
    assert len(recorder.too_large) == case.too_large
    outcomes = [receipt.outcome for receipt in trial.receipts]
    assert outcomes == ([case.outcome] if case.outcome else [])
    if case.told:
        assert all(qos is None and case.told in str(error) for _, qos, error in recorder.granted)
    if case.grants is not None:
        assert recorder.granted == [(name, case.grants, None) for name in case.wants]
    if case.delivered is not None:
        assert sum(message.topic != "alive" for message in seen) == case.delivered
    if case.goodbye is not None:
        assert broker.peers[0].received[-1][:3] == frame(DISCONNECT, bytes([case.goodbye]))[:3]
