"""EMQX's REST API, read from a real HTTP server that behaves and misbehaves."""

from collections.abc import Iterator

import pytest

from mqtt_dashboard import config
from mqtt_dashboard.bridge import emqx_api
from mqtt_dashboard.bridge.client_poller import ClientPoller
from mqtt_dashboard.bridge.clients import Clients
from mqtt_dashboard.bridge.emqx_api import ApiError, EmqxApi
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config_bridge import BridgeSettings
from mqtt_dashboard.errors import ConfigError
from mqtt_dashboard.mqtt.client_events import ClientConnected, Connection
from tests.support.emqx_api import KEY, SECRET, EmqxServer, client, serving, subscription
from tests.support.servers import free_port


@pytest.fixture
def emqx() -> Iterator[EmqxServer]:
    """Run EMQX's API."""
    with serving() as server:
        yield server


def api(server: EmqxServer, secret: str = SECRET) -> EmqxApi:
    return EmqxApi(server.url, KEY, secret, SystemClock())


def go_on(_seconds: float) -> bool:
    return False


def test_clients_and_their_filters(emqx: EmqxServer) -> None:
    """Every field of a client is read, with its filters, over several pages."""
    emqx.clients = [
        client("a b", username="bob"),
        client("gone", connected=False),
        *(client(str(number)) for number in range(emqx_api.PAGE + 3)),
    ]
    emqx.subscriptions = [subscription("a b", "x/#", 1), subscription("a b", "$share/g/y", 2)]
    listing = api(emqx).listing(go_on)
    assert listing.whole
    assert len(listing.clients) == emqx_api.PAGE + 5
    first, second, third = listing.clients[:3]
    peer = Connection("192.0.2.7", 41883, 1687338072.123)
    assert first.event == ClientConnected("a b", peer, "5.0", True, 60, "bob")
    assert (first.connected, first.connected_at) == (True, 1687338072.123)
    assert first.filters == {"x/#": 1, "$share/g/y": 2}
    assert (second.connected, second.connected_at) == (False, None)
    assert (third.event.username, third.filters, third.complete) == (None, {}, True)
    assert [path.partition("?")[0] for path in emqx.requests] == [
        "/api/v5/clients",
        "/api/v5/clients",
        "/api/v5/subscriptions",
    ]


@pytest.mark.parametrize(
    ("mood", "hint"),
    [
        ("error", "HTTP status 500"),
        ("garbage", "cannot be read"),
        ("wrong", "cannot be read"),
        ("redirect", "redirected"),
        ("flood", "too long"),
    ],
)
def test_every_failure_is_a_hint(emqx: EmqxServer, mood: str, hint: str) -> None:
    """Whatever the server does, the reason is a sentence and no key goes astray."""
    emqx.mood = mood
    with pytest.raises(ApiError, match=hint):
        api(emqx).listing(go_on)
    assert emqx.stolen == []


def test_a_wrong_key_and_a_wrong_address(emqx: EmqxServer) -> None:
    """The two mistakes an operator makes are told apart."""
    with pytest.raises(ApiError, match="EMQX_API_SECRET"):
        api(emqx, "other").listing(go_on)
    nowhere = EmqxApi(f"http://127.0.0.1:{free_port()}", KEY, SECRET, SystemClock())
    with pytest.raises(ApiError, match="does not answer"):
        nowhere.listing(go_on)
    elsewhere = EmqxApi(emqx.url + "/other/", KEY, SECRET, SystemClock())
    with pytest.raises(ApiError, match="no /api/v5"):
        elsewhere.listing(go_on)


def test_a_hanging_server_is_given_up(emqx: EmqxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and says nothing costs one deadline."""
    monkeypatch.setattr(emqx_api, "REQUEST_S", 0.3)
    emqx.mood = "hang"
    with pytest.raises(ApiError, match="does not answer"):
        api(emqx).listing(go_on)


def test_more_clients_than_are_read(emqx: EmqxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is cut says so, so nobody in the rest is taken for gone."""
    monkeypatch.setattr(emqx_api, "MAX_CLIENTS", 700)
    emqx.clients = [client(str(number)) for number in range(1600)]
    listing = api(emqx).listing(go_on)
    assert (len(listing.clients), listing.whole) == (700, False)


def test_the_poller_keeps_the_problem_until_it_is_over(emqx: EmqxServer) -> None:
    """A failure is kept as a hint and cleared by the next success; without a session it rests."""
    emqx.clients = [client("a")]
    clients = Clients()
    connected = [False]
    poller = ClientPoller(api(emqx), clients, lambda: connected[0], SystemClock())
    poller.turn(go_on)
    assert emqx.requests == []
    connected[0] = True
    emqx.mood = "error"
    poller.turn(go_on)
    assert poller.problem == "EMQX's API answers with HTTP status 500"
    emqx.mood = ""
    poller.turn(go_on)
    document = clients.update(1, 0.0, 1)
    assert [one.client_id for one in document.clients] == ["a"]
    assert (document.source, document.hint) == ("EMQX's REST API", None)
    assert not poller.problem


@pytest.mark.parametrize("at", [10**400, -5, 1e300, "0001-01-01T00:00:00", "soon", "", None])
def test_a_time_that_is_none_is_unknown(emqx: EmqxServer, at: object) -> None:
    """A time out of all bounds is unknown, as are a port and a keep alive; the client is not."""
    emqx.clients = [client("a", connected_at=at, port=2**70, keepalive=-1)]
    (one,) = api(emqx).listing(go_on).clients
    assert (one.connected_at, one.event.connection.opened_at) == (None, None)
    assert (one.event.connection.port, one.event.keepalive) == (None, None)


def test_a_round_ends_when_the_bridge_stops(emqx: EmqxServer) -> None:
    """Between two requests the loop may end."""
    with pytest.raises(ApiError):
        api(emqx).listing(lambda _seconds: True)


@pytest.mark.parametrize(
    "values",
    [
        {"EMQX_API_URL": "http://127.0.0.1:18083"},
        {"EMQX_API_URL": "ftp://h", "EMQX_API_KEY": "k", "EMQX_API_SECRET": "s"},
        {"EMQX_API_URL": "http://u:p@h", "EMQX_API_KEY": "k", "EMQX_API_SECRET": "s"},
        {"MQTT_DYNSEC": "maybe"},
    ],
)
def test_settings_that_cannot_be(values: dict[str, str]) -> None:
    """Half a set of settings, and addresses that are none, are refused at the start."""
    with pytest.raises(ConfigError):
        config.load(BridgeSettings, values)
