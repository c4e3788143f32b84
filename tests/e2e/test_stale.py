"""What is from before is shown as such: dimmed, with its time, claiming nothing."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import System
from tests.support.services import Device

pytestmark = pytest.mark.e2e

# Seconds after which the page must have noticed; the rest is for a busy machine.
NOTICED_MS = 15_000


@pytest.fixture
def pages(chromium: Browser, system: System) -> Iterator[dict[str, Page]]:
    """Open the three pages that show state, each with something on it."""
    with Device(system.broker.port, "lamp-1"):
        context = chromium.new_context(viewport={"width": 1280, "height": 1000})
        context.set_default_timeout(15_000)
        opened = {}
        for name in ("", "clients", "system"):
            page = opened[name or "overview"] = context.new_page()
            page.goto(f"{system.url}/{name}")
        expect(row(opened["clients"])).to_contain_text("connected", timeout=30_000)
        expect(card(opened["system"], "Bridge")).to_contain_text("mqtt5")
        expect(opened["overview"].get_by_role("region", name="Bridge")).to_contain_text("running")
        yield opened
        context.close()


def row(page: Page) -> Locator:
    return page.get_by_role("row").filter(has_text="lamp-1")


def card(page: Page, title: str) -> Locator:
    heading = page.get_by_role("heading", name=title, exact=True, level=2)
    return page.locator("section.card").filter(has=heading)


def silent_bridge(pages: dict[str, Page]) -> None:
    """Clients were connected, for as long as was known; the bridge says what it said before."""
    clients, about = pages["clients"], card(pages["system"], "Bridge")
    expect(clients.get_by_text(re.compile(r"as of \d\d:"))).to_be_visible(timeout=NOTICED_MS)
    expect(row(clients)).to_contain_text("was connected")
    expect(clients.locator(".pill.ok", has_text="connected")).to_have_count(0)
    since = row(clients).locator("td.since")
    before = since.inner_text()
    clients.wait_for_timeout(2500)
    assert since.inner_text() == before, "a span of the past goes on"
    expect(about).to_contain_text("Silent; this is what the last active bridge said")
    expect(about).to_contain_text("as of")


def silent_redis(pages: dict[str, Page]) -> None:
    """Nobody says that there is no bridge; its settings stay, with the time they are from."""
    page = pages["system"]
    expect(card(page, "Redis")).to_contain_text("as of", timeout=NOTICED_MS)
    about = card(page, "Bridge")
    expect(about).to_contain_text("as of", timeout=NOTICED_MS)
    expect(about).to_contain_text("Whether it runs cannot be known")
    expect(about).to_contain_text("mqtt5")
    expect(page.get_by_text("No bridge has introduced itself")).to_have_count(0)
    expect(page.get_by_role("region", name="Settings")).to_contain_text("MQTT_BROKER_PORT")
    trouble = page.get_by_role("status").filter(has_text="Redis does not answer").first
    expect(trouble).to_contain_text(re.compile(r"\. Values below are from before\."))


def silent_server(pages: dict[str, Page]) -> None:
    """Every card says from when it is, the bridge is unknown, not silent, and ages go on."""
    overview, about = pages["overview"], card(pages["system"], "Bridge")
    expect(about).to_contain_text("as of", timeout=NOTICED_MS)
    expect(about).to_contain_text("Whether it runs cannot be known")
    expect(about).not_to_contain_text("Silent")
    for title in ("Redis", "Streams in Redis", "Dashboard workers"):
        expect(card(pages["system"], title)).to_contain_text("as of")
    for part, fact in (("Redis", "Last answer"), ("Bridge", "Last sign of life")):
        told = overview.get_by_role("region", name=part, exact=True)
        expect(told).to_contain_text("as of", timeout=NOTICED_MS)
        expect(told).to_contain_text(re.compile(rf"{fact}\s*([6-9]|\d\d)(\.\d)? s ago"))


def test_what_is_from_before_is_shown_as_that(system: System, pages: dict[str, Page]) -> None:
    """P28, P66: whoever falls silent, the page says what it knew, from when, and no more."""
    silences = (
        (system.bridge, silent_bridge),
        (system.redis, silent_redis),
        (system.dashboard, silent_server),
    )
    for process, look in silences:
        process.freeze()
        try:
            look(pages)
        finally:
            process.thaw()
        expect(card(pages["system"], "Bridge")).not_to_contain_text("as of", timeout=30_000)
