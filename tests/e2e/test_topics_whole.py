"""Messages longer than a list shows: whole on the page and in files, or it is said what is left."""

import json
import re
import struct
import zlib
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import System
from tests.e2e.test_topics import open_topic, view
from tests.support.servers import wait_for
from tests.support.services import Device

pytestmark = pytest.mark.e2e


def huge(degrees: float) -> str:
    """Return JSON of about 765 KB with a number at its very end."""
    rows = [
        {"id": number, "name": f"item {number}", "tags": "abcdefgh"} for number in range(14_000)
    ]
    return json.dumps({"rows": rows, "temp": degrees})


def noisy_png(width: int = 300, height: int = 90) -> bytes:
    """Return a picture of about 80 KB that cannot be packed any smaller."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    noise, lines = 1, b""
    for _ in range(height):
        line = bytearray()
        for _ in range(3 * width):
            noise = noise * 1103515245 + 12345 & 0x7FFFFFFF
            line.append(noise >> 16 & 0xFF)
        lines += b"\0" + bytes(line)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )


def saved(page: Page, name: str, role: Literal["button", "menuitem"] = "button") -> bytes:
    """Press a button and return the file it saves."""
    with page.expect_download() as download:
        page.get_by_role(role, name=name).click()
    path = download.value.path()
    return Path(path).read_bytes()


def test_p44_long_messages_are_whole(page: Page, system: System) -> None:
    """P44: as a tree, compared, plotted, drawn and saved, on the pages of topics and messages."""
    first, second, picture = huge(20.5), huge(21.5), noisy_png()
    assert len(picture) > 80_000
    with Device(system.broker.port) as device:
        device.publish("lab/huge", first)
        device.publish("lab/huge", second)
        device.publish("lab/picture", picture)
        open_topic(page, system, "lab/huge")
        detail = page.get_by_label("Topic", exact=True)
        expect(detail).to_contain_text("rows: [ 14,000 items ]", timeout=20_000)
        expect(detail).to_contain_text("temp: 21.5")
        assert saved(page, "Download the last value").decode() == second
        view(page, "Difference")
        expect(detail).to_contain_text("one change", timeout=20_000)
        view(page, "Plot")
        detail.get_by_role("combobox", name="Plot").select_option("temp")
        expect(detail).to_contain_text("20.5 to 21.5")
        view(page, "Value")
        page.get_by_role("treeitem").filter(has_text="picture").click()
        drawn = detail.get_by_role("img", name="The payload as a picture")
        expect(drawn).to_be_visible(timeout=20_000)
        wait_for(lambda: drawn.evaluate("image => image.naturalHeight") == 90, "it is whole")
        # From here on only beginnings are known: 8 KiB of what was just seen, or 4 in the index.
        system.redis.client().delete("mqtt:log")
        open_topic(page, system, "lab/huge")
        expect(detail).to_contain_text(re.compile("Only the first [48] KiB of"), timeout=20_000)
        assert saved(page, "Download the last value").decode() in {second[:4096], second[:8192]}
        expect(detail.get_by_role("alert")).to_contain_text("The file holds these")
        page.goto(f"{system.url}/monitor?f=lab/%23")
        expect(page.get_by_role("list", name="Watched filters")).to_contain_text("lab/#")
        device.publish("lab/late", first)
    row = page.locator("button.row", has_text="lab/late")
    row.click(button="right")
    assert saved(page, "Download the payload", "menuitem").decode() == first
    expect(page.get_by_role("menu")).to_have_count(0)
    row.click()
    expect(page.get_by_label("Message", exact=True)).to_contain_text("temp: 20.5", timeout=20_000)
    system.redis.client().delete("mqtt:log")
    row.click(button="right")
    assert len(saved(page, "Download the payload", "menuitem")) == 8192
    expect(page.get_by_role("status").filter(has_text="Only the first 8 KiB")).to_be_visible()
    system.complaints.clear()  # the browser notes the 404 answers
