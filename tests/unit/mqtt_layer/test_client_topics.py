"""Client events of EMQX, RMQTT, NanoMQ and mosquitto's plugin, in their documented forms."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_dashboard.mqtt.client_events import (
    TAKEN_OVER,
    ClientConnected,
    ClientGone,
    ClientRefused,
    ClientState,
    Connection,
    Event,
    Subscribed,
    Unsubscribed,
    Unusable,
)
from mqtt_dashboard.mqtt.client_topics import EMQX, LOG, NANOMQ, STATES, ClientTopics

EVENTS = "$SYS/brokers/emqx@10.0.0.1/clients/"
CONNECTED = {
    "username": "undefined",
    "ts": 1687338072000,
    "sockport": 1883,
    "protocol": "mqtt",
    "proto_ver": 5,
    "proto_name": "MQTT",
    "keepalive": 60,
    "ipaddress": "192.0.2.7",
    "expiry_interval": 0,
    "connected_at": 1687338072123,
    "clean_start": True,
}
NANO = (
    '{"username":"%s", "ts":1660285421750,"proto_name":"MQTT","keepalive":60,'
    '"return_code":"%s","proto_ver":4,"client_id":"%s","clean_start":1, "IPv4":"192.0.2.9"}'
)


def read(topic: str, payload: bytes | str | dict[str, object]) -> Event | None:
    if isinstance(payload, dict):
        payload = json.dumps(payload)
    told = ClientTopics().read(
        topic, payload.encode() if isinstance(payload, str) else payload, None
    )
    return told.event if told else None


def source(topic: str, payload: str) -> str | None:
    told = ClientTopics().read(topic, payload.encode(), None)
    return told.source if told else None


@pytest.mark.parametrize("name", ["dev1", "a/b/connected", "odd (x) \"'", "日本\n", "clients/x"])
def test_emqx_connected(name: str) -> None:
    """EMQX's event is read, with milliseconds, and a client id may hold slashes."""
    event = read(f"{EVENTS}{name}/connected", CONNECTED | {"clientid": name})
    opened = Connection("192.0.2.7", None, 1687338072.123)
    assert event == ClientConnected(name, opened, "5.0", True, 60, None)


def test_emqx_topic_and_content_must_agree() -> None:
    """An event filed under one client that names another tells nothing about either."""
    with pytest.raises(Unusable):
        read(f"{EVENTS}victim/connected", CONNECTED | {"clientid": "other"})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("normal", "disconnected by the client"),
        ("keepalive_timeout", "exceeded timeout"),
        ("takenover", TAKEN_OVER),
        ("discarded", TAKEN_OVER),
        ("kicked", "administrative action"),
        ("tcp_closed", "connection closed by client"),
        ("frame_too_large", "frame too large"),
    ],
)
def test_emqx_disconnected(said: str, reason: str) -> None:
    """EMQX's reasons become plain words; one that is new stays as it is."""
    payload = CONNECTED | {"clientid": "a", "reason": said, "disconnected_at": 1687338073000}
    opened = Connection("192.0.2.7", None, 1687338072.123)
    assert read(f"{EVENTS}a/disconnected", payload) == ClientGone("a", reason, opened)


def test_emqx_subscriptions() -> None:
    """EMQX's subscription events are read when they are switched on."""
    payload: dict[str, object] = {"clientid": "a b", "username": "u", "topic": "x/+/y z"}
    took = payload | {"subopts": {"qos": 1, "rh": 0, "nl": 0, "rap": 0}}
    assert read(f"{EVENTS}a b/subscribed", took) == Subscribed((("a b", 1, "x/+/y z"),))
    assert read(f"{EVENTS}a b/unsubscribed", payload) == Unsubscribed((("a b", "x/+/y z"),))


def test_rmqtt_connected() -> None:
    """RMQTT's event, which has a port and its own name for clean start, is read as well."""
    payload: dict[str, object] = {
        "node": 1,
        "ipaddress": "127.0.0.1:41883",
        "clientid": "r",
        "username": "foo",
        "keepalive": 60,
        "proto_ver": 4,
        "clean_session": True,
        "connected_at": 1687338072123,
    }
    peer = Connection("127.0.0.1", 41883, 1687338072.123)
    assert read("$SYS/brokers/1/clients/r/connected", payload) == ClientConnected(
        "r", peer, "3.1.1", True, 60, "foo"
    )


def test_nanomq() -> None:
    """NanoMQ's events are read: its own name for the id, refusals, and hexadecimal reasons."""
    connected, gone = "$SYS/brokers/connected", "$SYS/brokers/disconnected"
    peer = Connection("192.0.2.9")
    assert read(connected, NANO % ("bob", "0", "a b")) == ClientConnected(
        "a b", peer, "3.1.1", True, 60, "bob"
    )
    assert read(connected, NANO % ("(null)", "5", "a")) == ClientRefused(
        "a", "refused with reason code 0x5"
    )
    old = NANO.replace(', "IPv4":"192.0.2.9"', "")
    assert isinstance(read(connected, old % ("", "0", "a")), ClientConnected)
    line = '{"username":"bob","ts":1,"reason_code":"8d","client_id":"a","IPv4":"192.0.2.9"}'
    assert read(gone, line) == ClientGone("a", "exceeded timeout", peer)
    assert read(gone, line.replace("8d", "f1")) == ClientGone("a", "reason code 0xf1", peer)


@pytest.mark.parametrize(
    "name",
    [
        'x","client_id":"victim',
        'victim","foo":"bar',
        'victim","clean_start":1, "IPv4":"1.2.3.4"}',
        'a"',
        "\\",
        "\\ud800",
    ],
)
@pytest.mark.parametrize("where", ["client_id", "username"])
def test_nanomq_pastes_names_into_its_json(name: str, where: str) -> None:
    """A name that adds fields to NanoMQ's unescaped JSON makes the event void."""
    payload = NANO % (("u", "0", name) if where == "client_id" else (name, "0", "me"))
    with pytest.raises(Unusable):
        read("$SYS/brokers/connected", payload)


def test_connection_states() -> None:
    """Mosquitto's connection-state plugin is read; bridges and removals are not clients."""
    prefix = "$SYS/broker/connection/"
    assert read(f"{prefix}client/a/state/b/state", "1") == ClientState("a/state/b", True)
    assert read(f"{prefix}client/a/state", "0") == ClientState("a", False)
    assert read(f"{prefix}client/a/state", "") is None
    assert read(f"{prefix}other-broker/state", "1") is None
    with pytest.raises(Unusable):
        read(f"{prefix}client/a/state", "2")


def test_sources_are_told_apart() -> None:
    """Each event says where it is from; statistics are not about clients."""
    assert source("$SYS/broker/log/N", "1: Client a disconnected.") == LOG
    assert source("$SYS/broker/connection/client/a/state", "1") == STATES
    assert source(f"{EVENTS}a/connected", json.dumps({"clientid": "a"})) == EMQX
    assert source("$SYS/brokers/connected", NANO % ("", "0", "a")) == NANOMQ
    for topic in ("$SYS/broker/uptime", "$SYS/brokers", "$SYS/brokers/n/stats/x", "a/b", ""):
        assert source(topic, "1") is None


@given(
    topic=st.sampled_from(
        [f"{EVENTS}a/connected", f"{EVENTS}a/disconnected", f"{EVENTS}a/subscribed",
         "$SYS/brokers/connected", "$SYS/brokers/disconnected",
         "$SYS/broker/connection/client/a/state"]
    ),
    payload=st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["clientid", "client_id", "proto_ver", "topic", "subopts", "reason"]),
            inner,
        ),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode()),
)  # fmt: skip
def test_any_json_is_harmless(topic: str, payload: bytes) -> None:
    """Whatever comes, the reader answers or declares it unusable (P05)."""
    with contextlib.suppress(Unusable):
        read(topic, payload)


def test_deep_and_long_json_is_harmless() -> None:
    """Nesting without end, and half a megabyte, are refused."""
    for topic in (f"{EVENTS}a/connected", "$SYS/brokers/connected"):
        for payload in ("[" * 100_000, '{"clientid":"' + "a" * 500_000 + '"}', "9" * 10_000):
            with pytest.raises(Unusable):
                read(topic, payload)
