"""What the monitor offers to find one message among many: names, colours, conditions, memory."""

import re
from urllib.parse import quote

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import System
from tests.support.servers import wait_for
from tests.support.services import Device

pytestmark = pytest.mark.e2e


def at(page: Page, system: System, *filters: str, where: str = "") -> None:
    """Open the monitor at an address and wait until the filters are served."""
    query = "&".join(f"f={quote(one, safe='')}" for one in filters)
    page.goto(f"{system.url}/monitor?{query}&where={quote(where)}")
    for one in filters:
        expect(page.get_by_role("list", name="Watched filters")).to_contain_text(one)


def row(page: Page, text: str) -> Locator:
    return page.locator("button.row", has_text=text)


def colour(page: Page, text: str) -> str:
    """Return the colour of a row's dot."""
    return str(
        row(page, text).locator(".topic i").evaluate("dot => getComputedStyle(dot).backgroundColor")
    )


def test_each_filter_has_its_colour_and_name(page: Page, system: System) -> None:
    """A message has the colour of the filter that says most about it; names stay after a reload."""
    at(page, system, "plant/#", "plant/lamp")
    with Device(system.broker.port) as device:
        device.publish("plant/lamp", "on")
        device.publish("plant/fan", "off")
        expect(page.locator("button.row")).to_have_count(2)
        assert colour(page, "plant/lamp") != colour(page, "plant/fan")
        page.get_by_role("button", name="Change plant/lamp").click()
        page.get_by_label("Name").fill("the lamp")
        page.get_by_label("Name").press("Enter")
        chips = page.get_by_role("list", name="Watched filters")
        expect(chips).to_contain_text("the lamp")
        before = colour(page, "plant/lamp")
        page.reload()
        expect(chips).to_contain_text("the lamp")
        expect(row(page, "plant/lamp")).to_be_visible()
        assert colour(page, "plant/lamp") == before


def test_a_hidden_filter_is_received_and_not_shown(page: Page, system: System) -> None:
    """Hidden messages come back when the filter is shown again: nothing was unsubscribed."""
    at(page, system, "plant/#", "noise/#")
    with Device(system.broker.port) as device:
        page.get_by_role("button", name="Hide messages of noise/#").click()
        device.publish("noise/1", "hiss")
        device.publish("plant/1", "hum")
        expect(row(page, "plant/1")).to_be_visible()
        expect(row(page, "noise/1")).to_have_count(0)
        expect(page).to_have_url(re.compile("mute=noise"))
        page.get_by_role("button", name="Show messages of noise/#").click()
        expect(row(page, "noise/1")).to_be_visible()


def test_a_condition_picks_messages(page: Page, system: System) -> None:
    """Values inside JSON and QoS decide; the count of what was looked at is shown."""
    at(page, system, "room/#", where="payload.temp > 20 and qos = 1")
    with Device(system.broker.port) as device:
        device.publish("room/warm", '{"temp": 23.5}')
        device.publish("room/cold", '{"temp": 12}')
        device.publish("room/unsure", '{"temp": 30}', qos=0)
        device.publish("room/silent", "no JSON at all")
        expect(row(page, "room/warm")).to_be_visible()
        expect(page.locator("#where-told")).to_have_text("1 of 4 match")
        expect(page.locator("button.row")).to_have_count(1)
        page.get_by_label("Show only messages where").fill("payload.temp >")
        expect(page.locator("#where-told")).to_contain_text("a number, a text in quotes")
        expect(page.locator("#where-told")).to_contain_text("payload.temp > 20 and qos = 1")
        expect(page.locator("button.row")).to_have_count(1)
        page.get_by_label("Show only messages where").fill("payload.temp < 20")
        expect(row(page, "room/cold")).to_be_visible()
        expect(row(page, "room/warm")).to_have_count(0)
        page.get_by_label("Show only messages where").press("Escape")
        expect(page.locator("button.row")).to_have_count(4)
        page.keyboard.press("p")
        expect(page.locator(".band")).to_contain_text("Paused at")
        expect(page.get_by_label("Show only messages where")).to_have_value("")


def test_a_link_holds_the_open_message(page: Page, system: System) -> None:
    """Who is sent the address sees the same details, from the log; what is gone is said to be."""
    at(page, system, "plant/#")
    with Device(system.broker.port) as device:
        device.publish("plant/lamp", "the one", qos=2)
        row(page, "the one").click()
        for number in range(60):
            device.publish("plant/fan", str(number))
        expect(page.get_by_label("Message", exact=True)).to_contain_text("QoS delivered 1")
        expect(page).to_have_url(re.compile("message="))
        page.reload()
        expect(page.get_by_label("Payload", exact=True)).to_have_text("the one")
        colleague = page.context.new_page()
        colleague.goto(page.url)
        expect(row(colleague, "the one")).to_have_count(0)
        expect(colleague.get_by_label("Payload", exact=True)).to_have_text("the one")
        colleague.keyboard.press("Escape")
        expect(colleague).not_to_have_url(re.compile("message="))
        colleague.goto(f"{system.url}/monitor?f=plant/%23&message=1:1:plant/lamp")
        expect(colleague.get_by_label("Message", exact=True)).to_contain_text(
            "not at hand any more"
        )


def test_on_a_phone_the_account_is_in_sight(page: Page, system: System) -> None:
    """What was left out stands above the row of pages; nothing is wider than 320 px."""
    for width, height in ((390, 844), (320, 640)):
        page.set_viewport_size({"width": width, "height": height})
        at(page, system, "plant/#")
        foot, pages = page.locator("main footer").first, page.locator("nav")
        expect(foot).to_contain_text("0 skipped")
        lower, upper = foot.bounding_box(), pages.bounding_box()
        assert lower
        assert upper
        assert lower["y"] + lower["height"] <= upper["y"] + 1
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_slash_leads_to_the_filter_while_there_is_none(page: Page, system: System) -> None:
    """The search of this page is the field to begin with, not another page's."""
    page.goto(f"{system.url}/monitor")
    expect(page.get_by_text("Watch messages as they pass")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Topic filter")).to_be_focused()
    page.keyboard.type("a/b")
    page.keyboard.press("Enter")
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(page.get_by_label("Show only messages where")).to_be_focused()


def test_a_reload_keeps_what_was_seen_and_goes_on(page: Page, system: System) -> None:
    """Messages from before are still there, and what came during the reload is not missing."""
    at(page, system, "kept/#")
    with Device(system.broker.port) as device:
        for number in range(3):
            device.publish(f"kept/{number}", "before")
        expect(page.locator("button.row")).to_have_count(3)
        page.goto("about:blank")
        device.publish("kept/between", "meanwhile")
        page.goto(f"{system.url}/monitor")
        expect(row(page, "kept/between")).to_be_visible()
        device.publish("kept/after", "later")
        expect(row(page, "kept/after")).to_be_visible()
        expect(page.locator("button.row")).to_have_count(5)
        expect(page.locator(".notice")).to_have_count(0)


def test_a_reload_goes_on_from_a_replay(page: Page, system: System) -> None:
    """Nothing live has come yet: the list goes on where the replay ended, without a gap."""
    at(page, system, "past/#")
    with Device(system.broker.port) as device:
        device.publish("past/0", "before")
        expect(page.locator("button.row")).to_have_count(1)
        late = page.context.new_page()
        late.goto(f"{system.url}/monitor")
        expect(late.locator("button.row")).to_have_count(1)
        late.goto("about:blank")
        device.publish("past/between", "meanwhile")
        late.goto(f"{system.url}/monitor")
        expect(row(late, "past/between")).to_be_visible()
        expect(late.locator("button.row")).to_have_count(2)
        expect(late.locator(".notice")).to_have_count(0)


def test_what_was_skipped_stands_where_it_was(page: Page, system: System) -> None:
    """In a flood a row in the list says how many are left out, between those that are shown."""
    at(page, system, "flood/#")
    with Device(system.broker.port) as device:
        device.publish("flood/first", "1")
        expect(row(page, "flood/first")).to_be_visible()
        # Large ones: a frame is soon full.
        for number in range(8000):
            device.client.publish(f"flood/{number % 100}", f"{number} {'x' * 4000}", qos=0)
        device.publish("flood/last", "2")
        expect(row(page, "flood/last")).to_be_visible(timeout=20_000)
        page.get_by_role("button", name=re.compile("^Pause")).click()
        notice = page.locator(".notice", has_text=re.compile(r"[\d,]+ messages skipped"))
        listing = page.get_by_label("Messages, newest first")
        for _ in range(60):
            if notice.count():
                break
            listing.hover()
            page.mouse.wheel(0, 1200)
            page.wait_for_timeout(60)
        expect(notice.first).to_be_visible()


def test_a_row_can_be_hit_while_the_list_runs(page: Page, system: System) -> None:
    """The message under the pointer when the button went down opens, whatever came meanwhile."""
    at(page, system, "run/#")
    with Device(system.broker.port) as device:
        device.publish("run/one", "meant")
        row(page, "run/one").hover()
        page.mouse.down()
        device.publish("run/two", "came meanwhile")
        expect(page.locator("button.row").first).to_contain_text("run/two")
        page.mouse.up()
        expect(page.get_by_label("Payload", exact=True)).to_have_text("meant")


def test_one_topic_alone_and_back(page: Page, system: System) -> None:
    """A row's menu narrows to its topic; one click brings the filters before back."""
    at(page, system, "a/#", "b/#")
    with Device(system.broker.port) as device:
        device.publish("a/1", "x")
        device.publish("b/1", "y")
        row(page, "a/1").click(button="right")
        page.get_by_role("menuitem", name="Watch only this topic").click()
        chips = page.get_by_role("list", name="Watched filters")
        expect(chips).not_to_contain_text("b/#")
        expect(row(page, "b/1")).to_have_count(0)
        page.get_by_role("button", name="Back to the 2 filters before").click()
        expect(chips).to_contain_text("b/#")


def test_a_message_is_published_again(page: Page, system: System) -> None:
    """From a row to the form with everything filled in, and out to the broker."""
    at(page, system, "plant/#")
    with Device(system.broker.port, topics=("plant/#",)) as device:
        device.publish("plant/lamp/set", '{"on": true}')
        row(page, "plant/lamp/set").click(button="right")
        page.get_by_role("menuitem", name="Publish again").click()
        expect(page.locator("#topic")).to_have_value("plant/lamp/set")
        expect(page.locator("#payload")).to_have_value('{"on": true}')
        page.get_by_role("button", name="Publish", exact=True).click()
        expect(page.get_by_text("confirmed by the broker")).to_be_visible()
        wait_for(lambda: len(device.heard("plant/lamp/set")) == 2, "it came once more")
        assert set(device.heard("plant/lamp/set")) == {b'{"on": true}'}


def test_properties_of_mqtt_5_are_shown(page: Page, system: System) -> None:
    """Content type, response topic, correlation data and user properties stand in the detail."""
    at(page, system, "rpc/#")
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = "application/json"
    properties.ResponseTopic = "rpc/answers/7"
    properties.CorrelationData = b"\x01\x02"
    properties.UserProperty = [("trace", "abc"), ("trace", "def")]
    with Device(system.broker.port) as device:
        device.client.publish("rpc/call", "{}", qos=1, properties=properties).wait_for_publish(5)
        row(page, "rpc/call").click()
        detail = page.get_by_label("Message", exact=True)
        for text in ("application/json", "rpc/answers/7", "AQI=", "abc", "def"):
            expect(detail).to_contain_text(text)
