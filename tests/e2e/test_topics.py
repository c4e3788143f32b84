"""The tree of topics: opened level by level, searched, each topic with its last value."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import System
from tests.support.services import Device

pytestmark = pytest.mark.e2e


def row(page: Page, text: str) -> None:
    page.locator("button.row", has_text=text).first.click()


def test_the_tree_opens_level_by_level(page: Page, system: System) -> None:
    """A topic is found by opening its levels, and shows its last value, also a binary one."""
    with Device(system.broker.port) as device:
        device.publish("plant/hall/lamp", '{"on": true}', retain=True)
        device.publish("plant/hall/raw", b"\xff\x00")
        device.publish("plant/yard", "1")
        page.goto(f"{system.url}/topics")
        row(page, "plant")
        row(page, "hall")
        row(page, "lamp")
        detail = page.get_by_label("Payload", exact=True)
        expect(detail).to_contain_text('"on": true')
        expect(page.get_by_label("Topic", exact=True)).to_contain_text("retained")
        device.publish("plant/hall/lamp", '{"on": false}', retain=True)
        expect(detail).to_contain_text('"on": false', timeout=10_000)
        row(page, "raw")
        expect(detail).to_contain_text("000000  ff 00")


def test_topics_are_searched_as_one_types(page: Page, system: System) -> None:
    """Words and filters find topics; what is not there is said; the address keeps the search."""
    with Device(system.broker.port) as device:
        for room in ("north", "south"):
            device.publish(f"building/{room}/temperature", "21.5")
        device.publish("building/north/door", "<b>shut</b>")
    page.goto(f"{system.url}/topics")
    box = page.get_by_role("searchbox", name="Search topics")
    box.fill("NORTH temp")
    # The index is written once a second, and an open search is asked again every few seconds.
    found = page.locator("button.row")
    expect(found).to_have_text([re.compile("building/north/temperature")], timeout=10_000)
    box.fill("building/+/temperature")
    expect(found).to_have_count(2)
    expect(page).to_have_url(re.compile(r"q=building"))
    box.fill("shut")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.get_by_text("in values, too").click()
    expect(found).to_have_text([re.compile("<b>shut</b>")])


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
