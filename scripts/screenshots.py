"""Take the pictures of the documents: every page, light and dark, wide and narrow.

Starts the whole system with demo traffic on a free port, opens it in Chromium, and ends what it
started. Run it with `make screenshots`.
"""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.servers import Child, free_port, running, wait_for  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
# Shown in full length when narrow: what matters is not on the first screen.
WHOLE = {"overview", "publish", "system"}
# A picture longer than this shows nobody anything.
LONGEST = 2600
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def system(folder: Path) -> Iterator[str]:
    """Run everything on a free port; yield the page's address."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "mqtt-dashboard"), "up", "--port", str(port)]
    child = Child(command, folder / "up.log")
    with running(child):
        url = f"http://localhost:{port}"
        wait_for(lambda: ready(url), "the page answers", 60)
        yield url
        child.terminate(15)


def ready(url: str) -> bool:
    """Tell whether the dashboard says that it is ready."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as reply:
            return bool(json.load(reply)["ok"])
    except OSError:
        return False


def open_page(browser: Browser, url: str, theme: Theme, size: tuple[int, int]) -> Page:
    """Open a page in a theme and size, and complain about everything it complains about."""
    page = browser.new_page(
        viewport={"width": size[0], "height": size[1]}, color_scheme=theme, device_scale_factor=1
    )
    page.on("console", lambda message: print(f"console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: print(f"page error: {error}"))
    page.goto(url)
    return page


def prepare(page: Page, name: str) -> None:
    """Bring a page into the state worth showing."""
    is_wide = (page.viewport_size or {"width": 0})["width"] > 800
    if name == "overview":
        page.wait_for_timeout(11_000)
    if name == "monitor":
        page.locator("button.row").first.wait_for()
        page.wait_for_timeout(2500)
        page.keyboard.press("p")
        if is_wide:
            page.locator("button.row", has_text="climate").first.click()
    if name == "topics":
        for level in ("demo", "buildings", "north", "floor-1"):
            page.get_by_role("button", name=f"Open {level}", exact=True).click()
        room = page.get_by_role("treeitem").filter(has_text="room-").first
        room.get_by_role("button").click()
        if is_wide:
            page.get_by_role("treeitem").filter(has_text="climate").first.click()
        page.wait_for_timeout(1500)
    if name == "publish":
        page.fill("#topic", "demo/building/hall/lamp/set")
        page.fill("#payload", '{"on": true, "brightness": 80}')
        page.get_by_role("button", name="Publish", exact=True).click()
        page.wait_for_selector("text=confirmed by the broker")
        page.wait_for_timeout(300)
    if name in {"clients", "system"}:
        page.wait_for_timeout(2500)


def picture(page: Page, target: Path, *, whole: bool) -> None:
    """Write a picture; in full length on a screen as long as the page, bars at its ends."""
    size = page.viewport_size
    if whole and size is not None:
        height = int(page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": size["width"], "height": min(height, LONGEST)})
        page.wait_for_timeout(300)
    page.screenshot(path=target)


def main() -> None:
    """Write all pictures."""
    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    IMAGES.mkdir(parents=True, exist_ok=True)
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    with system(folder) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        time.sleep(45)  # a chart needs a history
        pages = {
            "overview": "/",
            "monitor": "/monitor?f=demo/%23&f=demo/machines/%23",
            "topics": "/topics",
            "clients": "/clients",
            "publish": "/publish",
            "system": "/system",
        }
        for name, path in pages.items():
            for theme in THEMES:
                for label, size in SIZES.items():
                    page = open_page(browser, url + path, theme, size)
                    page.wait_for_selector("text=connected")
                    prepare(page, name)
                    target = IMAGES / f"{name}-{theme}-{label}.png"
                    picture(page, target, whole=label == "narrow" and name in WHOLE)
                    page.close()
                    print(f"wrote {target.relative_to(ROOT)}")
        browser.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
