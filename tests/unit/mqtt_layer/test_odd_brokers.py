"""A broker that does wrong: no hang, no dead thread, plain words or a correct going-on (P27)."""

import time

import pytest

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt import asking
from mqtt_dashboard.mqtt.client import Outgoing, Session, Wanted
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.fake_broker import CONNECT, DISCONNECT, FakeBroker, Step, connack, frame
from tests.support.servers import wait_for
from tests.unit.mqtt_layer.odd_cases import ALIVE, CASES, LIMIT, Odd, expect, send
from tests.unit.mqtt_layer.recorder import Receipts, Recorder, options, running


def test_the_table_is_large_and_its_names_are_unique() -> None:
    """The table keeps its size; a name that appears twice would hide a case."""
    assert len(CASES) >= 120
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_odd_broker(case: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the broker sends, the link ends in plain words or goes on to the next message."""
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.4)
    opening: list[Step] = [expect(CONNECT), *(case.raw or [send(connack())])]
    going_on: list[Step] = [] if case.ends else [send(ALIVE), lambda p: p.answer_pings(10)]
    recorder, receipts = Recorder(), Receipts()
    with FakeBroker([*opening, *case.after, *going_on]) as broker:
        settings = options(
            broker.port,
            max_packet_size=LIMIT,
            receive_maximum=8,
            ping_after=0.2,
            answer_timeout=0.5,
        )
        link = V5Link(settings, recorder, SystemClock())

        def ask(_session: Session) -> None:
            if case.wants:
                link.subscribe([Wanted(topic_filter, 0) for topic_filter in case.wants])
            if case.publishes is not None:
                deadline = time.monotonic() + 0.7
                link.publish(Outgoing("out", b"1", case.publishes, False, deadline, receipts))  # type: ignore[arg-type]

        recorder.on_open_do = ask
        with running(link) as run:
            if case.ends is None:
                wait_for(lambda: any(m.topic == "alive" for m in recorder.messages), "going on")
            if case.told:
                wait_for(lambda: len(recorder.granted) == len(case.wants), "answers", 3)
            if case.outcome:
                receipts.one(3)
            if case.ends is None:
                link.close()
            loss = run.join()
        broker_saw = broker.received
    assert broker.errors == []
    assert (case.ends or "closed by us") in loss.reason
    assert recorder.losses == [loss]
    expected = {"version_refused": False, "final": False, "taken_over": False} | case.flags
    assert {name: getattr(loss, name) for name in expected} == expected
    assert len(recorder.malformed) == case.malformed
    assert [receipt.outcome for receipt in receipts] == ([case.outcome] if case.outcome else [])
    if case.told:
        assert all(qos is None and case.told in str(error) for _, qos, error in recorder.granted)
    if case.goodbye is not None:
        assert broker_saw[-1][:3] == frame(DISCONNECT, bytes([case.goodbye]))[:3]
