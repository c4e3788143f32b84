"""Both links over TLS: certificates are always verified, failures are said in plain words."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.mqtt.client import LinkOptions, Outcome, Outgoing, Wanted
from mqtt_dashboard.mqtt.paho_link import PahoLink
from mqtt_dashboard.mqtt.threaded_link import ThreadedLink
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.certificates import make_keys
from tests.support.servers import Broker, wait_for
from tests.support.servers import running as running_servers
from tests.unit.mqtt_layer.recorder import Receipts, Recorder, running

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


@pytest.fixture(params=[V5Link, PahoLink], ids=["v5", "paho"])
def kind(request: pytest.FixtureRequest) -> type[ThreadedLink]:
    """Choose the link under test."""
    link: type[ThreadedLink] = request.param
    return link


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate authority, a broker's certificate for 127.0.0.1, and a client's."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def tls_broker(tmp_path: Path, keys: Path) -> Iterator[Broker]:
    """Run a mosquitto that demands a client certificate."""
    for parent in (*keys.parents, keys):
        if parent.owner() == keys.owner() and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    extra = (
        f"cafile {keys}/ca.crt\ncertfile {keys}/broker.crt\nkeyfile {keys}/broker.key\n"
        "require_certificate true"
    )
    broker = Broker(tmp_path, extra=extra)
    with running_servers(broker):
        yield broker


def settings(broker: Broker, keys: Path, **changes: object) -> LinkOptions:
    """Options with the right certificates."""
    right: dict[str, object] = {
        "ca_file": str(keys / "ca.crt"),
        "cert_file": str(keys / "client.crt"),
        "key_file": str(keys / "client.key"),
    }
    return LinkOptions(
        host="127.0.0.1",
        port=broker.port,
        client_id="tls",
        tls=True,
        **(right | changes),  # type: ignore[arg-type]
    )


def test_large_messages_over_tls(kind: type[ThreadedLink], tls_broker: Broker, keys: Path) -> None:
    """Messages of many TLS records arrive whole and at once, not at the next wake-up."""
    recorder = Recorder()
    link = kind(settings(tls_broker, keys, ping_after=60.0), recorder, SystemClock())
    payload = bytes(range(256)) * 4000
    with running(link):
        wait_for(lambda: recorder.sessions, f"connected {recorder.losses}")
        link.subscribe([Wanted("t", 1)])
        wait_for(lambda: recorder.granted, "subscribed")
        for _ in range(5):
            receipts = Receipts()
            link.publish(Outgoing("t", payload, 1, False, time.monotonic() + 10, receipts))
            assert receipts.one().outcome is Outcome.ACKED
        wait_for(lambda: len(recorder.messages) == 5, "5 messages")
        assert all(message.payload == payload for message in recorder.messages)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ca_file": None}, "not trusted"),
        ({"ca_file": "/no/such/ca.crt"}, "cannot read"),
        ({"host": "localhost"}, "not trusted"),
        ({"cert_file": "/no/such/client.crt"}, "cannot read"),
        ({"cert_file": None, "key_file": None}, "the connection"),
    ],
    ids=["unknown CA", "no CA file", "wrong host name", "no certificate file", "no certificate"],
)
def test_refused(
    kind: type[ThreadedLink],
    tls_broker: Broker,
    keys: Path,
    changes: dict[str, object],
    words: str,
) -> None:
    """What is wrong with the certificates is said, and nothing is sent in spite of it."""
    options = settings(tls_broker, keys, **{k: v for k, v in changes.items() if k != "host"})
    if "host" in changes:
        options = LinkOptions(**(vars(options) | {"host": changes["host"]}))
    recorder = Recorder()
    loss = kind(options, recorder, SystemClock()).run()
    assert words in loss.reason or "TLS" in loss.reason
    assert recorder.sessions == []


def test_plain_text_broker(kind: type[ThreadedLink], broker: Broker, keys: Path) -> None:
    """A broker that does not speak TLS is a loss in plain words, soon."""
    started = time.monotonic()
    loss = kind(settings(broker, keys), Recorder(), SystemClock()).run()
    assert time.monotonic() - started < 5
    assert "TLS" in loss.reason or "connection" in loss.reason or "time" in loss.reason
