"""Broker statistics of several brokers, read from hostile bytes (P21-P26)."""

from pathlib import Path

import pytest

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt.client import Wanted
from mqtt_dashboard.mqtt.rates import CounterRates
from mqtt_dashboard.mqtt.sys_topics import SysTopics
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.servers import Broker, wait_for
from tests.unit.mqtt_layer.recorder import Recorder, options, running

BROKER = "$SYS/broker/"
NODE = "$SYS/brokers/emqx@10.0.0.1/"


def fed(*messages: tuple[str, bytes]) -> SysTopics:
    """Return a collector that has taken these messages at time 0."""
    collector = SysTopics()
    for topic, payload in messages:
        collector.feed(topic, payload, 0.0)
    return collector


def test_uptime_has_a_unit() -> None:
    """An uptime is text with a unit; others send the bare number (P21)."""
    assert fed((BROKER + "uptime", b"9 seconds")).snapshot(0.0).uptime == 9
    assert fed((BROKER + "uptime", b"1 second")).snapshot(0.0).uptime == 1
    assert fed((BROKER + "uptime", b"77")).snapshot(0.0).uptime == 77


def test_load_values_are_decimal() -> None:
    """Moving averages are read as decimal numbers (P22)."""
    collector = fed((BROKER + "load/messages/received/1min", b"258.76"))
    assert collector.snapshot(0.0).load_messages_received_1min == 258.76


def test_unknown_is_null() -> None:
    """What the broker did not say is null, never 0 (P23)."""
    stats = fed((BROKER + "retained messages/count", b"54")).snapshot(0.0)
    assert stats.retained == 54
    assert stats.messages_inflight is None
    assert stats.clients_connected is None


def test_aliases_are_never_added() -> None:
    """The second name of a number neither adds to it nor overrides it."""
    name, alias = BROKER + "clients/connected", BROKER + "clients/active"
    for messages in ([(alias, b"3"), (name, b"4")], [(name, b"4"), (alias, b"3")]):
        assert fed(*messages).snapshot(0.0).clients_connected == 4
    assert fed((alias, b"3")).snapshot(0.0).clients_connected == 3


@pytest.mark.parametrize(
    "payload",
    [b"", b"-1", b"+1", b" 1", b"1 ", b"1.5", b"NaN", b"1e9", b"0x1", b"1_000", b"9" * 20,
     b"9" * 100_000, "٣".encode(), b"\xff", b"\x00", b"18446744073709551615"],
)  # fmt: skip
def test_bad_numbers_are_counted(payload: bytes) -> None:
    """A payload that is no count is counted as a failure; the field keeps its value (P21)."""
    collector = fed((BROKER + "clients/total", b"7"))
    assert collector.feed(BROKER + "clients/total", payload, 1.0) is False
    assert collector.parse_failures == 1
    assert collector.snapshot(1.0).clients_total == 7
    assert collector.ages(3.0) == {"clients_total": 3.0}


@pytest.mark.parametrize("payload", [b"nan", b"inf", b"-0.5", b"1e3", b".", b"1.", b"", b"1,5"])
def test_bad_averages_are_counted(payload: bytes) -> None:
    """NaN and its like never reach a chart (P05, P22)."""
    collector = fed((BROKER + "load/sockets/1min", payload))
    assert collector.parse_failures == 1
    assert collector.snapshot(0.0).load_sockets_1min is None


def test_emqx() -> None:
    """EMQX's tree is read, its milliseconds too, and the nodes of a cluster are added up (P23)."""
    other = NODE.replace("10.0.0.1", "10.0.0.2")
    collector = fed(
        (NODE + "version", b"5.8.6"),
        (NODE + "uptime", b"61000"),
        (other + "uptime", b"5000"),
        (NODE + "stats/connections/count", b"9"),
        (NODE + "stats/live_connections/count", b"3"),
        (other + "stats/live_connections/count", b"4"),
        (NODE + "stats/retained/count", b"10"),
        (other + "stats/retained/count", b"10"),
        (NODE + "metrics/messages/received", b"100"),
        (NODE + "metrics/messages/dropped", b"1"),
        (NODE + "clients/x/connected", b"{}"),
    )
    stats = collector.snapshot(0.0)
    assert (stats.version, stats.uptime, stats.clients_connected) == ("5.8.6", 61, 7)
    assert (stats.retained, stats.publish_received, stats.publish_dropped) == (10, 100, 1)
    assert collector.family == "emqx"
    assert collector.parse_failures == 0


def test_a_sum_nobody_can_store_is_refused() -> None:
    """The nodes of a cluster together may tell more than 64 bits: then the last one is counted."""
    topic, largest = "$SYS/brokers/n{}@x/metrics/bytes/received", str(2**63 - 1).encode()
    collector = fed((topic.format(1), largest), (topic.format(2), largest))
    assert (collector.parse_failures, collector.snapshot(0.0).bytes_received) == (1, 2**63 - 1)
    assert collector.feed(topic.format(1), b"5", 1.0)
    assert collector.feed(topic.format(2), b"6", 1.0)
    assert collector.snapshot(1.0).bytes_received == 11


def test_vernemq() -> None:
    """VerneMQ's metric names, split at the underscore, are read (P23)."""
    node = "$SYS/VerneMQ@127.0.0.1/"
    collector = fed((node + "mqtt/publish/received", b"5"), (node + "router/subscriptions", b"2"))
    assert collector.snapshot(0.0).publish_received == 5
    assert collector.snapshot(0.0).subscriptions == 2
    assert collector.family == "vernemq"


def test_family_by_version() -> None:
    """The version text tells imitators of mosquitto's tree apart."""
    assert fed((BROKER + "version", b"mosquitto version 2.0.11")).family == "mosquitto"
    assert fed((BROKER + "version", b"aMQTT version 0.11.3")).family == "amqtt"
    assert SysTopics().family is None
    assert fed((BROKER + "version", b"x\x1b[31m")).snapshot(0.0).version is None


def test_topics_that_are_no_statistics() -> None:
    """Other topics are told apart and cost nothing."""
    collector = SysTopics()
    for topic in ("", "$SYS", "$SYS/", "$SYS/broker", "a/b", "$SYS/broker/log/N", "$SYS/brokers"):
        assert collector.feed(topic, b"1", 0.0) is False
    assert collector.parse_failures == 0


def test_last_updated() -> None:
    """The newest field dates the document."""
    collector = fed((BROKER + "uptime", b"1"))
    collector.feed(BROKER + "clients/total", b"1", 10.0)
    assert collector.snapshot(12.0).last_updated is None
    assert collector.snapshot(12.0, wall=1000.0).last_updated == 998.0


def test_real_mosquitto(tmp_path: Path, broker: Broker) -> None:
    """A real mosquitto's whole tree is read without one failure."""
    recorder, collector = Recorder(), SysTopics()
    link = V5Link(options(broker.port), recorder, SystemClock())
    with running(link):
        wait_for(lambda: recorder.sessions, "connected")
        link.subscribe([Wanted("$SYS/#", 0)])

        def connected() -> int | None:
            for message in recorder.messages:
                collector.feed(message.topic, message.payload, 0.0)
            return collector.snapshot(0.0).clients_connected

        wait_for(connected, "the tree knows this client")
    stats = collector.snapshot(0.0)
    assert collector.parse_failures == 0
    assert collector.family == "mosquitto"
    assert stats.uptime is not None
    assert stats.clients_connected == 1
    assert stats.retained is not None
    assert stats.load_connections_1min is not None


def test_rates() -> None:
    """A rate is the difference over the time; the first value has none."""
    rates = CounterRates()
    assert rates.update({"a": 100, "b": None}, 0.0) == {"a": None, "b": None}
    assert rates.update({"a": 150, "b": 1}, 5.0) == {"a": 10.0, "b": None}


def test_a_fall_is_a_restart() -> None:
    """A counter that fell gives no rate, and never a negative one (P26)."""
    rates = CounterRates()
    rates.update({"a": 100}, 0.0)
    assert rates.update({"a": 3}, 5.0) == {"a": None}
    assert rates.update({"a": 13}, 10.0) == {"a": 2.0}


def test_slow_broker_has_steady_rates() -> None:
    """A broker that tells every 10 s shows one rate, not zero and the double in turn (P24)."""
    rates = CounterRates()
    seen = []
    for now in range(0, 45, 5):
        told = now - now % 10
        ages = {"a": float(now - told), "uptime": float(now - told)}
        seen.append(rates.update({"a": told * 7}, float(now), ages)["a"])
    assert seen == [None, None, *[7.0] * 7]


def test_unchanged_counter_has_rate_zero() -> None:
    """A broker that does not repeat an unchanged value shows by its uptime that the rate is 0."""
    rates = CounterRates()
    rates.update({"a": 70}, 0.0, {"a": 0.0, "uptime": 0.0})
    assert rates.update({"a": 140}, 10.0, {"a": 0.0, "uptime": 0.0})["a"] == 7.0
    assert rates.update({"a": 140}, 20.0, {"a": 10.0, "uptime": 0.0})["a"] == 0.0
