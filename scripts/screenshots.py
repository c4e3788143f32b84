"""Take pictures of every view: light and dark, wide and narrow, with demo devices.

They go to .run/screenshots/ (or the folder given), one PNG per view and look. Fails when a view
writes an error to the console.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

ROOT = Path(__file__).parents[1]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-background-networking"]
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
SETTLE_MS = 2500
START_S = 60.0


def main() -> None:
    """Start the stack, visit every view, stop the stack."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".run/screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "up.log"
    program = str(Path(sys.executable).with_name("mqtt-dashboard"))
    with log.open("wb") as output:
        stack = subprocess.Popen([program, "up", "--port", "8092"], stdout=output, stderr=output)
    try:
        address = _address(stack, log)
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            complaints = _take_all(browser, address, folder)
            browser.close()
    finally:
        stack.terminate()
        stack.wait(10)
    for complaint in complaints:
        print(complaint)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")
    sys.exit(1 if complaints else 0)


def _address(stack: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and stack.poll() is None:
        if found := re.search(r"Ready: (\S+)", log.read_text()):
            return found.group(1)
        time.sleep(0.1)
    raise SystemExit(f"the dashboard did not start:\n{log.read_text()}")


def _take_all(browser: Browser, address: str, folder: Path) -> list[str]:
    complaints: list[str] = []
    for scheme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = context.new_page()

            def note(message: ConsoleMessage, look: str = f"{scheme}, {size}") -> None:
                if message.type == "error":
                    complaints.append(f"{look}: {message.text}")

            page.on("console", note)
            for name, target in _views(page, address).items():
                page.goto(target)
                page.wait_for_timeout(SETTLE_MS)
                page.screenshot(path=folder / f"{name}-{scheme}-{size}.png")
            context.close()
    return complaints


def _views(page: Page, address: str) -> dict[str, str]:
    """Return the views the page's own navigation leads to, by name."""
    page.goto(address)
    page.wait_for_selector("nav a[href]", state="attached")
    links = page.eval_on_selector_all("nav a[href]", "links => links.map(link => link.href)")
    own = [link for link in links if link.startswith(address)]
    names = {re.sub(r"[^a-z0-9]+", "-", link[len(address) :]).strip("-"): link for link in own}
    return {name or "start": link for name, link in names.items()}


if __name__ == "__main__":
    main()
