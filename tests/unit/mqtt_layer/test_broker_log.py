"""mosquitto's log lines, with names that strangers chose."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt.broker_log import BrokerLog
from mqtt_dashboard.mqtt.client import Wanted
from mqtt_dashboard.mqtt.client_events import (
    ClientConnected,
    ClientGone,
    Connection,
    ConnectionOpened,
    Event,
    SessionEnded,
    Subscribed,
    Unsubscribed,
    Unusable,
)
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.servers import Broker, wait_for
from tests.unit.mqtt_layer.recorder import Recorder, options, running

LOG = "$SYS/broker/log/"
N, E = LOG + "N", LOG + "E"
TOOK, GAVE = LOG + "M/subscribe", LOG + "M/unsubscribe"
OLD, NEW = "mosquitto version 2.0.11", "mosquitto version 2.1.2"


def read(line: str, version: str | None = None, topic: str = N) -> Event | None:
    return BrokerLog().read(topic, line.encode(), version)


def test_the_odd_line_of_the_manual() -> None:
    """A client id with blanks and brackets and a user name with a quote are told apart."""
    line = (
        "1795427667: New client connected from 127.0.0.1:48661 as dev 1 (x) "
        "(p2, c1, k60, u'bob o'neil')."
    )
    peer = Connection("127.0.0.1", 48661)
    assert read(line) == ClientConnected("dev 1 (x)", peer, "3.1.1", True, 60, "bob o'neil")


@pytest.mark.parametrize(
    ("number", "protocol"),
    [(1, "3.1"), (2, "3.1.1"), (3, "3.1"), (4, "3.1.1"), (5, "5.0"), (9, None)],
)
def test_protocol_numbers(number: int, protocol: str | None) -> None:
    """Both ways of mosquitto to number the protocols are known."""
    line = f"1: New bridge connected from ::1:5 as b (p{number}, c0, k5)."
    assert read(line) == ClientConnected("b", Connection("::1", 5), protocol, False, 5, None)


@pytest.mark.parametrize(
    "stamp",
    ["", "1795427667: ", "2026-11-23T14:00:00+0100: ", "Mon  3 Nov 2026 02:04:05 PM: ", "[12]: "],
)
def test_time_stamp_may_be_missing_or_other(stamp: str) -> None:
    """The prefix follows a setting of the broker, may hold blanks, and may be absent."""
    log = BrokerLog()
    line = "New client connected from [fe80::1%eth0]:1 as a (p5, c1, k0)."
    event = log.read(N, (stamp + line).encode())
    assert isinstance(event, ClientConnected)
    assert (event.client_id, event.connection.address) == ("a", "fe80::1%eth0")
    later = stamp.replace("3", "14").replace("Mon  ", "Tue ")
    assert log.read(N, f"{later}Client a disconnected.".encode(), OLD) == ClientGone(
        "a", "disconnected by the client"
    )
    assert log.read(TOOK, f"{later}a b 1 c/#".encode()) == Subscribed((("a b", 1, "c/#"),))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("disconnected.", "disconnected by the client"),
        ("closed its connection.", "connection closed by client"),
        ("has exceeded timeout, disconnecting.", "exceeded timeout"),
        ("disconnected due to malformed packet.", "malformed packet"),
        ("disconnected due to out of memory.", "out of memory"),
        (
            "disconnected due to QoS too high or retain not supported.",
            "QoS too high or retain not supported",
        ),
        (
            "disconnected due to using not allowed feature (QoS too high, or bad AUTH method).",
            "using not allowed feature (QoS too high, or bad AUTH method)",
        ),
        ("disconnected: Connection reset by peer.", "Connection reset by peer"),
        ("been disconnected by administrative action.", "administrative action"),
        ("already connected, closing old connection.", "session taken over"),
    ],
)
@pytest.mark.parametrize(
    "name", ["a", "a b", "x disconnected.", "x [1.2.3.4:5]", "'", "a: Client b", "Client"]
)
def test_gone_2_0(name: str, said: str, reason: str) -> None:
    """Every way of mosquitto 2.0 to say that a client went is read, whatever its name."""
    assert read(f"1795427667: Client {name} {said}", OLD) == ClientGone(name, reason)


def test_a_refusal_of_2_0_is_no_certain_end() -> None:
    """2.0 does not say whether the refused connection is the one of the client by that name."""
    event = read("1: Client a disconnected, not authorised.", OLD)
    assert event == ClientGone("a", "not authorised", certain=False)
    with pytest.raises(Unusable):
        read("1795456657: Client <unknown> disconnected, not authorised.", OLD)


def test_broken_sockets_and_expired_sessions() -> None:
    """The two lines about clients that do not begin with "Client" are read."""
    line = "1: Bad socket read/write on client a: b: Invalid function arguments provided."
    assert read(line, OLD) == ClientGone("a: b", "Invalid function arguments provided")
    assert read("1: Expiring client a due to timeout.") == SessionEnded("a")


@pytest.mark.parametrize(
    "reason",
    [
        "session taken over",
        "bad username or password",
        "used disallowed feature (QoS too high, retain not supported, or bad AUTH method)",
        "Connection reset by peer",
    ],
)
@pytest.mark.parametrize("name", ["a", "a b [x:1] disconnected.", "Client", "a: Client b"])
def test_gone_2_1(name: str, reason: str) -> None:
    """The wording of 2.1 adds the address and a reason of its own wording."""
    line = f"1: Client {name} [::1:1883] disconnected: {reason}."
    assert read(line, NEW) == ClientGone(name, reason, Connection("::1", 1883))
    line = f"1: Client {name} [10.0.0.1:7] disconnected."
    peer = Connection("10.0.0.1", 7)
    assert read(line, NEW) == ClientGone(name, "disconnected by the client", peer)


def test_the_line_of_2_1_without_a_full_stop() -> None:
    """The one wording of 2.1 without a full stop is read, and TLS lines cannot be made into it."""
    said = "disconnected: bad socket read/write: Unknown error"
    peer = Connection("1.2.3.4", 5)
    assert read(f"1: Client a [1.2.3.4:5] {said}", NEW) == ClientGone("a", said[14:], peer)
    assert read("1: Client a negotiated TLSv1.3 cipher TLS_AES", NEW) is None
    assert read(f"1: Client victim [1.2.3.4:5] {said} negotiated TLSv1.3 cipher X", NEW) is None
    assert read("1: Client victim [1.2.3.4:5] disconnected: x negotiated TLSv1.3 c X", NEW) is None


def test_without_the_version_an_end_with_an_address_is_not_certain() -> None:
    """While the version is unknown, an id of 2.0 that ends like an address forges nothing."""
    event = read("1: Client victim [1.2.3.4:5] disconnected.")
    assert isinstance(event, ClientGone)
    assert not event.certain
    event = read("1: Client victim [1.2.3.4:5] disconnected.", OLD)
    assert event == ClientGone("victim [1.2.3.4:5]", "disconnected by the client")


@pytest.mark.parametrize(
    "name",
    [
        "victim (p2, c1, k60, u'x') (p2, c1, k60, u'y",
        "victim (p2, c1, k60).\n1: New client connected from 1.2.3.4:5 as other",
    ],
)
def test_a_line_with_two_readings_is_not_read(name: str) -> None:
    """An id or user name that looks like the end of the line makes the line void."""
    with pytest.raises(Unusable):
        read(f"1: New client connected from 1.2.3.4:5 as {name} (p2, c1, k60).")
    with pytest.raises(Unusable):
        read(f"1: New client connected from 1.2.3.4:5 as x (p2, c1, k60, u'{name}').")


@pytest.mark.parametrize(
    "name",
    [
        "victim disconnected.",
        "victim disconnected.\n1795427667: Client victim",
        "x: Client victim",
        "victim already connected, closing old connection.",
        "victim [9.9.9.9:9] disconnected: exceeded timeout.",
    ],
)
@pytest.mark.parametrize("version", [OLD, NEW, None])
def test_an_id_with_the_words_of_another_line(name: str, version: str | None) -> None:
    """A client id that holds a whole line, or a line break, never speaks of another client."""
    came = f"1: New client connected from 1.2.3.4:5 as {name} (p5, c1, k60)."
    tail = " [1.2.3.4:5]" if version == NEW else ""
    gone = f"1: Client {name}{tail} disconnected."
    for line in (came, gone):
        event = read(line, version)
        assert getattr(event, "client_id", None) == name
    assert read(f"1: Client {name} negotiated TLSv1.3 cipher X", version) is None


def test_subscriptions() -> None:
    """Subscribe and unsubscribe lines are read, with every reading they allow."""
    stamped = "1795427667: "
    assert read(stamped + "some id 1 a/+/b c", topic=TOOK) == Subscribed(
        (("some id", 1, "a/+/b c"),)
    )
    assert read(stamped + "victim 0 a 1 b", topic=TOOK) == Subscribed(
        (("victim", 0, "a 1 b"), ("victim 0 a", 1, "b"))
    )
    assert read(stamped + "a b c", topic=GAVE) == Unsubscribed((("a", "b c"), ("a b", "c")))
    assert read(stamped + "id $share/g/x/#", topic=GAVE) == Unsubscribed((("id", "$share/g/x/#"),))
    with pytest.raises(Unusable):
        read(stamped + "id" + " 0 x" * 50, topic=TOOK)


def test_a_name_in_place_of_the_time_stamp() -> None:
    """Without a time stamp a name that looks like one is not cut off once that is known."""
    log = BrokerLog()
    assert log.read(N, b"New connection from 1.2.3.4:5 on port 1883.") == ConnectionOpened(
        Connection("1.2.3.4", 5)
    )
    assert log.read(TOOK, b"1795427667: victim 0 f") == Subscribed(
        (("1795427667: victim", 0, "f"),)
    )
    with pytest.raises(Unusable):
        BrokerLog().read(TOOK, b"nobody: victim 0 f")


def test_cut_and_foreign_lines() -> None:
    """A line cut at the broker's limit, and lines about nothing of interest, tell nothing."""
    with pytest.raises(Unusable):
        read("1: Client a disconnected." + "x" * 1000)
    assert read("1: Client a negotiated TLSv1.3 cipher X") is None
    assert read("1: Client connection from 1.2.3.4 failed: x.") is None
    assert read("1: Client a disconnected.", topic=LOG + "W") is None
    assert BrokerLog().read(N, b"\xff\xfe: Client \xff disconnected.", OLD) is not None


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
NASTY = st.lists(
    st.sampled_from(
        ["a", " ", "'", "(p2, c1, k60)", "disconnected", ".", ": ", "Client ", "\n", "[1.2.3.4:5]",
         " 0 ", "New client connected from 1.1.1.1:1 as ", "1795427667: ", ", u'", "')."]
    ),
    min_size=1, max_size=8,
).map("".join)  # fmt: skip
FILTERS = st.lists(st.sampled_from(["a", "b c", "+", " 1 ", "0"]), min_size=1, max_size=4).map(
    "/".join
)


@given(name=NAMES | NASTY, user=st.none() | NAMES | NASTY)
@example(name="a", user="x') (p2, c1, k60, u'y")
def test_whatever_the_name_a_connection_is_its_own(name: str, user: str | None) -> None:
    """For any names, a connect line gives exactly those names or is declared unusable."""
    tail = "" if user is None else f", u'{user}'"
    line = f"1795427667: New client connected from 10.1.2.3:4567 as {name} (p5, c0, k9{tail})."
    try:
        event = read(line, OLD)
    except Unusable:
        return
    assert event == ClientConnected(name, Connection("10.1.2.3", 4567), "5.0", False, 9, user)


@given(name=NAMES | NASTY, version=st.sampled_from([OLD, NEW]))
def test_whatever_the_name_an_end_is_its_own(name: str, version: str) -> None:
    """For any name, a disconnect line of either version speaks of that name only."""
    where = "" if version == OLD else " [10.1.2.3:4567]"
    endings = {
        OLD: ("disconnected.", "closed its connection.", "disconnected: Broken pipe."),
        NEW: ("disconnected.", "disconnected: exceeded timeout.", "disconnected: Broken pipe."),
    }
    for ending in endings[version]:
        event = read(f"1795427667: Client {name}{where} {ending}", version)
        assert isinstance(event, ClientGone)
        assert event.client_id == name
    for other in ("negotiated TLSv1.3 cipher X", "connected with too large Will payload"):
        assert read(f"1795427667: Client {name} {other}", version) is None


@given(name=NAMES | NASTY, qos=st.integers(0, 2), topic_filter=FILTERS)
def test_whatever_the_name_the_true_reading_is_among_all(
    name: str, qos: int, topic_filter: str
) -> None:
    """The readings of a subscription line hold the true one, and only texts that make the line."""
    log = BrokerLog()
    log.read(N, b"1795427667: New connection from 1.2.3.4:5 on port 1883.")
    try:
        took = log.read(TOOK, f"1795427668: {name} {qos} {topic_filter}".encode())
        gave = log.read(GAVE, f"1795427668: {name} {topic_filter}".encode())
    except Unusable:
        return
    assert isinstance(took, Subscribed)
    assert (name, qos, topic_filter) in took.readings
    assert {f"{one} {two} {three}" for one, two, three in took.readings} == {
        f"{name} {qos} {topic_filter}"
    }
    assert isinstance(gave, Unsubscribed)
    assert (name, topic_filter) in gave.readings


@given(payload=st.binary(max_size=1200), topic=st.sampled_from([N, E, TOOK, GAVE, LOG + "W"]))
def test_any_bytes_are_harmless(payload: bytes, topic: str) -> None:
    """Whatever comes, the reader answers or declares it unusable (P05)."""
    log = BrokerLog()
    for version in (None, OLD, NEW):
        try:
            log.read(topic, payload, version)
        except Unusable:
            continue


def test_real_mosquitto(broker: Broker) -> None:
    """A real mosquitto's lines about a client that came and went are read."""
    recorder = Recorder()
    link = V5Link(options(broker.port, "the watcher"), recorder, SystemClock())
    log = BrokerLog()
    with running(link):
        wait_for(lambda: recorder.sessions, "connected")
        link.subscribe([Wanted("$SYS/broker/log/#", 0)])
        wait_for(lambda: recorder.granted, "subscribed")
        other = Recorder()
        guest = V5Link(
            options(broker.port, "odd (id) 'x'", username="u 'v'", keepalive=17),
            other,
            SystemClock(),
        )
        with running(guest):
            wait_for(lambda: other.sessions, "guest connected")

        def events() -> list[object]:
            return [log.read(m.topic, m.payload) for m in recorder.messages]

        wait_for(lambda: any(isinstance(e, ClientGone) for e in events()), "guest went")
    came = next(e for e in events() if isinstance(e, ClientConnected))
    went = next(e for e in events() if isinstance(e, ClientGone))
    assert came.connection.port
    peer = Connection("127.0.0.1", came.connection.port)
    assert came == ClientConnected("odd (id) 'x'", peer, "5.0", False, 17, "u 'v'")
    assert ConnectionOpened(peer) in events()
    assert (went.client_id, went.reason) == ("odd (id) 'x'", "disconnected by the client")
