"""Publishing from the page reaches the device, and the result shown is the broker's."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import System
from tests.support.servers import wait_for
from tests.support.services import Device

pytestmark = pytest.mark.e2e


def fill(page: Page, system: System, topic: str, payload: str) -> None:
    page.goto(f"{system.url}/publish")
    page.locator("#topic").fill(topic)
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
    expect(page.locator("#topic")).to_have_value("lamp/set")
    expect(page.locator("#payload")).to_have_value("on")
    page.get_by_role("button", name="Remove the template Lamp on").click()
    expect(page.get_by_role("button", name="Lamp on")).to_have_count(0)


def test_a_message_repeats_until_it_is_stopped(page: Page, system: System) -> None:
    """It goes on on other pages, in sight in their frame, whatever is written meanwhile."""
    with Device(system.broker.port, topics=("beat", "other")) as device:
        fill(page, system, "beat", "1")
        page.get_by_text("Repeat", exact=True).click()
        page.get_by_label("Publish every").fill("0.3")
        page.get_by_role("button", name="Start").click()
        wait_for(lambda: len(device.heard("beat")) >= 3, "three of them")
        page.locator("#topic").fill("other")
        page.get_by_role("link", name="Clients").click()
        before = len(device.heard("beat"))
        wait_for(lambda: len(device.heard("beat")) >= before + 3, "it goes on")
        frame = page.get_by_role("banner").get_by_role("group", name="Repeat")
        expect(frame).to_contain_text("beat")
        frame.get_by_role("link").click()
        expect(page.locator("#topic")).to_have_value("other")
        frame.get_by_role("button", name="Stop").click()
        expect(frame).to_have_count(0)
        page.wait_for_timeout(400)
        heard = len(device.heard("beat"))
        if heard > 6:
            page.get_by_role("button", name="Show all").click()
        expect(page.get_by_text("confirmed", exact=True)).to_have_count(heard)
        page.wait_for_timeout(1000)
        assert (len(device.heard("beat")), device.heard("other")) == (heard, [])


def test_what_is_written_stays_and_can_be_handed_on(page: Page, system: System) -> None:
    """The form outlives other pages and a reload; its address holds it for somebody else."""
    fill(page, system, "lamp/set", '{"on": true}')
    page.get_by_text("JSON", exact=True).click()
    page.locator("input[name=qos][value='0'] + span").click()
    page.get_by_text("Keep as the topic's last value").click()
    page.get_by_text("Delivery and properties").click()
    page.get_by_label("Content type").fill("application/json")
    expect(page).to_have_url(re.compile("qos=0.*application"))
    page.get_by_role("link", name="Clients").click()
    page.get_by_role("link", name="Publish").click()
    as_written(page)
    page.reload()
    as_written(page)
    address = page.url
    page.goto(f"{system.url}/publish?topic=other&qos=0")
    expect(page.locator("#topic")).to_have_value("other")
    page.get_by_role("button", name="Bring it back").click()
    as_written(page)
    long = "x" * 20_000
    page.get_by_text("Text", exact=True).click()
    page.locator("#payload").fill(long)
    expect(page.get_by_text("Too long for this page's address")).to_be_visible()
    page.reload()
    expect(page.locator("#payload")).to_have_value(long)
    colleague = page.context.new_page()
    colleague.goto(address)
    as_written(colleague)


def as_written(page: Page) -> None:
    expect(page.locator("#topic")).to_have_value("lamp/set")
    expect(page.locator("#payload")).to_have_value('{"on": true}')
    expect(page.locator("input[name=form][value=json]")).to_be_checked()
    expect(page.locator("input[name=qos][value='0']")).to_be_checked()
    expect(page.get_by_role("switch")).to_be_checked()
    expect(page.locator("details.more")).to_contain_text("one property")


def test_known_topics_are_offered_and_a_phone_has_room(page: Page, system: System) -> None:
    """What is written is completed from the index; in German the five formats stand in one row."""
    with Device(system.broker.port) as device:
        for topic in ("plant/hall/lamp", "plant/hall/fan", "other"):
            device.publish(topic, "1")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{system.url}/publish")
    field = page.locator("#topic")
    offered = page.locator("#known-topics option")
    for _ in range(20):  # the index is written once a second
        field.fill("plant/")
        field.fill("plant/ha")
        page.wait_for_timeout(300)
        if offered.count() == 2:
            break
    values = [one.get_attribute("value") for one in offered.all()]
    assert values == ["plant/hall/fan", "plant/hall/lamp"]
    page.get_by_label("Language").select_option("de")
    expect(page.locator("h1")).to_have_text("Senden")
    formats = page.locator("fieldset", has=page.locator("input[name=form]")).locator("label")
    tops = {round(one.evaluate("one => one.getBoundingClientRect().top")) for one in formats.all()}
    assert len(tops) == 1


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
        page.locator("#topic").fill("raw/file")
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
