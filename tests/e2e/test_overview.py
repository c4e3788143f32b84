"""The overview tells the state of broker, bridge and Redis apart, and soon."""

import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import System

pytestmark = pytest.mark.e2e

# Every surface must tell the truth within 5 s of a fault; the rest is for a busy machine.
TRUTH_MS = 6500


def part(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def opened(page: Page, system: System) -> None:
    page.goto(system.url)
    for name, word in (("Broker", "connected"), ("Bridge", "running"), ("Redis", "up")):
        expect(part(page, name)).to_contain_text(word)


def test_it_shows_the_full_state_at_once(page: Page, system: System) -> None:
    """P66, P68: a newly opened page has all three parts and the statistics within moments."""
    opened(page, system)
    expect(part(page, "Broker")).to_contain_text(f"127.0.0.1:{system.broker.port}")
    expect(part(page, "Bridge")).to_contain_text("mqtt-bridge-service")
    expect(page.get_by_text("mosquitto version 2").first).to_be_visible()
    expect(page.get_by_text("not provided").first).to_be_visible()
    expect(page.get_by_text("all known")).to_be_visible(timeout=30_000)


def test_a_lost_broker_is_shown(page: Page, system: System) -> None:
    """P22, P28: the broker is down, the bridge and Redis are not, and values are marked as old."""
    opened(page, system)
    system.broker.kill()
    expect(part(page, "Broker")).to_contain_text("disconnected", timeout=TRUTH_MS)
    expect(part(page, "Bridge")).to_contain_text("running")
    expect(part(page, "Redis")).to_contain_text("up")
    expect(page.locator(".tiles.old")).to_be_visible()
    system.broker.start()
    expect(part(page, "Broker")).to_contain_text("Connected with MQTT", timeout=15_000)


def test_a_dead_bridge_is_shown(page: Page, system: System) -> None:
    """P28, P66: a silent bridge makes the broker unknown, not connected, and says what to do."""
    opened(page, system)
    system.bridge.kill()
    expect(part(page, "Bridge")).to_contain_text("silent", timeout=TRUTH_MS)
    expect(part(page, "Broker")).to_contain_text("unknown")
    expect(page.get_by_text("Start it with: mqtt-bridge").first).to_be_visible()


def test_a_dead_redis_is_shown(page: Page, system: System) -> None:
    """P02, P66: without Redis nothing else can be judged, and the page says that."""
    opened(page, system)
    system.redis.kill()
    expect(part(page, "Redis")).to_contain_text("down", timeout=TRUTH_MS)
    expect(part(page, "Bridge")).to_contain_text("unknown")
    expect(part(page, "Broker")).to_contain_text("unknown")
    system.redis.start()
    expect(part(page, "Redis")).to_contain_text("up", timeout=10_000)
    expect(part(page, "Broker")).to_contain_text("connected", timeout=15_000)
    # The browser notes every answer 503 of that time on its own.
    system.complaints[:] = [one for one in system.complaints if "503" not in one]


def test_a_lost_server_is_shown(page: Page, system: System) -> None:
    """A page without its server says so and takes nothing for fresh."""
    opened(page, system)
    started = time.monotonic()
    system.dashboard.freeze()
    try:
        expect(page.get_by_text("No contact with the dashboard server")).to_be_visible(timeout=8000)
        assert time.monotonic() - started < 7.5
        expect(part(page, "Broker")).to_contain_text("unknown")
    finally:
        system.dashboard.thaw()


def test_it_fits_a_phone_in_both_themes(page: Page, system: System) -> None:
    """At 390 px nothing runs out of the screen, on any page, light or dark."""
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/", "/monitor", "/topics", "/publish", "/nowhere"):
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.goto(system.url + path)
            page.wait_for_selector("main :is(h1, h2)")
            assert page.evaluate("document.documentElement.dataset.theme") == theme
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_the_theme_is_remembered(page: Page, system: System) -> None:
    """A chosen theme survives a reload."""
    page.goto(system.url)
    switch = page.get_by_role("button", name="Theme")
    switch.click()
    switch.click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    page.wait_for_selector("h1")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
