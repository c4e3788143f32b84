"""The page behind a path prefix, and inside another page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import System
from tests.support.dashboard_server import DashboardServer
from tests.support.servers import running

pytestmark = pytest.mark.e2e


def test_it_lives_below_a_path(chromium: Browser, system: System, tmp_path: Path) -> None:
    """Page, assets, live channel, HTTP and deep links work below /tools/mqtt, and only there."""
    dashboard = DashboardServer(tmp_path, system.redis.port, DASHBOARD_BASE_PATH="/tools/mqtt/")
    with running(dashboard):
        dashboard.wait_ready()
        context = chromium.new_context()
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.goto(f"{dashboard.url}/tools/mqtt/system")
        expect(page.get_by_role("group", name="Connection")).to_contain_text("live")
        expect(page.get_by_text("DASHBOARD_BASE_PATH")).to_be_visible()
        page.get_by_role("link", name="Topics", exact=True).click()
        expect(page).to_have_url(f"{dashboard.url}/tools/mqtt/topics")
        page.reload()
        expect(page.get_by_role("heading", name="Topics")).to_be_visible()
        context.close()
        own = [url for url in asked if str(dashboard.port) in url]
        assert own
        assert all("/tools/mqtt/" in url for url in own)
        # A proxy that strips the path reaches the same.
        assert [dashboard.get(path)[0] for path in ("/tools/mqtt/health", "/health")] == [200, 200]


def test_only_named_origins_may_frame_it(system: System, tmp_path: Path) -> None:
    """By default nobody may; a named origin may, and no header contradicts it."""
    _, _, plain = system.dashboard.request("GET", "/")
    assert "frame-ancestors 'none'" in plain["content-security-policy"]
    assert plain["x-frame-options"] == "DENY"
    dashboard = DashboardServer(
        tmp_path, system.redis.port, DASHBOARD_FRAME_ANCESTORS="https://home.example, 'self'"
    )
    with running(dashboard):
        dashboard.wait_ready()
        _, _, framed = dashboard.request("GET", "/")
    assert "frame-ancestors https://home.example 'self';" in framed["content-security-policy"]
    assert "x-frame-options" not in framed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DASHBOARD_BASE_PATH", "mqtt"),
        ("DASHBOARD_BASE_PATH", "/a/../b c"),
        ("DASHBOARD_FRAME_ANCESTORS", "*"),
        ("DASHBOARD_FRAME_ANCESTORS", "https://a.example; script-src *"),
    ],
)
def test_wrong_settings_are_refused(system: System, tmp_path: Path, name: str, value: str) -> None:
    """A value that would mean something else is refused at the start, with the name."""
    script = Path(sys.executable).parent / "mqtt-dashboard"
    ended = subprocess.run(
        [script, "serve"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert name in ended.stderr
    assert "Traceback" not in ended.stderr
