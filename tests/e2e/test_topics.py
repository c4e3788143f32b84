"""The tree of topics: opened level by level, searched, each topic with its values."""

import gzip
import re
import struct
import zlib
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import System
from tests.support.servers import wait_for
from tests.support.services import Device

pytestmark = pytest.mark.e2e

SPARKPLUG = (
    b"\x08\x80\xa0\xc0\xe5\xbd\x31\x12\x11\x0a\x04temp\x20\x0a\x69"
    + struct.pack("<d", 21.5)
    + b"\x18\x07"
)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# Two red pixels.
PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\0" + b"\xff\0\0" * 2))
    + _chunk(b"IEND", b"")
)


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
    """The bridge's own topics are no device's; a topic is found level by level with its value."""
    page.goto(f"{system.url}/topics")
    expect(node(page, "mqtt-dashboard")).to_be_visible(timeout=10_000)
    expect(page.get_by_text("No device has sent anything yet")).to_be_visible()
    expect(page.locator("main code")).to_contain_text(f"-h 127.0.0.1 -p {system.broker.port} -t")
    with Device(system.broker.port) as device:
        device.publish("plant/hall/lamp", '{"on": true}', retain=True)
        device.publish("plant/hall/raw", b"\xff\x00")
        device.publish("plant/yard", "1")
        expect(page.get_by_text("No device has sent anything yet")).to_have_count(0, timeout=10_000)
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


@pytest.mark.parametrize(
    ("topic", "payload", "kind", "text"),
    [
        ("f/cbor", bytes.fromhex("a16474656d70f94d80"), "CBOR", "temp: 22"),
        ("f/msgpack", b"\x82\xa4temp\x15\xa2on\xc3", "MessagePack", "temp: 21"),
        ("f/gzip", gzip.compress(b'{"packed": [1, 2, 3]}'), "JSON", "packed: [ 3 items ]"),
        ("f/number", "12345678901234567890", "Number", "12345678901234567890"),
        ("f/json", '{"id": 12345678901234567890}', "JSON", "id: 12345678901234567890"),
        ("spBv1.0/g/DDATA/e/d", SPARKPLUG, "Sparkplug B", 'datatype: "Double"'),
    ],
    # Bytes in a name may differ from one process to the next: gzip holds the time.
    ids=["cbor", "msgpack", "gzip", "number", "json", "sparkplug"],
)
def test_payloads_are_decoded(
    page: Page, system: System, topic: str, payload: bytes | str, kind: str, text: str
) -> None:
    """Each format is recognised by its bytes, under the page's own security policy."""
    with Device(system.broker.port) as device:
        device.publish(topic, payload)
    open_topic(page, system, topic)
    detail = page.get_by_label("Topic", exact=True)
    expect(detail.get_by_role("radio", name=kind)).to_be_checked(timeout=10_000)
    expect(detail.get_by_label("Payload", exact=True)).to_contain_text(text)


def test_a_picture_is_drawn_and_a_choice_is_remembered(page: Page, system: System) -> None:
    """A picture shows as one; bytes chosen instead stay chosen, for the branch when asked to."""
    with Device(system.broker.port) as device:
        device.publish("camera/one", PNG)
        device.publish("camera/two", PNG)
    open_topic(page, system, "camera/one")
    detail = page.get_by_label("Topic", exact=True)
    picture = detail.get_by_role("img", name="The payload as a picture")
    expect(picture).to_be_visible(timeout=10_000)
    assert picture.evaluate("image => image.naturalWidth") == 2
    detail.get_by_text("Hex", exact=True).click()
    expect(detail.get_by_label("Payload", exact=True)).to_contain_text("000000  89 50 4e 47")
    detail.get_by_label("Remembered for").select_option("camera/#")
    node(page, "two").click()
    expect(detail).to_contain_text("camera/two")
    expect(detail.get_by_label("Payload", exact=True)).to_contain_text("000000  89 50 4e 47")
    page.reload()
    expect(detail.get_by_role("radio", name="Hex")).to_be_checked(timeout=10_000)
    detail.get_by_role("button", name="Choose automatically again").click()
    expect(picture).to_be_visible()


def test_a_message_is_published_again_in_two_steps(page: Page, system: System) -> None:
    """The shown message opens to be changed, nothing is sent by that; then it is, and answered."""
    with Device(system.broker.port, topics=("door/#",)) as device:
        device.publish("door/set", b"\x01\xff")
        open_topic(page, system, "door/set")
        detail = page.get_by_label("Topic", exact=True)
        detail.get_by_role("button", name="Publish again").click()
        editor = detail.get_by_role("form", name="Publish to this topic")
        payload = editor.get_by_role("textbox", name="Payload")
        expect(payload).to_have_value("01 ff")
        expect(editor.get_by_role("radio", name="1", exact=True)).to_be_checked()
        payload.fill("02 ff")
        editor.get_by_text("Retain", exact=True).click()
        assert device.heard("door/set") == [b"\x01\xff"]
        editor.get_by_role("button", name="Publish", exact=True).click()
        expect(detail.get_by_role("status")).to_have_text("Published, confirmed by the broker.")
        wait_for(lambda: device.heard("door/set") == [b"\x01\xff", b"\x02\xff"], "it came")
        expect(detail).to_contain_text("2 messages", timeout=10_000)
        expect(detail.get_by_text("retained", exact=True)).to_be_visible()
        editor.get_by_role("button", name="Close").click()
        expect(editor).to_have_count(0)


def test_a_large_level_is_loaded_as_one_scrolls(page: Page, system: System) -> None:
    """Only rows in sight exist; more are loaded on the way down; a link leads into the middle."""
    with Device(system.broker.port) as device:
        for number in range(450):
            device.client.publish(f"many/item-{number:03}", "x", qos=1)
        device.publish("zlast", "end")
    open_topic(page, system, "many/item-321")
    row = page.get_by_role("treeitem")
    linked = node(page, "item-321")
    expect(linked).to_be_in_viewport(timeout=10_000)
    # The rows above it are loaded because they are in sight, and do not push it away.
    for neighbour in ("item-319", "item-320", "item-322"):
        expect(node(page, neighbour)).to_be_in_viewport()
    expect(row.filter(has_text="Loading")).to_have_count(0)
    expect(linked).to_be_in_viewport()
    assert row.count() < 80
    node(page, "item-321").press("Home")
    expect(node(page, "many")).to_be_focused()
    node(page, "many").press("ArrowDown")
    expect(node(page, "item-000")).to_be_focused()
    tree = page.get_by_role("tree", name="Topics")

    def all_loaded() -> bool:
        """Scroll on, from the top again at the end; tell whether all rows have their place."""
        height: int = tree.evaluate(
            """tree => {
              const end = tree.scrollTop + tree.clientHeight >= tree.scrollHeight - 1;
              tree.scrollTo(0, end ? 0 : tree.scrollTop + 300);
              return tree.scrollHeight;
            }"""
        )
        return height >= 452 * 36

    wait_for(all_loaded, "the hole before the linked topic is filled", 30)
    assert row.count() < 80


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
        device.publish("building/south/note", "mind the door")
        device.publish("door", "2 of them")
    page.goto(f"{system.url}/topics")
    box = page.get_by_role("searchbox", name="Search topics")
    found = page.get_by_role("treeitem")
    box.fill("NORTH temp")
    # The index is written once a second, and an open search is asked again every few seconds.
    expect(found).to_have_text([re.compile("building/north/temperature")], timeout=10_000)
    # What begins with the text comes first, then other names, then values.
    box.fill("door")
    expect(found).to_have_text(
        [
            re.compile(rf"^\s*{one}")
            for one in ("door", "building/north/door", "building/south/note")
        ]
    )
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
