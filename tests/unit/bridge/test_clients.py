"""The table of clients: what events change, and what names cannot."""

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_dashboard.bridge import client_table
from mqtt_dashboard.bridge.client_record import MAX_FILTERS
from mqtt_dashboard.bridge.clients import (
    CLIENT_BYTES,
    FILTER_BYTES,
    MAX_SHOWN,
    Clients,
    ListedClient,
)
from mqtt_dashboard.contract.messages import ClientInfo, ClientsUpdate
from mqtt_dashboard.mqtt.client_events import ClientConnected, Connection

OLD, NEW = "mosquitto version 2.0.11", "mosquitto version 2.1.2"


class Told(Clients):
    """Clients that are told log lines; ``now`` grows by one with each."""

    version = OLD

    def __init__(self, own: ClientConnected | None = None) -> None:
        super().__init__(own)
        self.now = 0.0
        self.begin("5.0", self.now)
        self.log("New connection from 9.9.9.9:9 on port 1883.")

    def log(self, *lines: str, kind: str = "N") -> "Told":
        for line in lines:
            self.now += 1
            payload = f"1795427667: {line}".encode()
            self.feed(f"$SYS/broker/log/{kind}", payload, self.version, self.now)
        return self

    def came(self, name: str, port: int = 1, *, clean: int = 1, user: str = "") -> "Told":
        tail = f", u'{user}'" if user else ""
        return self.log(
            f"New connection from 1.2.3.4:{port} on port 1883.",
            f"New client connected from 1.2.3.4:{port} as {name} (p5, c{clean}, k60{tail}).",
        )

    def document(self, connected: int | None = None) -> ClientsUpdate:
        return self.update(connected, self.now, 1, "a hint")

    def one(self, name: str) -> ClientInfo:
        return next(one for one in self.document().clients if one.client_id == name)

    def held(self, name: str) -> dict[str, int] | None:
        filters = self.one(name).subscriptions
        return None if filters is None else {one.filter: one.qos for one in filters}


def test_a_life() -> None:
    """A client comes, subscribes, goes and comes again; every field follows."""
    told = Told().came("a b", user="bob o'neil")
    one = told.one("a b")
    assert (one.connected, one.address, one.port, one.protocol) == (True, "1.2.3.4", 1, "5.0")
    assert (one.clean_start, one.keepalive_s, one.username) == (True, 60, "bob o'neil")
    assert (one.since, one.first_seen, one.last_seen) == (3.0, 3.0, 3.0)
    assert one.subscriptions is None
    told.log("a b 1 x/#", "a b 0 y", kind="M/subscribe")
    assert told.held("a b") == {"x/#": 1, "y": 0}
    assert told.one("a b").subscriptions_complete
    told.log("a b x/#", kind="M/unsubscribe")
    assert told.held("a b") == {"y": 0}
    assert not told.one("a b").subscriptions_complete  # "a" could have given up "b x/#"
    told.log("Client a b has exceeded timeout, disconnecting.")
    one = told.one("a b")
    assert (one.connected, one.last_reason, one.since) == (False, "exceeded timeout", 7.0)
    one = told.came("a b", 2).one("a b")
    assert (one.connected, one.connects, one.first_seen, one.port) == (True, 2, 3.0, 2)
    assert told.held("a b") == {}
    assert one.last_reason == "exceeded timeout"


def test_n_of_m() -> None:
    """The document tells how many are known of how many, and hints only when some are not."""
    told = Told().came("a").came("b").log("Client b disconnected.")
    assert told.document(3).known == 1
    assert told.document(3).hint == "a hint"
    assert told.document(None).hint == "a hint"
    assert told.document(1).hint is None
    assert [one.client_id for one in told.document().clients] == ["a", "b"]


def test_the_bridge_knows_itself() -> None:
    """The bridge's own connection is listed, and no line of the broker can end it."""
    told = Told(ClientConnected("me", keepalive=30, username="u"))
    told.log(
        "Client me already connected, closing old connection.",
        "New client connected from 1.2.3.4:5 as me (p5, c0, k30, u'u').",
        "Client me disconnected.",
    )
    me = told.one("me")
    assert (me.connected, me.connects, me.protocol, me.port) == (True, 1, "5.0", 5)
    assert told.document(1).known == 1


def test_take_over_2_0() -> None:
    """A client whose id is taken over stays connected, with the new connection."""
    told = Told().came("a", 1)
    told.log("Client a already connected, closing old connection.", kind="E")
    assert told.one("a").connected
    one = told.came("a", 2).one("a")
    assert (one.connected, one.port, one.connects) == (True, 2, 2)
    assert one.last_reason == "session taken over"


def test_take_over_2_1() -> None:
    """An end that names another connection of the same client does not end the present one."""
    told = Told()
    told.version = NEW
    told.came("a", 1).came("a", 2)
    told.log("Client a [1.2.3.4:1] disconnected: session taken over.")
    assert told.one("a").connected
    told.log("Client a [1.2.3.4:2] disconnected: exceeded timeout.")
    assert told.one("a").connected is False


def test_a_refused_stranger_is_not_the_client_it_claims_to_be() -> None:
    """Whoever fails to connect under a client's id does not end that client (2.0 and 2.1)."""
    told = Told()
    told.version = NEW
    told.came("victim", 1)
    told.log(
        "New connection from 6.6.6.6:6 on port 1883.",
        "Client victim [6.6.6.6:6] disconnected: bad username or password.",
    )
    one = told.one("victim")
    assert (one.connected, one.refused, one.last_reason) == (True, 1, None)
    told.log(
        "New connection from 6.6.6.6:7 on port 1883.",
        "Client nobody [6.6.6.6:7] disconnected: bad username or password.",
    )
    one = told.one("nobody")
    assert (one.connected, one.refused, one.connects) == (None, 1, 0)
    assert one.last_reason == "bad username or password"
    old = Told().came("victim")
    old.log("Client victim disconnected, not authorised.")
    assert old.one("victim").connected is None  # 2.0 does not say who it was


@pytest.mark.parametrize(
    "name",
    [
        "victim disconnected.",
        "victim closed its connection.\n1795427667: Client victim",
        "victim [1.2.3.4:1] disconnected: exceeded timeout.",
        "x: Client victim",
        "victim 0 secret/#",
        "victim (p5, c1, k60).",
        "victim (p5, c1, k60, u'x",
        "<b>victim</b>",
        "victim\x00",
        "victim" + "x" * 2000,
    ],
)
@pytest.mark.parametrize("version", [OLD, NEW])
def test_no_name_changes_another_client(name: str, version: str) -> None:
    """A whole life of a client with a forged id leaves its victim as it was."""
    told = Told()
    told.version = version
    told.came("victim", 1).log("victim 1 mine/#", kind="M/subscribe")
    before = told.one("victim")
    tail = "" if version == OLD else " [1.2.3.4:2]"
    told.came(name[:900], 2)
    told.log(f"{name} 2 their/#"[:970], kind="M/subscribe")
    told.log(f"{name} mine/#"[:970], kind="M/unsubscribe")
    told.log(f"Client {name}{tail} disconnected."[:970])
    after = told.one("victim")
    quiet = {"subscriptions_complete": False, "last_seen": 0.0}
    assert msgspec.structs.replace(after, **quiet) == msgspec.structs.replace(before, **quiet)


def test_lines_with_two_readings_are_counted() -> None:
    """A subscription line that fits two clients changes neither and shows both as incomplete."""
    told = Told().came("victim").came("victim 0 a")
    told.log("victim 0 a 1 b", kind="M/subscribe")
    assert told.held("victim") == told.held("victim 0 a") == {}
    assert not told.one("victim").subscriptions_complete
    assert told.document().left_out == {"subscription line with several meanings": 1}


def test_an_unsubscribe_line_goes_to_the_only_one_who_can_mean_it() -> None:
    """A filter with a blank is given up when only one known client can be meant."""
    told = Told().came("a").log("a 1 b c", kind="M/subscribe")
    assert told.held("a") == {"b c": 1}
    told.log("a b c", kind="M/unsubscribe")
    assert told.held("a") == {}
    assert not told.one("a").subscriptions_complete


def test_a_session_that_goes_on_is_not_complete() -> None:
    """A client that resumes a session from before the bridge may hold more than was seen."""
    told = Told().came("a", clean=0).log("a 1 x", kind="M/subscribe")
    assert told.held("a") == {"x": 1}
    assert not told.one("a").subscriptions_complete
    told.log("Client a disconnected.", "Expiring client a due to timeout.")
    assert told.held("a") == {}


def test_a_lost_link_leaves_doubt() -> None:
    """After a reconnect nobody is known to be connected, but what was seen is remembered."""
    told = Told().came("a").came("b").log("Client b disconnected.")
    told.begin("5.0", told.now)
    assert told.one("a").connected is None
    assert (told.one("a").connects, told.one("b").connected) == (1, False)
    assert told.document(2).known == 0
    assert told.came("a", 3).one("a").connects == 2


def test_filters_are_bounded() -> None:
    """A client holds at most 100 listed filters, the others are counted, long ones too."""
    told = Told().came("a")
    told.log(*(f"a 0 f/{number}" for number in range(MAX_FILTERS + 5)), kind="M/subscribe")
    one = told.one("a")
    assert (len(one.subscriptions or []), one.subscriptions_left_out) == (MAX_FILTERS, 5)
    assert not one.subscriptions_complete
    told.log("a f/103", "a f/1", kind="M/unsubscribe")
    one = told.one("a")
    assert (len(one.subscriptions or []), one.subscriptions_left_out) == (MAX_FILTERS - 1, 4)


def test_the_table_is_bounded() -> None:
    """Strangers who are refused or gone go first, and everyone forgotten is counted."""
    told = Told()
    told.version = NEW
    for number in range(50):
        told.came(f"here {number}", number + 1)
    for number in range(client_table.MAX_CLIENTS):
        port = number % 60000 + 1000
        told.log(f"New connection from 6.6.6.6:{port} on port 1883.")
        told.log(f"Client bad {number} [6.6.6.6:{port}] disconnected: not authorised.")
    document = told.document(50)
    assert document.known == 50
    assert [one.connected for one in document.clients[:51]] == [True] * 50 + [None]
    assert len(document.clients) + document.truncated == client_table.MAX_CLIENTS
    assert document.left_out == {"client forgotten for want of room": 50}


def test_the_bytes_are_bounded() -> None:
    """Ids and filters as long as allowed neither fill the memory nor burst the document."""
    told = Told()
    topic = "$SYS/brokers/n@h/clients/{}/{}"
    draw = random.Random(1)
    for number in range(400):
        name = f"{number} " + "\x01" * 1000
        for what in ("connected", *["subscribed"] * 60):
            event: dict[str, Any] = {"clientid": name}
            if what == "subscribed":
                event["topic"] = f"{draw.random()}/" + "x" * 1000
            told.feed(topic.format(name, what), json.dumps(event).encode(), None, 1.0)
    document = told.document(400)
    assert told._table.text <= client_table.MAX_TEXT + 2048
    assert len(msgspec.json.encode(document)) < CLIENT_BYTES + FILTER_BYTES + 10_000
    assert document.truncated == len(told._table) - len(document.clients) > 0
    assert len(document.clients) > 50
    long = "x" * 70_000
    told.feed(topic.format(long, "connected"), json.dumps({"clientid": long}).encode(), None, 1.0)
    assert told.document().left_out["client id longer than 1,024 characters"] == 1


def listed(name: str, *, connected: bool = True, filters: dict[str, int] | None = None) -> Any:
    event = ClientConnected(name, Connection("1.1.1.1", 5), "5.0", True, 60, "u")
    return ListedClient(event, connected, 0.5 if connected else None, filters, complete=True)


def test_the_brokers_own_list() -> None:
    """A list from the broker names everyone; who is missing in a whole list has gone."""
    told = Told().came("a").came("b")
    told.take_list("api", [listed("a", filters={"x": 1}), listed("c")], whole=True, now=50.0)
    assert (told.one("a").connected, told.one("a").since) == (True, 0.5)
    assert told.held("a") == {"x": 1}
    assert told.one("a").subscriptions_complete
    assert told.one("b").last_reason == "no longer in the broker's list"
    assert told.one("c").username == "u"
    document = told.document(2)
    assert (document.known, document.hint) == (2, None)
    assert document.source == "api and mosquitto's log topics"


def test_an_event_is_newer_than_a_list_that_began_before_it() -> None:
    """Who came or went while the list was being read is not put back."""
    told = Told().came("a")
    told.take_list("api", [listed("a", connected=False)], whole=True, now=1.0)
    assert told.one("a").connected
    told.take_list("api", [], whole=True, now=1.0)
    assert told.one("a").connected
    told.take_list("api", [], whole=False, now=99.0)
    assert told.one("a").connected


def test_many_clients_are_cut_and_counted() -> None:
    """The document holds the first thousand and tells how many it leaves out."""
    told = Told()
    told.take_list("api", [listed(str(number)) for number in range(1500)], whole=True, now=1.0)
    document = told.document(1500)
    assert len(document.clients) == MAX_SHOWN
    assert (document.truncated, document.known) == (500, 1500)


def test_silence_is_noticed() -> None:
    """When the broker counts more clients and names none, its names are missing."""
    told = Told()
    assert not told.silent(1, 10.0)
    assert not told.silent(2, 40.0)
    assert not told.silent(2, 50.0)
    assert told.silent(3, 60.0)
    told.now = 70.0
    told.came("a")
    assert not told.silent(3, 75.0)


class Naive:
    """The same by brute force, for clients with plain names."""

    def __init__(self) -> None:
        self.state: dict[str, bool] = {}
        self.filters: dict[str, dict[str, int]] = {}

    def take(self, what: str, name: str, topic: str, qos: int) -> None:
        if what == "came":
            self.state[name], self.filters[name] = True, {}
        elif what == "went":
            self.state[name] = False
        elif self.state.get(name):
            mine = self.filters.setdefault(name, {})
            if what == "took":
                mine[topic] = qos
            else:
                mine.pop(topic, None)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["came", "went", "took", "gave"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["x", "y/#", "z/+"]),
        st.integers(0, 2),
    ),
    max_size=40,
)


@given(STEPS)
def test_against_a_naive_table(steps: list[tuple[str, str, str, int]]) -> None:
    """For any order of events the table says what a simple one says."""
    told, naive = Told(), Naive()
    for what, name, topic, qos in steps:
        if what in {"took", "gave"} and not naive.state.get(name):
            continue  # only a connected client can
        naive.take(what, name, topic, qos)
        if what == "came":
            told.came(name)
        elif what == "went":
            told.log(f"Client {name} disconnected.")
        elif what == "took":
            told.log(f"{name} {qos} {topic}", kind="M/subscribe")
        else:
            told.log(f"{name} {topic}", kind="M/unsubscribe")
    for name, connected in naive.state.items():
        assert told.one(name).connected is connected
        assert (told.held(name) or {}) == naive.filters.get(name, {})
