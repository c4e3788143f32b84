"""Which family a broker is of, and what it is said to offer."""

import pytest

from mqtt_dashboard.bridge import capabilities, families
from mqtt_dashboard.bridge.clients import Clients
from mqtt_dashboard.bridge.inbox import Inbox
from mqtt_dashboard.bridge.observer import Observer
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.contract.messages import GrantedFilter
from mqtt_dashboard.contract.offers import Capabilities
from mqtt_dashboard.mqtt.client import Incoming, Session

BROKER, NODE = "$SYS/broker/", "$SYS/brokers/emqx@h/"
RABBIT = Session("5.0", session_present=False, maximum_qos=1, shared_available=False)


class LateClock(SystemClock):
    """The real clock, some seconds ahead."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def now(self) -> float:
        return super().now() + self.ahead


class Watched:
    """An observer that was told messages, and what it makes of the broker."""

    def __init__(self, *messages: tuple[str, str], session: Session | None = None) -> None:
        self.clock = LateClock()
        index = TopicIndex(10, 10, 10_000)
        self.observer = Observer(Inbox(1 << 20), index, Clients(), self.clock)
        self.observer.new_session(session or Session("5.0", session_present=False))
        self.tell(*messages)

    def tell(self, *messages: tuple[str, str]) -> None:
        for topic, payload in messages:
            self.observer.system(Incoming(topic, payload.encode(), 0, False, False, None, 0))

    def offers(self, *granted: GrantedFilter) -> Capabilities:
        found = self.observer.capabilities(list(granted))
        assert found is not None
        return found


@pytest.mark.parametrize(
    ("messages", "label"),
    [
        ([(BROKER + "version", "mosquitto version 2.0.22")], "mosquitto 2.0"),
        ([(BROKER + "version", "mosquitto version 2.1.2")], "mosquitto 2.1"),
        ([(BROKER + "version", "mosquitto version 1.6.9")], "mosquitto"),
        ([(BROKER + "uptime", "5 seconds")], "mosquitto"),
        ([(NODE + "version", "5.8.6")], "EMQX"),
        ([(NODE + "clients/a/connected", '{"clientid":"a"}')], "EMQX"),
        ([("$SYS/brokers/1/clients/a/connected", '{"clientid":"a"}')], "RMQTT"),
        (
            [
                (
                    "$SYS/brokers/disconnected",
                    '{"username":"u","ts":1,"reason_code":"0","client_id":"a"}',
                )
            ],
            "NanoMQ",
        ),
        ([("$SYS/VerneMQ@h/mqtt/publish/received", "5")], "VerneMQ"),
        ([(BROKER + "version", "4.9.0"), (BROKER + "uptime", "5")], "HiveMQ"),
        ([(BROKER + "version", "HiveMQ 2024.3")], "HiveMQ"),
        ([(BROKER + "version", "aMQTT version 0.11")], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_family_is_recognised(messages: list[tuple[str, str]], label: str) -> None:
    """The version text and the form of the topics tell the family; nobody is guessed."""
    assert Watched(*messages).offers().broker == label


def test_rabbitmq_is_known_by_its_limits() -> None:
    """A broker with RabbitMQ's limits and no $SYS is taken for it, one with $SYS is not."""
    offers = Watched(session=RABBIT).offers()
    assert offers.broker == "RabbitMQ (by its limits)"
    assert offers.client_names is False
    assert "management API" in offers.hints["client_names"]
    assert Watched((BROKER + "uptime", "5"), session=RABBIT).offers().broker == "mosquitto"


def test_nothing_is_known_at_first_and_false_after_a_while() -> None:
    """A capability is null until the broker has shown it or has had time enough to."""
    watched = Watched()
    offers = watched.offers()
    assert {getattr(offers, name) for name in capabilities.NAMES} == {None, False}
    assert offers.kick is False
    watched.clock.ahead = capabilities.PATIENCE_S + 1
    late = watched.offers()
    assert (late.statistics, late.load_averages, late.retained_count) == (False, False, False)
    assert late.client_names is None
    assert "$SYS" in late.hints["statistics"]


def test_mosquitto_shows_what_it_has() -> None:
    """What came by topic is there; its hint is gone."""
    watched = Watched(
        (BROKER + "version", "mosquitto version 2.0.22"),
        (BROKER + "load/sockets/1min", "1.0"),
        (BROKER + "retained messages/count", "54"),
    )
    offers = watched.offers()
    assert (offers.statistics, offers.load_averages, offers.retained_count) == (True, True, True)
    assert (offers.client_names, offers.kick, offers.dynamic_security) == (None, False, None)
    assert "log_dest topic" in offers.hints["client_names"]
    assert "MQTT_DYNSEC=on" in offers.hints["dynamic_security"]
    log = BROKER + "log/"
    watched.tell(
        (log + "N", "1795427667: New connection from 1.2.3.4:5 on port 1883."),
        (log + "N", "1795427667: New client connected from 1.2.3.4:5 as a (p2, c1, k60)."),
    )
    offers = watched.offers()
    assert (offers.client_names, offers.client_addresses) == (True, True)
    assert (offers.client_subscriptions, offers.disconnect_reasons) == (None, None)
    assert "log_type subscribe" in offers.hints["client_subscriptions"]
    watched.tell(
        (log + "M/subscribe", "1795427667: a 0 b/#"),
        (log + "N", "1795427667: Client a closed its connection."),
    )
    offers = watched.offers()
    assert (offers.client_subscriptions, offers.disconnect_reasons) == (True, True)
    assert set(offers.hints) == {"kick", "dynamic_security"}


def test_nobody_is_told_to_set_what_may_be_set_already() -> None:
    """Where nothing was seen yet the hint says that, and what to set only if it stays so."""
    watched = Watched((BROKER + "version", "mosquitto version 2.0.22"))
    hints = watched.offers().hints
    for name in ("client_names", "client_addresses", "client_subscriptions", "disconnect_reasons"):
        assert hints[name].startswith("nothing was seen yet; if that stays so: "), name
    told = watched.observer.client_list(1).hint
    assert told is not None
    assert told.startswith("nothing was seen yet; if that stays so: ")
    # The bridge's own SUBSCRIBE in the log: log topics are there, but nobody has come or gone.
    watched.tell((BROKER + "log/M/subscribe", "1795427667: bridge 0 b/#"))
    offers = watched.offers()
    assert (offers.client_names, offers.client_addresses) == (True, None)
    assert "connected since" in offers.hints["client_addresses"]
    assert "left since" in offers.hints["disconnect_reasons"]
    assert not [text for text in offers.hints.values() if "log_dest" in text]
    told = watched.observer.client_list(1).hint
    assert told == "clients that connected before the bridge stay unknown until they connect again"


def test_who_must_set_something_is_told_what() -> None:
    """When clients come and nothing names them, the hint is what to set, without conditions."""
    watched = Watched(
        (BROKER + "version", "mosquitto version 2.0.22"), (BROKER + "clients/connected", "1")
    )
    watched.clock.ahead = 40.0
    watched.offers()
    watched.tell((BROKER + "clients/connected", "2"))
    assert watched.offers().hints["client_names"].startswith("mosquitto names its clients only in")
    assert str(watched.observer.client_list(1).hint).startswith("mosquitto names its clients only")


def test_a_mosquitto_without_log_topics_is_found_out() -> None:
    """When the count of clients grows and no name comes, names are known to be missing."""
    watched = Watched((BROKER + "clients/connected", "1"))
    watched.clock.ahead = 40.0
    assert watched.offers().client_names is None
    watched.tell((BROKER + "clients/connected", "2"))
    assert watched.offers().client_names is False


def test_a_refused_filter_is_the_hint() -> None:
    """When the broker refuses $SYS the reason it gave is the hint."""
    refused = GrantedFilter(filter="$SYS/#", qos=0, granted=None, error="not authorized")
    offers = Watched().offers(refused)
    assert offers.statistics is False
    assert offers.hints["statistics"] == "the broker refuses $SYS/#: not authorized"


@pytest.mark.parametrize("family", families.ALL, ids=lambda family: str(family.key))
def test_every_missing_capability_has_a_hint(family: families.Family) -> None:
    """Whatever a family never has, and names of clients in any case, come with a hint."""
    shown = capabilities.Shown(frozenset(), frozenset(), 1000.0)
    offers = capabilities.judge(family, shown)
    for name in family.never:
        assert getattr(offers, name) is False
        assert offers.hints[name]
    assert offers.hints["client_names"]
    assert offers.hints["statistics"]
    assert set(offers.hints) <= set(capabilities.NAMES)


def test_client_ids_do_not_fill_the_memory() -> None:
    """Topics with client ids in them are not kept by the reader of statistics."""
    watched = Watched()
    for number in range(1000):
        watched.tell((f"{NODE}gateway/stomp/clients/{number}/connected", "{}"))
    assert watched.observer._sys._topics == {}


def test_no_session_no_capabilities() -> None:
    """Before the first session nothing is said about the broker."""
    observer = Observer(Inbox(1 << 20), TopicIndex(10, 10, 10_000), Clients(), SystemClock())
    assert observer.capabilities([]) is None
