"""How the page comes to the browser: small, kept, and complete in the package."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import STATIC, System
from tests.support.servers import wait_for

pytestmark = pytest.mark.e2e

FIRST_LOAD_BYTES = 150_000
ROOT = Path(__file__).parents[2]


def test_the_first_load_is_small(page: Page, system: System) -> None:
    """All that is transferred until the frame stands, headers too, stays within the budget."""
    network = page.context.new_cdp_session(page)
    transferred: list[int] = []
    urls: list[str] = []

    def loaded(event: Any) -> None:
        transferred.append(int(event["encodedDataLength"]))

    network.on("Network.loadingFinished", loaded)
    network.on("Network.responseReceived", lambda event: urls.append(event["response"]["url"]))
    network.send("Network.enable")
    page.goto(f"{system.url}/nowhere", wait_until="networkidle")  # nothing here comes later
    expect(page.get_by_text("There is no page at this address")).to_be_visible()
    assert len(transferred) > 5
    assert sum(transferred) < FIRST_LOAD_BYTES, urls
    # The second time only the entry is asked for; what carries its hash in its name is kept.
    urls.clear()
    transferred.clear()
    page.goto(f"{system.url}/nowhere", wait_until="networkidle")
    expect(page.get_by_text("There is no page at this address")).to_be_visible()
    assert sum(transferred) < 10_000, urls
    assert not [url for url in urls if "history" in url]


def test_the_past_comes_as_far_as_it_is_looked_at(page: Page, system: System) -> None:
    """The overview asks for the lines it draws, and for all others once they are in sight."""
    asked: list[str] = []
    page.on(
        "request", lambda request: asked.append(request.url) if "/history" in request.url else None
    )
    page.goto(system.url)
    expect(page.get_by_role("table", name="The broker's averages")).to_be_attached(timeout=30_000)
    assert [("fields=" in url) for url in asked] == [True]
    page.get_by_role("table", name="The broker's averages").scroll_into_view_if_needed()

    def all_asked() -> bool:
        page.wait_for_timeout(50)
        return len(asked) > 1

    wait_for(all_asked, "the rest is asked for")
    assert "fields=" not in asked[1]


def test_the_package_carries_the_compressed_forms(tmp_path: Path) -> None:
    """A wheel holds what the build left beside each large script."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    wanted = {
        f"mqtt_dashboard/dashboard/static/assets/{file.name}{ending}"
        for file in (STATIC.parent / "assets").glob("*.js")
        if file.stat().st_size > 1000
        for ending in (".gz", ".br")
    }
    assert len(wanted) > 10
    assert wanted - set(names) == set()
