"""Fixtures every test may use: a real broker, a real Redis, the environment of our services."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import Broker, RedisServer, running


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Run a mosquitto on a free port."""
    server = Broker(tmp_path)
    with running(server):
        yield server


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis on a free port."""
    server = RedisServer(tmp_path)
    with running(server):
        yield server
