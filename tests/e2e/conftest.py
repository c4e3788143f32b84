"""The whole path for real: mosquitto, bridge, Redis, dashboard, and a page in Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.dashboard_server import DashboardServer
from tests.support.servers import Broker, RedisServer, running
from tests.support.services import BridgeProcess

# A busy machine may draw late.
expect.set_options(timeout=15_000)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
STATIC = Path(__file__).parents[2] / "src/mqtt_dashboard/dashboard/static/index.html"


@dataclass
class System:
    """Every process of one running system, and the page's address."""

    broker: Broker
    redis: RedisServer
    bridge: BridgeProcess
    dashboard: DashboardServer
    complaints: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the page is."""
        return self.dashboard.url


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Run one Chromium for all tests."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "Chromium is missing; `make test` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def running_system(folder: Path, broker_extra: str = "", **bridge: str) -> Iterator[System]:
    """Run everything and wait until messages flow; ``bridge`` are variables of the bridge."""
    assert STATIC.exists(), "the page is not built; `make ui` builds it"
    broker, redis = Broker(folder, extra=broker_extra), RedisServer(folder, aof=True)
    with running(broker, redis):
        process = BridgeProcess(folder, broker.port, redis, **bridge)
        dashboard = DashboardServer(folder, redis.port)
        with running(process, dashboard):
            process.wait_ready()
            dashboard.wait_ready()
            yield System(broker, redis, process, dashboard)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Run everything, fresh for each test, and wait until messages flow."""
    with running_system(tmp_path) as system:
        yield system


@pytest.fixture
def page(chromium: Browser, system: System) -> Iterator[Page]:
    """Open a page whose every complaint fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.on("pageerror", lambda error: system.complaints.append(f"error: {error}"))
    page.on(
        "console",
        lambda message: (
            system.complaints.append(f"{message.type}: {message.text}")
            if message.type in {"error", "warning"} and "WebSocket" not in message.text
            else None
        ),
    )
    yield page
    context.close()
    assert system.complaints == []
