"""Publishing from the page reaches the device, and the result shown is the broker's."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import System
from tests.support.servers import wait_for
from tests.support.services import Device

pytestmark = pytest.mark.e2e


def fill(page: Page, system: System, topic: str, payload: str) -> None:
    page.goto(f"{system.url}/publish")
    page.get_by_role("textbox", name="Topic").fill(topic)
    page.locator("#payload").fill(payload)


def test_a_publish_reaches_the_device_and_is_confirmed(page: Page, system: System) -> None:
    """P53: the result on the page is the broker's acknowledgement."""
    with Device(system.broker.port, topics=("lamp/#",)) as device:
        fill(page, system, "lamp/set", '{"on": true}')
        page.get_by_role("button", name="Publish", exact=True).click()
        expect(page.get_by_text("acked")).to_be_visible()
        wait_for(lambda: device.heard("lamp/set") == [b'{"on": true}'], "the device hears it")


def test_bytes_can_be_published(page: Page, system: System) -> None:
    """Base64 mode sends the bytes it stands for."""
    with Device(system.broker.port, topics=("raw",)) as device:
        fill(page, system, "raw", "/wCA")
        page.get_by_text("Base64").click()
        page.locator("#payload").press("Control+Enter")
        expect(page.get_by_text("acked")).to_be_visible()
        wait_for(lambda: device.heard("raw") == [b"\xff\x00\x80"], "the device hears the bytes")


def test_retained_is_kept_for_later(page: Page, system: System) -> None:
    """The retain switch does what it says."""
    fill(page, system, "state/door", "shut")
    page.get_by_text("Keep as the topic's last value").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("acked")).to_be_visible()
    with Device(system.broker.port, topics=("state/door",)) as device:
        wait_for(lambda: device.heard("state/door") == [b"shut"], "a later subscriber gets it")


def test_wildcards_are_refused_before_sending(page: Page, system: System) -> None:
    """P51: what cannot be a topic is said while typing and cannot be sent."""
    fill(page, system, "lamp/#", "x")
    expect(page.locator("#topic-help")).to_contain_text("wildcards")
    expect(page.get_by_role("button", name="Publish", exact=True)).to_be_disabled()


def test_without_a_broker_it_says_why_not(page: Page, system: System) -> None:
    """P54: while nothing can be delivered the page does not pretend, and nothing comes later."""
    fill(page, system, "valve", "open")
    system.broker.kill()
    expect(page.get_by_text("Publishing is not possible now")).to_be_visible()
    expect(page.get_by_role("button", name="Publish", exact=True)).to_be_disabled()
