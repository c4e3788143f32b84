"""The monitor shows what passes at the broker, exactly, and nothing else."""

import re

import pytest
from playwright.sync_api import Error, Page, expect

from tests.e2e.conftest import System
from tests.support.services import Device

pytestmark = pytest.mark.e2e

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def watch(page: Page, system: System, topic_filter: str) -> None:
    page.goto(f"{system.url}/monitor")
    page.get_by_label("Topic filter").fill(topic_filter)
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("list", name="Watched filters")).to_contain_text(topic_filter)


def test_a_message_appears_in_an_open_page(page: Page, system: System) -> None:
    """What a device publishes is on the page a moment later, whole path, no reload."""
    watch(page, system, "test/#")
    with Device(system.broker.port) as device:
        device.publish("test/integration", "hello", qos=1)
    row = page.locator("button.row", has_text="test/integration")
    expect(row).to_contain_text("hello")
    expect(row).to_contain_text("QoS 1")


def test_without_the_bridge_nothing_appears(page: Page, system: System) -> None:
    """P84: the message came through the bridge, or not at all."""
    watch(page, system, "test/#")
    system.bridge.kill()
    with Device(system.broker.port) as device:
        device.publish("test/integration", "hello", qos=1)
    with pytest.raises(Error):
        page.locator("button.row", has_text="test/integration").wait_for(timeout=3000)


def test_only_matching_topics_appear(page: Page, system: System) -> None:
    """P20: + is one whole level, and # does not bring the broker's own topics."""
    watch(page, system, "a/+/c")
    with Device(system.broker.port) as device:
        for topic in ("a/b/c/d", "a/c", "b/b/c", "a/bb/c"):
            device.publish(topic, topic)
    expect(page.locator("button.row")).to_have_count(1)
    expect(page.locator("button.row")).to_contain_text("a/bb/c")


def test_a_late_page_sees_recent_messages(page: Page, system: System) -> None:
    """P68: messages from before the page was opened are there at once."""
    with Device(system.broker.port) as device:
        device.publish("early/bird", "worm")
    page.goto(f"{system.url}/monitor?f=early/%23")
    expect(page.locator("button.row", has_text="early/bird")).to_contain_text("worm")


def test_binary_is_shown_as_binary(page: Page, system: System) -> None:
    """P18: bytes that are no text are marked and shown in hex, with their size."""
    watch(page, system, "raw")
    with Device(system.broker.port) as device:
        device.publish("raw", b"\xff\x00\x80")
    row = page.locator("button.row", has_text="raw")
    expect(row).to_contain_text("binary")
    expect(row).to_contain_text("ff 00 80")
    row.click()
    expect(page.get_by_label("Payload", exact=True)).to_contain_text("000000  ff 00 80")


def test_a_long_payload_is_marked_as_cut(page: Page, system: System) -> None:
    """A payload longer than a frame carries says so in its row; its details hold all of it."""
    watch(page, system, "long")
    with Device(system.broker.port) as device:
        device.publish("long", b"x" * 1_048_576)
    row = page.locator("button.row", has_text="long")
    expect(row).to_contain_text("cut")
    expect(row).to_contain_text("1 MiB")
    row.click()
    left = page.get_by_role("button", name="Show more, 1,040,576 left")
    expect(left).to_be_visible(timeout=20_000)


def test_hostile_text_stays_text(page: Page, system: System) -> None:
    """Topic and payload of a stranger are shown, never run."""
    watch(page, system, "#")
    with Device(system.broker.port) as device:
        device.publish(f"evil/{HOSTILE}", HOSTILE)
    row = page.locator("button.row", has_text="evil/")
    expect(row).to_contain_text("<img src=x")
    row.click()
    expect(page.get_by_label("Payload", exact=True)).to_contain_text("<script>")
    assert page.locator("img").count() == 0
    assert "owned" not in page.title()


def test_pause_holds_the_list_and_counts(page: Page, system: System) -> None:
    """Paused, the list stands still, over a reload too; a band says since when and how much."""
    watch(page, system, "flow")
    with Device(system.broker.port) as device:
        device.publish("flow", "before")
        expect(page.locator("button.row")).to_have_count(1)
        page.locator("h1").click()
        page.keyboard.press("p")
        for number in range(3):
            device.publish("flow", f"during {number}")
        band = page.locator(".band")
        expect(band).to_contain_text("3 new")
        since = band.get_by_role("status").inner_text()
        assert re.fullmatch(r"Paused at \d\d:\d\d:\d\d", since)
        expect(page.locator("button.row")).to_have_count(1)
        page.reload()
        expect(band).to_contain_text("3 new")
        expect(band.get_by_role("status")).to_have_text(since)
        device.publish("flow", "after the reload")
        expect(band).to_contain_text("4 new")
        expect(page.locator("button.row")).to_have_count(1)
        band.get_by_role("button", name="Resume").click()
        expect(page.locator("button.row")).to_have_count(5)
        expect(band).to_have_count(0)


def test_filters_survive_a_reload(page: Page, system: System) -> None:
    """The address holds the filters: a reload, or a colleague, sees the same."""
    watch(page, system, "kept/#")
    expect(page).to_have_url(re.compile(r"f=kept"))
    page.reload()
    expect(page.get_by_role("list", name="Watched filters")).to_contain_text("kept/#")
    with Device(system.broker.port) as device:
        device.publish("kept/x", "1")
    expect(page.locator("button.row")).to_have_count(1)


def test_a_broken_filter_is_told_in_words(page: Page, system: System) -> None:
    """What MQTT forbids is said while typing, and cannot be watched."""
    page.goto(f"{system.url}/monitor")
    page.get_by_label("Topic filter").fill("a/#/b")
    expect(page.locator("#filter-help")).to_contain_text("last level")
    expect(page.get_by_role("button", name="Watch", exact=True)).to_be_disabled()


def test_a_burst_is_bounded_and_what_is_left_out_is_said(page: Page, system: System) -> None:
    """A flood does not freeze the page: the ring is bounded and skipped messages are counted."""
    watch(page, system, "flood/#")
    with Device(system.broker.port) as device:
        for number in range(20_000):
            device.client.publish(f"flood/{number % 100}", str(number), qos=0)
        device.publish("flood/end", "last")
    expect(page.locator("button.row", has_text="flood/end")).to_be_visible(timeout=20_000)
    footer = page.locator("footer").inner_text()
    figures = [
        int(n.replace(",", "")) for n in re.findall(r"([\d,]+) (?:received|skipped)", footer)
    ]
    assert sum(figures) == 20_001
    assert page.locator("button.row").count() < 100
