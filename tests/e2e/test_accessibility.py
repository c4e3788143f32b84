"""Every page and every state of it is free of violations of WCAG 2.2 AA, as far as axe can see."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import System, running_system
from tests.support.services import Device

# Some seconds on an idle machine; on a busy one axe takes its time.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

AXE = Path(__file__).parents[2] / "frontend/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ALL = {"runOnly": {"type": "tag", "values": RULES}}
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
WIDTHS = (1280, 390)
PAGES = {
    name: f"/{name}"
    for name in ("", "monitor", "topics", "clients", "publish", "system", "nowhere")
} | {"a topic": "/topics?topic=plant%2Fhall%2Flamp", "a watched filter": "/monitor?f=%23"}
STALE = ("", "monitor?f=%23", "clients", "system")


def chosen_row(page: Page) -> None:
    page.locator("button.row").first.click()
    expect(page.get_by_label("Message", exact=True)).to_be_visible()


def row_menu(page: Page) -> None:
    page.locator("button.row").first.click(button="right")
    expect(page.get_by_role("menu")).to_be_visible()


def chip_form(page: Page) -> None:
    page.get_by_role("button", name="Change #").click()
    expect(page.locator("form.editor")).to_be_visible()


def help_dialog(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    options = page.get_by_role("dialog", name="Commands").get_by_role("option")
    expect(options.first).to_be_visible()


def client_detail(page: Page) -> None:
    page.get_by_role("button", name="mqtt-bridge-service").click(timeout=30_000)
    expect(page.get_by_label("Client", exact=True)).to_be_visible()


def chart_table(page: Page) -> None:
    page.get_by_text("As a table").first.click()
    expect(page.locator("figure table")).to_be_visible()


STATES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "a chosen row": ("monitor?f=%23", chosen_row),
    "the menu of a row": ("monitor?f=%23", row_menu),
    "the form of a filter": ("monitor?f=%23", chip_form),
    "the help": ("", help_dialog),
    "the palette": ("", palette),
    "the detail of a client": ("clients", client_detail),
    "the table of a chart": ("", chart_table),
}


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run everything once, and let a device speak, so that every page has something to show."""
    with (
        running_system(tmp_path_factory.mktemp("axe")) as system,
        Device(system.broker.port, topics=("plant/#",)) as device,
    ):
        for number in range(3):
            device.publish("plant/hall/lamp", f'{{"on": true, "level": {number}}}', retain=True)
        device.publish("plant/hall/raw", b"\xff\x00")
        yield system


class Examiner:
    """Opens pages in two widths and themes and writes down what axe finds."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.found: list[str] = []
        self._browser = browser
        self._url = url
        self._contexts: list[BrowserContext] = []
        self._source = AXE.read_text(encoding="utf-8")

    def pages(self) -> Iterator[tuple[int, Page]]:
        """Yield a page of each width; what moves would be examined half-way."""
        for width in WIDTHS:
            context = self._browser.new_context(
                viewport={"width": width, "height": 844}, reduced_motion="reduce"
            )
            context.set_default_timeout(20_000)
            self._contexts.append(context)
            yield width, context.new_page()

    def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            context.close()

    def open(self, page: Page, path: str) -> Page:
        """Open a page and wait until it lives."""
        page.goto(f"{self._url}/{path.removeprefix('/')}")
        expect(page.get_by_role("group", name="Connection")).to_contain_text("live")
        expect(page.locator("h1")).to_have_count(1)
        page.wait_for_timeout(400)  # for what is drawn when its numbers come
        return page

    def examine(self, page: Page, what: str) -> None:
        """Look at everything in the light, and at the contrasts again in the dark."""
        page.evaluate(self._source)
        for theme, rules in (("light", ALL), ("dark", CONTRAST)):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            expect(page.locator("html")).to_have_attribute("data-theme", theme)
            report = page.evaluate("rules => axe.run(document, rules)", rules)
            self.found += [
                f"{what}, {theme}: {one['id']}: {node['html'][:200]} {node['failureSummary']}"
                for one in report["violations"]
                for node in one["nodes"][:3]
            ]


@pytest.fixture
def examiner(chromium: Browser, lively: System) -> Iterator[Examiner]:
    """Yield one that looks at the running system."""
    assert AXE.exists(), "axe-core is missing; `npm ci` in frontend/ installs it"
    examiner = Examiner(chromium, lively.url)
    yield examiner
    examiner.close()


def test_axe_finds_nothing_on_any_page(examiner: Examiner) -> None:
    """Every page, light and dark, wide and narrow."""
    for width, page in examiner.pages():
        for name, path in PAGES.items():
            examiner.open(page, path)
            examiner.examine(page, f"{name or 'overview'} {width}")
    assert examiner.found == [], "\n".join(examiner.found)


def test_axe_finds_nothing_in_what_opens(examiner: Examiner) -> None:
    """Details, menus, forms and dialogs, light and dark, wide and narrow."""
    for width, page in examiner.pages():
        for name, (path, act) in STATES.items():
            examiner.open(page, path)
            act(page)
            examiner.examine(page, f"{name} {width}")
    assert examiner.found == [], "\n".join(examiner.found)


def test_axe_finds_nothing_in_what_is_from_before(examiner: Examiner, lively: System) -> None:
    """Pages that lost the bridge are dimmed, and can be read as well as before."""
    opened = [
        (f"stale {path or 'overview'} {width}", examiner.open(first.context.new_page(), path))
        for width, first in examiner.pages()
        for path in STALE
    ]
    lively.bridge.freeze()
    try:
        for what, page in opened:
            page.bring_to_front()
            states = page.get_by_role("group", name="Connection")
            expect(states).to_contain_text("silent", timeout=20_000)
            examiner.examine(page, what)
    finally:
        lively.bridge.thaw()
    assert examiner.found == [], "\n".join(examiner.found)
