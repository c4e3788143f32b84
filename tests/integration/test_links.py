"""Both links against a real mosquitto, by one suite (P27, P33-P38, P41, P44, P50, P54)."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.errors import LinkError
from mqtt_dashboard.mqtt.client import (
    LinkOptions,
    Outcome,
    Outgoing,
    Wanted,
    Will,
)
from mqtt_dashboard.mqtt.threaded_link import ThreadedLink
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.connected import Connected
from tests.support.servers import Broker, free_port, wait_for
from tests.support.servers import running as running_servers
from tests.unit.mqtt_layer.recorder import Receipts, Recorder, options, running

ODD_TOPICS = ["a b/c", "quote\"'/x", "/", "//", "ümläut/日本/🚆", "x" * 1000, "per.cent%20/\\"]


@pytest.fixture
def one(kind: type[ThreadedLink], broker: Broker) -> Iterator[Connected]:
    """Yield a connected link."""
    connected = Connected(kind, options(broker.port))
    with running(connected.link):
        connected.opened()
        yield connected


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_and_receive(one: Connected, qos: int) -> None:
    """What is published comes back byte for byte, with a receipt that fits its QoS."""
    assert one.subscribe(Wanted("t/#", 1)) == [("t/#", 1, None)]
    payloads = [b"", b"\xff\x00\xfe", "grüße".encode(), bytes(range(256)) * 4096]
    outcomes = [one.publish(f"t/{n}", payload, qos) for n, payload in enumerate(payloads)]
    assert outcomes == [Outcome.SENT if qos == 0 else Outcome.ACKED] * 4
    messages = one.received(4)
    assert [(m.topic, m.payload) for m in messages] == [
        (f"t/{n}", payload) for n, payload in enumerate(payloads)
    ]
    assert {m.qos for m in messages} == {min(qos, 1)}
    assert all(bool(m.token) == (qos > 0) for m in messages)


def test_odd_topics(one: Connected) -> None:
    """Topics with blanks, quotes, empty levels and any script survive."""
    one.subscribe(Wanted("#", 0))
    for topic in ODD_TOPICS:
        one.publish(topic, b"x")
    assert [m.topic for m in one.received(len(ODD_TOPICS))] == ODD_TOPICS


def test_qos_is_capped_at_one(one: Connected) -> None:
    """A filter wanted at QoS 2 is subscribed at QoS 1 (P38)."""
    assert one.subscribe(Wanted("a", 2)) == [("a", 1, None)]


def test_bad_filter_and_bad_topic_are_told(one: Connected) -> None:
    """A filter or topic that is not valid costs a sentence, not the connection."""
    (_, qos, error), good = one.subscribe(Wanted("a/#/b", 0), Wanted("fine", 0))
    assert qos is None
    assert "last level" in str(error)
    assert good == ("fine", 0, None)
    assert one.publish("no/#", b"") is Outcome.FAILED
    assert one.publish("fine", b"") is Outcome.ACKED
    assert one.recorder.losses == []


def test_unsubscribe(one: Connected) -> None:
    """After an unsubscribe nothing of that filter arrives."""
    one.subscribe(Wanted("a", 0), Wanted("b", 0))
    one.link.unsubscribe(["a"])
    one.publish("a", b"")
    one.publish("b", b"")
    assert [m.topic for m in one.received(1)] == ["b"]


def test_many_filters_in_one_call(one: Connected) -> None:
    """Hundreds of filters are split over packets and all answered."""
    wanted = [Wanted(f"many/{n}", 1) for n in range(230)]
    assert one.subscribe(*wanted) == [(entry.filter, 1, None) for entry in wanted]


def test_retained_messages(one: Connected, kind: type[ThreadedLink]) -> None:
    """MQTT 5 keeps the publisher's retain flag and sends retained messages only when asked."""
    one.publish("r", b"kept", retain=True)
    one.subscribe(Wanted("r", 0))
    assert [(m.payload, m.retain) for m in one.received(1)] == [(b"kept", True)]
    one.subscribe(Wanted("r", 1, retained=False))
    one.publish("r", b"new", retain=True)
    again = [] if kind is V5Link else [(b"kept", True)]
    live = (b"new", kind is V5Link)
    messages = one.received(1 + len(again) + 1)
    assert [(m.payload, m.retain) for m in messages[1:]] == [*again, live]


def test_not_connected(kind: type[ThreadedLink]) -> None:
    """Without a connection nothing is queued behind the caller's back (P54)."""
    link = kind(options(free_port()), Recorder(), SystemClock())
    receipts = Receipts()
    with pytest.raises(LinkError):
        link.publish(Outgoing("a", b"", 1, False, time.monotonic() + 9, receipts))
    with pytest.raises(LinkError):
        link.subscribe([Wanted("a", 0)])
    link.acknowledge([1])
    link.pause(paused=True)
    assert receipts == []


def test_deadline_in_the_past(one: Connected) -> None:
    """A message whose deadline has passed is never sent (P54)."""
    one.subscribe(Wanted("late", 0))
    receipts = Receipts()
    one.link.publish(Outgoing("late", b"stale", 1, False, time.monotonic() - 0.1, receipts))
    assert receipts.one().outcome is Outcome.EXPIRED
    one.publish("late", b"fresh")
    assert [m.payload for m in one.received(1)] == [b"fresh"]


def test_nobody_listens(kind: type[ThreadedLink]) -> None:
    """A refused connection is said in plain words."""
    recorder = Recorder()
    loss = kind(options(free_port()), recorder, SystemClock()).run()
    assert "refuses the connection" in loss.reason
    assert recorder.losses == [loss]
    assert not loss.final


def test_unknown_host(kind: type[ThreadedLink]) -> None:
    """A host name that does not exist is said in plain words."""
    settings = LinkOptions(host="no-such-host.invalid", port=1883, client_id="x")
    loss = kind(settings, Recorder(), SystemClock()).run()
    assert "host name" in loss.reason


def test_wrong_password(kind: type[ThreadedLink], tmp_path: Path) -> None:
    """A refused password is named and final (P36)."""
    broker = Broker(tmp_path, anonymous=False)
    with running_servers(broker):
        settings = options(broker.port, username="bob", password="wrong")
        loss = kind(settings, Recorder(), SystemClock()).run()
    assert loss.final
    assert "not authorised" in loss.reason or "password" in loss.reason


def test_closed_by_us_and_run_again(one: Connected) -> None:
    """After close() the same link can be run again and finds its session."""
    one.subscribe(Wanted("s", 1))
    one.link.close()
    wait_for(lambda: one.recorder.losses, "closed")
    assert one.recorder.losses[0].reason == "closed by us"
    with running(one.link):
        wait_for(lambda: len(one.recorder.sessions) == 2, "connected again")
        assert one.recorder.sessions[1].session_present
        one.publish("s", b"still subscribed")
        assert one.received(1)[0].payload == b"still subscribed"


def test_close_flushes(kind: type[ThreadedLink], broker: Broker) -> None:
    """What was accepted before close() is sent and gets its receipt."""
    first, second = (
        Connected(kind, options(broker.port, "a")),
        Connected(kind, options(broker.port)),
    )
    receipts = Receipts()
    with running(first.link), running(second.link):
        first.opened()
        second.opened()
        first.subscribe(Wanted("f", 0))
        for number in range(100):
            deadline = time.monotonic() + 5
            payload = str(number).encode()
            second.link.publish(Outgoing("f", payload, 1, False, deadline, receipts))
        second.link.close()
        assert [m.payload for m in first.received(100)] == [str(n).encode() for n in range(100)]
    assert [receipt.outcome for receipt in receipts] == [Outcome.ACKED] * 100


@pytest.mark.parametrize("will", [False, True])
def test_goodbye_decides_about_the_will(
    kind: type[ThreadedLink], broker: Broker, will: bool
) -> None:
    """The will is published when close() says so, and only then."""
    watcher = Connected(kind, options(broker.port, "watcher"))
    settings = options(broker.port, will=Will("gone", b"offline", retain=False))
    leaving = Connected(kind, settings)
    with running(watcher.link):
        watcher.opened()
        watcher.subscribe(Wanted("gone", 0), Wanted("end", 0))
        with running(leaving.link) as run:
            leaving.opened()
            leaving.link.close(will=will)
            run.join()
        wait_for(lambda: "Client link-under-test" in broker.output(), "the broker noticed")
        time.sleep(0.1)
        watcher.publish("end", b"")
        wait_for(lambda: any(m.topic == "end" for m in watcher.recorder.messages), "end")
        topics = [m.topic for m in watcher.recorder.messages]
    assert topics == (["gone", "end"] if will else ["end"])


def test_broker_killed_and_back(one: Connected, broker: Broker) -> None:
    """A killed broker is a loss; the next run meets a broker that knows no session (P33)."""
    broker.kill()
    wait_for(lambda: one.recorder.losses, "loss", 5)
    assert "closed the connection" in one.recorder.losses[0].reason
    broker.start()
    with running(one.link):
        wait_for(lambda: len(one.recorder.sessions) == 2, "connected again")
        assert not one.recorder.sessions[1].session_present


def test_unconfirmed_is_indeterminate_when_the_broker_dies(one: Connected, broker: Broker) -> None:
    """A message that was sent but not confirmed is neither a success nor a failure (P54)."""
    broker.freeze()
    receipts = Receipts()
    one.link.publish(Outgoing("a", b"", 1, False, time.monotonic() + 60, receipts))
    time.sleep(0.2)
    broker.kill()
    assert receipts.one().outcome is Outcome.INDETERMINATE
    time.sleep(0.1)
    assert len(receipts) == 1


def test_frozen_broker_is_noticed(one: Connected, broker: Broker) -> None:
    """A broker that stops answering is reported within 5 s (G8)."""
    broker.freeze()
    started = time.monotonic()
    try:
        wait_for(lambda: one.recorder.losses, "loss", 8)
        assert time.monotonic() - started < 5
        assert one.recorder.losses[0].reason == "the broker does not answer"
    finally:
        broker.thaw()


def test_frozen_broker_at_connect(kind: type[ThreadedLink], broker: Broker) -> None:
    """A broker that accepts but never answers is reported within 5 s."""
    broker.freeze()
    try:
        started = time.monotonic()
        loss = kind(options(broker.port), Recorder(), SystemClock()).run()
        assert time.monotonic() - started < 5
        assert "does not answer" in loss.reason
    finally:
        broker.thaw()
