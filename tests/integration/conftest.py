"""A bridge between a real broker and a real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_dashboard.mqtt.paho_link import PahoLink
from mqtt_dashboard.mqtt.threaded_link import ThreadedLink
from mqtt_dashboard.mqtt.v5 import V5Link
from tests.support.servers import Broker, RedisServer, running
from tests.support.services import BridgeProcess


@pytest.fixture
def bridge(tmp_path: Path, broker: Broker, redis_server: RedisServer) -> Iterator[BridgeProcess]:
    """Run a bridge with default settings and wait until it carries messages."""
    process = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(process):
        process.wait_ready()
        yield process


@pytest.fixture(params=[V5Link, PahoLink], ids=["v5", "paho"])
def kind(request: pytest.FixtureRequest) -> type[ThreadedLink]:
    """Choose the link under test."""
    link: type[ThreadedLink] = request.param
    return link
