"""The Topics page in its address, on the way back, on other widths, and what it says of copying."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import System
from tests.e2e.test_topics import node, open_topic, view
from tests.support.services import Device

pytestmark = pytest.mark.e2e


def shown(page: Page, name: str) -> Locator:
    """Return the choice of what the open topic shows."""
    group = page.get_by_role("group", name="Show of this topic")
    return group.get_by_role("radio", name=name)


def test_every_state_has_an_address(page: Page, system: System) -> None:
    """A tab, a plotted number, a message, an open tree: by link, on the way back, on return."""
    with Device(system.broker.port) as device:
        for number in range(60):
            document = f'{{"temp": {number}, "at": {{"rh": {100 + number}}}}}'
            device.client.publish("room/climate", document, qos=1)
        device.publish("room/lamp", "on")
    open_topic(page, system, "room/climate")
    detail = page.get_by_label("Topic", exact=True)
    view(page, "Plot")
    detail.get_by_role("combobox", name="Plot").select_option("at.rh")
    expect(detail).to_contain_text("110 to 159")
    detail.get_by_role("button", name="Look further back").click()
    expect(detail).to_contain_text("100 to 159")
    expect(page).to_have_url(re.compile("view=plot&path=at.rh"))
    page.reload()
    expect(detail).to_contain_text("110 to 159", timeout=10_000)
    view(page, "Messages")
    detail.get_by_label("Last messages, newest first").get_by_text('"temp": 57,').click()
    expect(detail).to_contain_text("temp: 57")
    expect(page).to_have_url(re.compile(r"message=\d+\.\d+"))
    page.reload()
    expect(detail).to_contain_text("An earlier message", timeout=10_000)
    expect(detail).to_contain_text("temp: 57")
    node(page, "lamp").click()
    expect(detail).to_contain_text("room/lamp")
    page.go_back()
    expect(detail).to_contain_text("temp: 57")
    page.go_back()
    expect(shown(page, "Messages")).to_be_checked()
    # The menu leads to the page as such; what was open in the tree is open again.
    page.get_by_role("link", name="Topics", exact=True).click()
    expect(detail).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/topics$"))
    page.get_by_role("link", name="Clients").click()
    page.get_by_role("link", name="Topics", exact=True).click()
    expect(node(page, "lamp")).to_be_visible()
    page.get_by_role("group", name="Search in").get_by_text("Names", exact=True).click()
    page.keyboard.press("Control+k")
    page.keyboard.type("climate")
    page.get_by_role("option", name="Search topics").click()
    expect(page.get_by_role("searchbox", name="Search topics")).to_have_value("climate")
    expect(page.get_by_role("treeitem")).to_have_text([re.compile("room/climate")])
    page.goto(f"{system.url}/topics?q=lamp&in=names")
    expect(page.get_by_role("radio", name="Names", exact=True)).to_be_checked()
    expect(page.get_by_role("treeitem")).to_have_text([re.compile("room/lamp")], timeout=10_000)


def test_an_unknown_topic_is_said_until_it_is_known(page: Page, system: System) -> None:
    """The word about it stays over refreshes, and its first message opens it."""
    page.goto(f"{system.url}/topics?topic=not/yet")
    told = page.get_by_text("No message was seen on not/yet so far")
    expect(told).to_be_visible(timeout=10_000)
    for _ in range(2):  # asked again every few seconds
        with page.expect_response(lambda answer: answer.status == 404, timeout=20_000):
            pass
    expect(told).to_be_visible()
    with Device(system.broker.port) as device:
        device.publish("not/yet", "here")
    expect(page.get_by_label("Topic", exact=True)).to_contain_text("here", timeout=15_000)
    expect(told).to_have_count(0)
    system.complaints.clear()  # the browser notes the 404 answers


def test_each_width_has_room_for_what_it_shows(page: Page, system: System) -> None:
    """Beside a topic nothing lies over anything; on a phone it has the page, and a way back."""
    with Device(system.broker.port) as device:
        for number in range(30):
            device.client.publish(f"lab/sensor-{number:02}/a", "x", qos=1)
        device.publish("lab/sensor-20", '{"temp": 21.5, "unit": "C"}', retain=True)
    page.set_viewport_size({"width": 861, "height": 800})
    open_topic(page, system, "lab/sensor-20")
    expect(node(page, "sensor-20")).to_be_in_viewport(timeout=10_000)
    parts = node(page, "sensor-20").locator(".name, .value, .age, .first > :not(.name)")
    boxes = [box for one in parts.all() if (box := one.bounding_box())]
    assert len(boxes) == 5
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            beside = (
                one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            )
            below = (
                one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
            )
            assert beside or below, (one, other)
    assert node(page, "sensor-20").locator(".name").inner_text() == "sensor-20"
    page.set_viewport_size({"width": 390, "height": 844})
    detail = page.get_by_label("Topic", exact=True)
    expect(page.get_by_role("tree", name="Topics")).to_be_hidden()
    expect(detail.get_by_text("lab/sensor-20")).to_be_in_viewport()
    detail.get_by_role("button", name="Back to the topics").click()
    expect(detail).to_have_count(0)
    expect(node(page, "sensor-20")).to_be_in_viewport()
    node(page, "sensor-20").click()
    expect(detail.get_by_role("button", name="Back to the topics")).to_be_in_viewport()
    page.go_back()
    expect(node(page, "sensor-20")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_copying_works_without_a_clipboard_and_says_when_it_does_not(
    page: Page, system: System
) -> None:
    """On plain http browsers lend no clipboard: then over a selection; a refusal is told."""
    with Device(system.broker.port) as device:
        device.publish("a/b", "value to copy")
    page.add_init_script("delete Navigator.prototype.clipboard")
    open_topic(page, system, "a/b")
    detail = page.get_by_label("Topic", exact=True)
    box = page.get_by_role("searchbox", name="Search topics")
    for button, text in (("Copy the topic", "a/b"), ("Copy what is shown", "value to copy")):
        detail.get_by_role("button", name=button).click()
        expect(detail.get_by_role("button", name="Copied").first).to_be_visible()
        box.fill("")
        box.press("Control+v")
        expect(box).to_have_value(text)
    page.goto(f"{system.url}/monitor?f=a/%23")
    expect(page.get_by_role("list", name="Watched filters")).to_contain_text("a/#")
    with Device(system.broker.port) as device:
        device.publish("a/b", "again")
    page.evaluate("document.execCommand = () => false")
    page.locator("button.row").first.click(button="right")
    page.get_by_role("menuitem", name="Copy the payload").click()
    expect(page.get_by_text("Could not be copied")).to_be_visible()
