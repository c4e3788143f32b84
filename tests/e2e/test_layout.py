"""The pages use the room they have: nothing is cut on a phone, a wide screen is used."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import System, running_system
from tests.support.services import Device

pytestmark = pytest.mark.e2e


# Nothing here changes the system: one is enough for all.
@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run everything, once."""
    with running_system(tmp_path_factory.mktemp("layout")) as system:
        yield system


CUT = """selector => [...document.querySelectorAll(selector)]
  .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.className)"""


def opened(browser: Browser, url: str, width: int, locale: str) -> Page:
    context = browser.new_context(viewport={"width": width, "height": 900}, locale=locale)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(url)
    return page


def test_clients_leave_columns_out_and_cut_none(chromium: Browser, system: System) -> None:
    """Beside an open detail and on a phone the list shows fewer columns, each of them whole."""
    name = "a-rather-long-name-of-a-client-in-hall-7"
    with Device(system.broker.port, name, topics=("plant/#",)):
        page = opened(chromium, f"{system.url}/clients?id={name}", 1440, "de-DE")
        detail = page.get_by_label("Client", exact=True)
        expect(detail).to_be_visible(timeout=30_000)
        columns = {}
        for width in (1920, 1440, 1000, 861, 390):
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator("td.client_id", has_text="a-rather")).to_be_visible()
            assert page.evaluate(CUT, ".split .scroll") == [], width
            for pill in page.locator("td.state .pill").all():
                box, frame = pill.bounding_box(), page.locator(".split .scroll").bounding_box()
                assert box is not None
                assert frame is not None
                assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 1, width
            columns[width] = page.locator("th:visible").count()
        assert columns[1920] == 8
        assert 2 <= columns[390] < columns[1440] <= 8
        page.context.close()


def test_the_overview_fits_small_and_large(chromium: Browser, system: System) -> None:
    """On a phone the figures come first and no table is cut; a wide screen is used."""
    page = opened(chromium, system.url, 390, "en-GB")
    averages = page.get_by_role("table", name="The broker's averages")
    expect(averages).to_be_visible(timeout=30_000)
    assert page.evaluate(CUT, "main :is(section, dl, dd, td, th, table)") == []
    tops = [
        page.evaluate("s => document.querySelector(s).getBoundingClientRect().top", selector)
        for selector in (".tiles", ".parts", ".charts")
    ]
    assert tops == sorted(tops)
    assert tops[0] < 300
    page.set_viewport_size({"width": 1920, "height": 1080})
    assert page.evaluate("document.querySelector('.overview').clientWidth") > 1600
    rows = page.locator(".tiles > div").evaluate_all(
        "tiles => new Set(tiles.map(one => one.getBoundingClientRect().top)).size"
    )
    assert rows == 1
    page.context.close()


def test_a_chart_tells_its_values(chromium: Browser, system: System) -> None:
    """By pointer and by keys a time and its values are told, and a table says the same."""
    page = opened(chromium, system.url, 1280, "en-GB")
    plot = page.get_by_role("slider", name="Messages: values at a time")
    expect(page.locator(".charts canvas")).to_have_count(2, timeout=30_000)
    expect(plot).to_have_attribute("aria-valuemax", re.compile("[1-9]"), timeout=60_000)
    figure = page.locator("figure").filter(has=plot)
    expect(figure.locator(".time")).to_have_count(0)
    plot.focus()
    page.keyboard.press("ArrowLeft")
    expect(figure.locator(".time")).to_be_visible()
    told = plot.get_attribute("aria-valuetext") or ""
    assert figure.locator(".time").inner_text() in told
    page.keyboard.press("Home")
    expect(plot).not_to_have_attribute("aria-valuetext", told)
    page.keyboard.press("Escape")
    expect(figure.locator(".time")).to_have_count(0)
    box = plot.bounding_box()
    assert box is not None
    # Where nothing was measured yet the time is told, and no value made up.
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
    expect(figure.locator(".time")).to_be_visible()
    expect(figure.locator("strong").first).to_have_text("\u2013")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 100)
    expect(figure.locator(".time")).to_have_count(0)
    figure.get_by_text("As a table").click()
    expect(figure.get_by_role("row")).to_have_count(13)
    page.context.close()
