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
        expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
        wait_for(lambda: device.heard("lamp/set") == [b'{"on": true}'], "the device hears it")


def test_bytes_can_be_published(page: Page, system: System) -> None:
    """Base64 mode sends the bytes it stands for."""
    with Device(system.broker.port, topics=("raw",)) as device:
        fill(page, system, "raw", "/wCA")
        page.get_by_text("Base64", exact=True).click()
        page.locator("#payload").press("Control+Enter")
        expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
        wait_for(lambda: device.heard("raw") == [b"\xff\x00\x80"], "the device hears the bytes")


def test_retained_is_kept_for_later(page: Page, system: System) -> None:
    """The retain switch does what it says."""
    fill(page, system, "state/door", "shut")
    page.get_by_text("Keep as the topic's last value").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
    with Device(system.broker.port, topics=("state/door",)) as device:
        wait_for(lambda: device.heard("state/door") == [b"shut"], "a later subscriber gets it")


def test_templates_and_results_outlive_the_page(page: Page, system: System) -> None:
    """What was saved and what was answered is still there after a reload."""
    fill(page, system, "lamp/set", "on")
    page.get_by_role("textbox", name="Name of the template").fill("Lamp on")
    page.get_by_role("button", name="Save as template").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
    page.goto(f"{system.url}/publish")
    expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
    page.get_by_role("button", name="Lamp on").first.click()
    expect(page.get_by_role("textbox", name="Topic")).to_have_value("lamp/set")
    expect(page.locator("#payload")).to_have_value("on")
    page.get_by_role("button", name="Remove the template Lamp on").click()
    expect(page.get_by_role("button", name="Lamp on")).to_have_count(0)


def test_a_message_repeats_until_it_is_stopped(page: Page, system: System) -> None:
    """Every repetition has its own result; after the stop nothing more is sent."""
    with Device(system.broker.port, topics=("beat",)) as device:
        fill(page, system, "beat", "1")
        page.get_by_text("Repeat", exact=True).click()
        page.get_by_label("Publish every").fill("0.3")
        page.get_by_role("button", name="Start").click()
        wait_for(lambda: len(device.heard("beat")) >= 3, "three of them")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Start")).to_be_visible()
        page.wait_for_timeout(400)
        heard = len(device.heard("beat"))
        expect(page.get_by_text("confirmed", exact=True)).to_have_count(heard)
        page.wait_for_timeout(1000)
        assert len(device.heard("beat")) == heard


def test_hex_and_files_are_sent_byte_by_byte(page: Page, system: System) -> None:
    """What is written as hex, or chosen as a file, arrives as exactly these bytes."""
    with Device(system.broker.port, topics=("raw/#",)) as device:
        fill(page, system, "raw/hex", "")
        page.get_by_text("Hex", exact=True).click()
        page.locator("#payload").fill("00 ff 7")
        expect(page.locator("#payload-help")).to_contain_text("two digits per byte")
        expect(page.get_by_role("button", name="Publish", exact=True)).to_be_disabled()
        page.locator("#payload").fill("00 ff 7f")
        page.get_by_role("button", name="Publish", exact=True).click()
        wait_for(lambda: device.heard("raw/hex") == [b"\x00\xff\x7f"], "the bytes of the hex")
        page.get_by_role("textbox", name="Topic").fill("raw/file")
        page.get_by_text("File", exact=True).click()
        content = bytes(range(256)) * 40
        page.locator("#payload").set_input_files(
            {"name": "a.bin", "mimeType": "application/octet-stream", "buffer": content}
        )
        page.get_by_role("button", name="Publish", exact=True).click()
        wait_for(lambda: device.heard("raw/file") == [content], "the bytes of the file")


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
