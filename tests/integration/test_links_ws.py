"""Both links over websockets, against mosquitto's own: ws and wss, lost and back.

Debian's mosquitto 2.0.11 stalls when it sends a frame of more than about 100 kB, whoever reads;
what is larger is tested with the fake broker.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.mqtt.client import LinkOptions, Outcome, Outgoing, Wanted
from mqtt_dashboard.mqtt.threaded_link import ThreadedLink
from tests.support.certificates import make_keys
from tests.support.connected import Connected
from tests.support.servers import Broker, RedisServer, free_port, port_open, wait_for
from tests.support.servers import running as running_servers
from tests.support.services import BridgeProcess, Device
from tests.unit.mqtt_layer.recorder import Receipts, Recorder, options, running


class WebsocketBroker(Broker):
    """A mosquitto with a websocket listener beside the plain one, which 2.0.11 insists on."""

    def __init__(self, folder: Path, *, extra: str = "") -> None:
        self.ws_port = free_port()
        lines = f"listener {self.ws_port} 127.0.0.1\nprotocol websockets\nsocket_domain ipv4"
        super().__init__(folder, extra=f"{lines}\n{extra}")

    def start(self) -> "WebsocketBroker":
        super().start()
        wait_for(lambda: port_open(self.ws_port), f"the websocket listens\n{self.output()}")
        return self


@pytest.fixture
def ws_broker(tmp_path: Path) -> Iterator[WebsocketBroker]:
    """Run a mosquitto with websockets."""
    broker = WebsocketBroker(tmp_path, extra="message_size_limit 0")
    with running_servers(broker):
        yield broker


def over_ws(port: int, client_id: str = "ws", **changes: object) -> LinkOptions:
    """Options for a websocket on loopback."""
    return options(port, client_id, transport="websockets", **changes)


@pytest.fixture
def one(kind: type[ThreadedLink], ws_broker: WebsocketBroker) -> Iterator[Connected]:
    """Yield a link connected over a websocket."""
    connected = Connected(kind, over_ws(ws_broker.ws_port))
    with running(connected.link):
        connected.opened()
        yield connected


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_and_receive(one: Connected, qos: int) -> None:
    """What is published over a websocket comes back over it byte for byte."""
    one.subscribe(Wanted("t/#", 1))
    payloads = [b"", b"\xff\x00\xfe", bytes(range(256)) * 100]
    outcomes = [one.publish(f"t/{n}", payload, qos) for n, payload in enumerate(payloads)]
    assert outcomes == [Outcome.SENT if qos == 0 else Outcome.ACKED] * 3
    assert [m.payload for m in one.received(3)] == payloads


def test_a_burst_arrives_in_large_batches(
    kind: type[ThreadedLink], ws_broker: WebsocketBroker
) -> None:
    """Mosquitto sends a frame for each packet; one read still hands over all that is there."""
    reader = Connected(kind, over_ws(ws_broker.ws_port))
    with running(reader.link), Device(ws_broker.port) as device:
        reader.opened()
        reader.subscribe(Wanted("burst", 0))
        for number in range(5000):
            device.client.publish("burst", b"%d" % number)
        messages = reader.received(5000)
    assert [int(m.payload) for m in messages] == list(range(5000))
    assert len(reader.recorder.batches) < 2500


def test_idle_silence_and_return(one: Connected, ws_broker: WebsocketBroker) -> None:
    """A quiet websocket lives, a frozen broker is noticed within 5 s, a thawed one is met again."""
    time.sleep(2.5)
    assert one.recorder.losses == []
    ws_broker.freeze()
    started = time.monotonic()
    try:
        wait_for(lambda: one.recorder.losses, "loss", 8)
        assert time.monotonic() - started < 5
        assert one.recorder.losses[0].reason == "the broker does not answer"
    finally:
        ws_broker.thaw()
    with running(one.link):
        wait_for(lambda: len(one.recorder.sessions) == 2, "connected again")


def test_killed_broker(one: Connected, ws_broker: WebsocketBroker) -> None:
    """A killed broker is a loss like over TCP, and a message under way is indeterminate."""
    ws_broker.freeze()
    receipts = Receipts()
    one.link.publish(Outgoing("a", b"", 1, False, time.monotonic() + 60, receipts))
    time.sleep(0.2)
    ws_broker.kill()
    assert receipts.one().outcome is Outcome.INDETERMINATE
    wait_for(lambda: one.recorder.losses, "loss", 5)
    assert "closed the connection" in one.recorder.losses[0].reason


def test_goodbye_keeps_the_will_back(kind: type[ThreadedLink], ws_broker: WebsocketBroker) -> None:
    """close() says DISCONNECT inside the websocket: the session stays and nothing is lost."""
    reader = Connected(kind, over_ws(ws_broker.ws_port))
    with running(reader.link):
        reader.opened()
        reader.subscribe(Wanted("s", 1))
    assert reader.recorder.losses[0].reason == "closed by us"
    with Device(ws_broker.port) as device:
        device.publish("s", b"meanwhile")
    with running(reader.link):
        wait_for(lambda: len(reader.recorder.sessions) == 2, "connected again")
        assert reader.recorder.sessions[1].session_present
        assert reader.received(1)[0].payload == b"meanwhile"


def test_pushed_out(kind: type[ThreadedLink], ws_broker: WebsocketBroker) -> None:
    """A second client with the same id ends the first, in words."""
    first, second = (Connected(kind, over_ws(ws_broker.ws_port)) for _ in range(2))
    with running(first.link) as run:
        first.opened()
        with running(second.link):
            second.opened()
            loss = run.join()
    assert "closed the connection" in loss.reason or loss.taken_over


def test_a_port_of_plain_mqtt(kind: type[ThreadedLink], ws_broker: WebsocketBroker) -> None:
    """A websocket asked of the wrong port is told with a hint, soon."""
    started = time.monotonic()
    loss = kind(over_ws(ws_broker.port), Recorder(), SystemClock()).run()
    assert time.monotonic() - started < 5
    assert "is this port for websockets?" in loss.reason
    assert f"ws://127.0.0.1:{ws_broker.port}/mqtt" in loss.reason


def test_plain_mqtt_to_a_websocket_port(
    kind: type[ThreadedLink], ws_broker: WebsocketBroker
) -> None:
    """MQTT without websocket to a websocket's port ends soon, in words."""
    started = time.monotonic()
    loss = kind(options(ws_broker.ws_port), Recorder(), SystemClock()).run()
    assert time.monotonic() - started < 5
    assert "the broker" in loss.reason or "not an MQTT broker" in loss.reason


def test_wss(kind: type[ThreadedLink], tmp_path: Path) -> None:
    """Over TLS the certificate counts, and messages of many records arrive whole and at once."""
    keys = make_keys(tmp_path / "keys")
    extra = f"certfile {keys}/broker.crt\nkeyfile {keys}/broker.key\n"
    broker = WebsocketBroker(tmp_path, extra=extra)
    payload = bytes(range(256)) * 100
    with running_servers(broker):
        untrusting = kind(over_ws(broker.ws_port, tls=True), Recorder(), SystemClock()).run()
        assert "not trusted" in untrusting.reason
        settings = over_ws(broker.ws_port, tls=True, ca_file=str(keys / "ca.crt"), ping_after=60.0)
        connected = Connected(kind, settings)
        with running(connected.link):
            connected.opened()
            connected.subscribe(Wanted("t", 1))
            for _ in range(5):
                assert connected.publish("t", payload) is Outcome.ACKED
            assert all(m.payload == payload for m in connected.received(5))


def test_the_bridge_over_a_websocket(
    tmp_path: Path, ws_broker: WebsocketBroker, redis_server: RedisServer
) -> None:
    """MQTT_URL=ws://… is all the bridge needs to carry messages."""
    url = f"ws://127.0.0.1:{ws_broker.ws_port}/mqtt"
    bridge = BridgeProcess(tmp_path, 1, redis_server, MQTT_URL=url)
    with running_servers(bridge), Device(ws_broker.port) as device:
        bridge.wait_ready()
        device.publish("over/ws", b"hello")
        log, name = redis_server.client(), RedisChannels().message_log
        wait_for(lambda: "over/ws" in str(log.xrange(name)), "it is in Redis")
    assert bridge.logged("mqtt.connected")[0]["protocol"] == "5.0"
