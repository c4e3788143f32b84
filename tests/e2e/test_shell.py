"""What all pages share: width, languages, keyboard."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.conftest import System
from tests.support.servers import wait_for
from tests.support.services import Device

pytestmark = pytest.mark.e2e

SENTENCES = Path(__file__).parents[2] / "frontend/src/locales/de/server.json"
PAGES = ["/", "/monitor", "/topics", "/clients", "/publish", "/system"]


@pytest.fixture
def lively(system: System) -> Iterator[System]:
    """Let a device speak, so that every page has something to show."""
    with Device(system.broker.port, topics=("plant/#",)) as device:
        for number in range(3):
            device.publish("plant/hall/lamp", f'{{"on": true, "level": {number}}}', retain=True)
        device.publish("plant/hall/raw", b"\xff\x00")
        yield system


def settled(page: Page, url: str) -> None:
    """Open a page and wait until it lives."""
    page.goto(url)
    expect(page.get_by_role("group", name=re.compile("Connection|Verbindung"))).to_contain_text(
        "live"
    )
    expect(page.locator("h1")).to_be_visible()


def test_no_page_is_wider_than_the_screen(chromium: Browser, lively: System) -> None:
    """At 390 px nothing has to be scrolled sideways, in both languages."""
    for locale in ("en-US", "de-DE"):
        context = chromium.new_context(viewport={"width": 390, "height": 844}, locale=locale)
        page = context.new_page()
        for path in [*PAGES, "/topics?topic=plant%2Fhall%2Flamp"]:
            settled(page, f"{lively.url}{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, (locale, path)
        context.close()


def test_german_is_kept_and_complete(page: Page, lively: System) -> None:
    """The language changes at once, numbers with it, and stays after a reload."""
    settled(page, lively.url)
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_role("heading", name="Überblick")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    for path, title in (("/monitor", "Monitor"), ("/publish", "Senden"), ("/clients", "Clients")):
        settled(page, f"{lively.url}{path}")
        expect(page.locator("h1")).to_have_text(title)
    expect(page).to_have_title(re.compile("Clients · MQTT Dashboard"))


def test_what_the_server_says_is_german_too(page: Page, lively: System) -> None:
    """Reasons, the story, hints and settings are in the page's language; none stays English."""
    known = json.loads(SENTENCES.read_text(encoding="utf-8"))
    english = [text for text, words in known.items() if len(text) > 12 and text != words]
    settled(page, lively.url)
    page.get_by_label("Language").select_option("de")
    broker = page.get_by_role("region", name="Broker", exact=True)
    expect(broker).to_contain_text(
        "Verbunden mit MQTT 5.0; der Broker hat eine neue Sitzung eröffnet."
    )
    story = page.get_by_role("region", name="Die Geschichte der Verbindung")
    expect(story).to_contain_text("Diese Bridge ist die aktive und verbindet sich.")
    marks = {
        "": "Geschichte",
        "clients": "Mosquitto hat dafür keinen Befehl",
        "system": "nicht gesetzt",
    }
    for path, mark in marks.items():
        settled(page, f"{lively.url}/{path}")
        expect(page.get_by_text(mark).first).to_be_visible(timeout=30_000)
        shown = page.locator("main").inner_text().lower()
        left = [text for text in english if "{" not in text and text.lower() in shown]
        assert left == [], path


def test_the_keyboard_reaches_everything(page: Page, lively: System) -> None:
    """Pages by two keys, the search by a slash, shortcuts by a question mark."""
    settled(page, lively.url)
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("searchbox", name="Search settings")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search settings")).to_be_focused()
    page.keyboard.press("g")  # goes into the field
    expect(page.get_by_role("searchbox", name="Search settings")).to_have_value("g")
    page.keyboard.press("Tab")
    page.keyboard.press("?")
    help_dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(help_dialog).to_have_count(0)


def test_the_palette_leads_to_a_topic(page: Page, lively: System) -> None:
    """A few letters of a topic, Enter, and its value is there; filters lead to the monitor."""
    settled(page, lively.url)
    page.wait_for_timeout(1500)  # the index is written once a second
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Commands")
    page.keyboard.type("hall lam")
    expect(palette.get_by_role("option", name="plant/hall/lamp")).to_be_visible()
    page.keyboard.press("Enter")
    expect(palette).to_have_count(0)
    expect(page.get_by_label("Topic", exact=True)).to_contain_text("level: 2")
    page.keyboard.press("Control+k")
    page.keyboard.type("plant/#")
    page.get_by_role("option", name="Watch plant/#").click()
    expect(page).to_have_url(re.compile(r"/monitor\?f=plant"))


def test_keys_typed_while_the_palette_loads_are_its(page: Page, lively: System) -> None:
    """Who types on at once loses no letter, and does not jump to another page by one of them."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/CommandPalette*.js", hold)
    settled(page, lively.url)
    page.keyboard.press("Control+k")
    page.keyboard.type("gm?x")
    page.keyboard.press("Backspace")

    def asked_for() -> bool:
        page.wait_for_timeout(50)
        return bool(held)

    wait_for(asked_for, "the palette is asked for")
    held[0].continue_()
    field = page.get_by_role("combobox", name="Commands")
    expect(field).to_have_value("gm?")
    page.keyboard.type("!")
    expect(field).to_have_value("gm?!")
    expect(page.get_by_role("dialog")).to_have_count(1)
    expect(page.locator("h1")).to_have_text("Overview")


def test_clients_are_listed_sorted_and_explained(page: Page, system: System) -> None:
    """Who connects appears with address and filters; the search and the detail work."""
    settled(page, f"{system.url}/clients")
    with Device(system.broker.port, topics=("plant/#",)) as device:
        name = device.client._client_id.decode() or "auto"
        rows = page.get_by_role("row")
        expect(rows.filter(has_text="127.0.0.1")).to_have_count(1, timeout=25_000)
        page.get_by_role("searchbox", name="Search clients").fill("plant")
        expect(rows).to_have_count(2)
        rows.nth(1).get_by_role("button").click()
        detail = page.get_by_label("Client", exact=True)
        expect(detail).to_contain_text("plant/#")
        assert name == "auto" or name in detail.inner_text()
        page.get_by_role("searchbox", name="Search clients").fill("nobody")
        expect(page.get_by_text("Nobody fits")).to_be_visible()
    expect(page.get_by_text("What this broker offers")).to_be_visible()


def test_the_system_page_shows_settings_without_secrets(page: Page, lively: System) -> None:
    """Bridge, Redis, worker and settings are there; only changed settings when asked."""
    settled(page, f"{lively.url}/system")
    table = page.get_by_role("region", name="Settings")
    expect(table).to_contain_text("MQTT_BROKER_PORT")
    expect(table.get_by_role("row", name="MQTT_PASSWORD")).to_contain_text("not set")
    page.get_by_text("Only what differs from the default").click()
    expect(table).not_to_contain_text("MQTT_PASSWORD")
    expect(table).to_contain_text("MQTT_BROKER_PORT")
    expect(page.get_by_role("region", name="Dashboard workers")).to_contain_text("dashboard-")
