"""The tree of topics: opened level by level, searched, each topic with its values."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import System
from tests.support.servers import wait_for
from tests.support.services import Device

pytestmark = pytest.mark.e2e


def node(page: Page, name: str) -> Locator:
    """Return the tree's row of a level."""
    return page.get_by_role("treeitem").filter(has_text=re.compile(rf"^\s*{re.escape(name)}"))


def open_topic(page: Page, system: System, topic: str) -> None:
    """Open the page at a topic as soon as the index, written once a second, has it."""
    query = f"topic={quote(topic, safe='')}"
    wait_for(
        lambda: system.dashboard.get(f"/api/topics/one?{query}")[0] == 200, f"{topic} is known", 10
    )
    page.goto(f"{system.url}/topics?{query}")


def view(page: Page, name: str) -> None:
    """Choose what the open topic shows."""
    page.get_by_role("group", name="Show of this topic").get_by_text(name, exact=True).click()


def test_the_tree_opens_level_by_level(page: Page, system: System) -> None:
    """A topic is found by opening its levels, and shows its last value, also a binary one."""
    with Device(system.broker.port) as device:
        device.publish("plant/hall/lamp", '{"on": true}', retain=True)
        device.publish("plant/hall/raw", b"\xff\x00")
        device.publish("plant/yard", "1")
        page.goto(f"{system.url}/topics")
        node(page, "plant").get_by_role("button", name="Open plant").click()
        node(page, "hall").get_by_role("button", name="Open hall").click()
        node(page, "lamp").click()
        detail = page.get_by_label("Topic", exact=True)
        expect(detail).to_contain_text("plant/hall/lamp")
        expect(detail).to_contain_text("retained")
        expect(detail).to_contain_text("on: true")
        expect(page).to_have_url(re.compile(r"topic=plant(/|%2F)hall(/|%2F)lamp"))
        # The open topic is watched: what is published arrives at once, not at the next poll.
        expect(detail.get_by_text("live", exact=True)).to_be_visible()
        device.publish("plant/hall/lamp", '{"on": false}', retain=True)
        expect(detail).to_contain_text("on: false", timeout=2000)
        node(page, "raw").click()
        expect(detail).to_contain_text("000000  ff 00")


def test_the_tree_is_used_from_the_keyboard(page: Page, system: System) -> None:
    """Arrows move and open, Enter selects, the slash leads to the search."""
    with Device(system.broker.port) as device:
        device.publish("plant/hall/lamp", "bright")
    page.goto(f"{system.url}/topics")
    expect(node(page, "plant")).to_be_visible(timeout=10_000)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search topics")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    expect(node(page, "plant")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(node(page, "hall")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(node(page, "lamp")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Topic", exact=True)).to_contain_text("bright")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(node(page, "lamp")).to_have_count(0)


def test_a_link_leads_to_a_topic(page: Page, system: System) -> None:
    """An address with a topic opens its levels and shows it; an unknown one is said."""
    with Device(system.broker.port) as device:
        device.publish("a/b/c d/ü", "deep")
    open_topic(page, system, "a/b/c d/ü")
    expect(page.get_by_label("Topic", exact=True)).to_contain_text("deep", timeout=10_000)
    expect(node(page, "c d")).to_be_visible()


def test_messages_difference_and_plot(page: Page, system: System) -> None:
    """Past messages come from the log; two are compared, and a number becomes a curve."""
    with Device(system.broker.port) as device:
        for degrees in (20, 21, 23):
            device.publish("room/climate", f'{{"temp": {degrees}, "unit": "C"}}')
        open_topic(page, system, "room/climate")
        detail = page.get_by_label("Topic", exact=True)
        expect(detail).to_contain_text("temp: 23", timeout=10_000)
        view(page, "Messages")
        past = page.get_by_label("Last messages, newest first")
        expect(past).to_contain_text('{"temp": 20, "unit": "C"}')
        device.publish("room/climate", '{"temp": 24, "unit": "F"}')
        expect(past).to_contain_text('"unit": "F"')
        view(page, "Difference")
        expect(detail).to_contain_text("temp")
        expect(detail).to_contain_text("2 changes")
        view(page, "Plot")
        expect(detail).to_contain_text("20 to 24")


def test_hostile_topics_are_shown_as_text(page: Page, system: System) -> None:
    """P73: neither a topic nor a payload becomes markup, and hidden characters are seen."""
    with Device(system.broker.port) as device:
        device.publish("<img src=x onerror=alert(1)>/\u202eevil", "<script>alert(1)</script>")
    page.goto(f"{system.url}/topics")
    row = page.get_by_role("treeitem").filter(has_text="<img src=x onerror=alert(1)>")
    expect(row).to_be_visible(timeout=10_000)
    row.get_by_role("button").click()
    page.get_by_role("treeitem").filter(has_text="evil").click()
    expect(page.get_by_label("Topic", exact=True)).to_contain_text("<script>alert(1)</script>")
    assert "\u202e" not in page.locator("main").inner_text()


def test_topics_are_searched_as_one_types(page: Page, system: System) -> None:
    """Words and filters find topics; what is not there is said; the address keeps the search."""
    with Device(system.broker.port) as device:
        for room in ("north", "south"):
            device.publish(f"building/{room}/temperature", "21.5")
        device.publish("building/north/door", "<b>shut</b>")
    page.goto(f"{system.url}/topics")
    box = page.get_by_role("searchbox", name="Search topics")
    found = page.get_by_role("treeitem")
    box.fill("NORTH temp")
    # The index is written once a second, and an open search is asked again every few seconds.
    expect(found).to_have_text([re.compile("building/north/temperature")], timeout=10_000)
    box.fill("building/+/temperature")
    expect(found).to_have_count(2)
    expect(page).to_have_url(re.compile(r"q=building"))
    box.fill("shut")
    expect(found).to_have_text([re.compile("<b>shut</b>")])
    page.get_by_role("group", name="Search in").get_by_text("Names", exact=True).click()
    expect(page.get_by_text("Nothing found")).to_be_visible()
    box.press("Escape")
    expect(box).to_have_value("")


def test_without_redis_it_says_so(page: Page, system: System) -> None:
    """P66: an index that cannot be asked is an error with a reason, not an empty list."""
    page.goto(f"{system.url}/topics")
    expect(page.get_by_role("heading", name="Topics")).to_be_visible()
    system.redis.kill()
    expect(page.get_by_role("alert")).to_contain_text("Redis", timeout=15_000)
    system.complaints.clear()  # the browser notes the 503 answers
    system.redis.start()
    expect(page.get_by_role("alert")).to_have_count(0, timeout=15_000)
    system.complaints.clear()
