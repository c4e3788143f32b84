"""What is folded away on the Publish page: delivery, MQTT 5 properties, requests and replies."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import System, running_system
from tests.e2e.test_accessibility import AXE, RULES
from tests.e2e.test_publish import fill
from tests.support.servers import wait_for
from tests.support.services import Device

pytestmark = pytest.mark.e2e

# paho describes neither its constructor nor its attributes.
Properties: Any = PahoProperties
OPTIONS = "Delivery and properties"
REQUEST = "Request and reply"


def unfold(page: Page, title: str) -> None:
    page.locator("summary", has_text=title).click()


def publish(page: Page) -> None:
    page.get_by_role("button", name="Publish", exact=True).click()


def set_properties(page: Page) -> None:
    """Fill every field of the folded part."""
    unfold(page, OPTIONS)
    page.get_by_label("Content type").fill("application/json")
    page.get_by_label("Payload format").select_option(label="UTF-8 text (1)")
    page.get_by_label("Message expiry").fill("7500")
    expect(page.locator("#expiry-help")).to_contain_text("2 h 5 min")
    page.get_by_label("Response topic", exact=True).fill("lamp/answers")
    page.get_by_label("Correlation data", exact=True).fill("00 ff")
    expect(page.get_by_label("Correlation data", exact=True)).to_be_visible()
    page.get_by_label("Correlation data is given as").select_option("hex")
    for number, (name, value) in enumerate([("who", "ada"), ("who", "bob")], 1):
        page.get_by_role("button", name="Add a property").click()
        page.get_by_label(f"Name of property {number}").fill(name)
        page.get_by_label(f"Value of property {number}").fill(value)


def only(device: Device, topic: str) -> Any:
    """Wait for the one message on a topic; untyped, as its properties are."""
    wait_for(lambda: device.heard(topic), f"a message on {topic}")
    (message,) = [one for one in device.received if one.topic == topic]
    return message


def check_properties(message: Any) -> None:
    properties = message.properties
    assert properties.ContentType == "application/json"
    assert properties.PayloadFormatIndicator == 1
    assert 7400 < properties.MessageExpiryInterval <= 7500
    assert properties.ResponseTopic == "lamp/answers"
    assert properties.CorrelationData == b"\x00\xff"
    assert properties.UserProperty[:2] == [("who", "ada"), ("who", "bob")]


def test_a_plain_message_is_published_without_unfolding_anything(
    page: Page, system: System
) -> None:
    """The options are folded away, and what is not set is not sent."""
    with Device(system.broker.port, topics=("lamp/#",)) as device:
        fill(page, system, "lamp/set", "on")
        expect(page.get_by_label("Content type")).to_have_count(0)
        publish(page)
        properties: Any = only(device, "lamp/set").properties
        for name in ("ContentType", "ResponseTopic", "CorrelationData", "UserProperty"):
            assert not hasattr(properties, name), name


def test_every_property_arrives_at_the_device(page: Page, system: System) -> None:
    """All properties of the form are in the PUBLISH packet that a device gets."""
    with Device(system.broker.port, topics=("lamp/#",)) as device:
        fill(page, system, "lamp/set", '{"on": true}')
        set_properties(page)
        publish(page)
        expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
        message = only(device, "lamp/set")
        check_properties(message)
        assert len(message.properties.UserProperty) == 2


def test_a_template_and_an_edited_result_keep_the_properties(page: Page, system: System) -> None:
    """Both bring back everything, also after a reload."""
    with Device(system.broker.port, topics=("lamp/#",)) as device:
        fill(page, system, "lamp/one", "{}")
        set_properties(page)
        page.get_by_role("textbox", name="Name of the template").fill("Full")
        page.get_by_role("button", name="Save as template").click()
        publish(page)
        expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
        for topic, choose in (
            ("lamp/two", page.get_by_role("button", name="Full").first),
            ("lamp/three", page.get_by_role("button", name="Edit again").first),
        ):
            page.goto(f"{system.url}/publish")
            choose.click()
            expect(page.locator("summary", has_text=OPTIONS)).to_contain_text("7 properties")
            page.get_by_label("Topic", exact=True).fill(topic)
            publish(page)
            check_properties(only(device, topic))


def test_a_seen_message_is_published_again_with_its_properties(page: Page, system: System) -> None:
    """From the Topics page in two steps, and from its link with the form filled in."""
    with Device(system.broker.port, topics=("door/#",)) as device:
        properties = Properties(PacketTypes.PUBLISH)
        properties.ContentType = "text/plain"
        properties.UserProperty = [("k", "v"), ("command-id", "another")]
        device.client.publish("door/set", b"\xff", qos=1, properties=properties)
        known = f"{system.url}/api/topics/one?topic=door%2Fset"
        wait_for(lambda: page.request.get(known).ok, "the topic is known")
        page.goto(f"{system.url}/topics?topic=door%2Fset")
        expect(page.get_by_text("text/plain").first).to_be_visible()
        page.get_by_role("button", name="Publish again").click()
        page.get_by_role("button", name="Publish", exact=True).click()
        wait_for(lambda: len(device.heard("door/set")) == 2, "it is published again")
        copy: Any = device.received[-1].properties
        assert copy.ContentType == "text/plain"
        assert copy.UserProperty == [("k", "v")]
        page.get_by_role("link", name="All options on the Publish page").click()
        expect(page.locator("#payload")).to_have_value("/w==")
        # The copy was also given an expiry: the time within which it had to be sent.
        expect(page.locator("summary", has_text=OPTIONS)).to_contain_text("3 properties")


def test_delivery_modes_do_what_they_say(page: Page, system: System) -> None:
    """At least once marks the message for the device; exactly once raises the QoS it needs."""
    with Device(system.broker.port, topics=("valve/#",)) as device:
        fill(page, system, "valve/a", "1")
        unfold(page, OPTIONS)
        page.get_by_text("At least once", exact=True).click()
        publish(page)
        expect(page.get_by_text("confirmed", exact=True)).to_have_count(1)
        (pair,) = only(device, "valve/a").properties.UserProperty
        assert pair[0] == "command-id"
        expect(page.get_by_text(f"Command {pair[1]}")).to_be_visible()
        page.get_by_text("Exactly once", exact=True).first.click()
        expect(page.locator('input[name="qos"][value="2"]')).to_be_checked()
        page.get_by_label("Topic", exact=True).fill("valve/b")
        publish(page)
        expect(page.get_by_text("confirmed", exact=True)).to_have_count(2)
        only(device, "valve/b")
        page.locator(".group", has=page.locator('[name="qos"]')).get_by_text("0").click()
        expect(page.locator('input[name="mode"][value="at-most-once"]')).to_be_checked()


def test_a_result_comes_after_a_reload(page: Page, system: System) -> None:
    """A command that was accepted is asked for by its id when the page is opened again."""
    fill(page, system, "slow/set", "1")
    unfold(page, OPTIONS)
    page.get_by_text("At least once", exact=True).click()
    page.get_by_label("Send within").fill("60")
    system.broker.freeze()
    try:
        publish(page)
        expect(page.get_by_text("accepted", exact=True)).to_be_visible()
        page.reload()
        expect(page.get_by_text("accepted", exact=True)).to_be_visible()
    finally:
        system.broker.thaw()
    expect(page.get_by_text("confirmed", exact=True)).to_be_visible(timeout=20_000)


def test_what_is_not_sent_in_time_expires(page: Page, system: System) -> None:
    """With a bridge that does nothing the page says expired, although nobody tells it so."""
    fill(page, system, "late/set", "1")
    unfold(page, OPTIONS)
    page.get_by_label("Send within").fill("1")
    system.bridge.freeze()
    try:
        publish(page)
        expect(page.get_by_text("expired", exact=True)).to_be_visible()
        expect(page.get_by_text("Not sent within its time.")).to_be_visible()
    finally:
        system.bridge.thaw()


@contextmanager
def opened(chromium: Browser, system: System, **context: Any) -> Iterator[Page]:
    """Open a page of a system of one's own."""
    found = chromium.new_context(**context)
    found.set_default_timeout(10_000)
    yield found.new_page()
    found.close()


def test_a_refusal_is_shown_in_words_with_its_code(chromium: Browser, tmp_path: Path) -> None:
    """The reason code of the broker's PUBACK is on the page, and what it means."""
    rules = tmp_path / "acl"
    rules.write_text("topic read #\ntopic read $SYS/#\ntopic write mqtt-dashboard/#\n")
    rules.chmod(0o644)
    with (
        running_system(tmp_path, f"acl_file {rules}") as system,
        opened(chromium, system) as page,
    ):
        fill(page, system, "forbidden", "1")
        publish(page)
        expect(page.get_by_text("failed", exact=True)).to_be_visible()
        expect(page.get_by_text("not authorised (0x87)")).to_be_visible()


def test_with_mqtt_3_the_properties_are_out_of_reach(chromium: Browser, tmp_path: Path) -> None:
    """The page says that the bridge speaks 3.1.1; a plain message is still published."""
    with (
        running_system(tmp_path, MQTT_PROTOCOL="3.1.1") as system,
        opened(chromium, system) as page,
    ):
        fill(page, system, "old/set", "1")
        unfold(page, OPTIONS)
        expect(page.get_by_text("Properties need MQTT 5").first).to_be_visible()
        expect(page.get_by_label("Content type")).to_be_disabled()
        expect(page.locator('input[name="mode"][value="exactly-once"]')).to_be_disabled()
        unfold(page, REQUEST)
        expect(page.get_by_role("button", name="Send as request")).to_be_disabled()
        publish(page)
        expect(page.get_by_text("confirmed", exact=True)).to_be_visible()


Answer = Callable[[paho.Client, str, bytes], None]


@contextmanager
def responder(port: int, answer: Answer) -> Iterator[None]:
    """Run a device that answers what comes on ask/#: told the response topic and the data."""
    with Device(port, "responder", topics=("ask/#",)) as device:

        def on_message(client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
            properties: Any = message.properties
            answer(client, properties.ResponseTopic, properties.CorrelationData)

        device.client.on_message = on_message
        yield


def reply(client: paho.Client, topic: str, data: bytes | None, payload: str) -> None:
    properties = Properties(PacketTypes.PUBLISH)
    if data is not None:
        properties.CorrelationData = data
    client.publish(topic, payload, qos=1, properties=properties)


def ask(page: Page, system: System, timeout: str = "10") -> None:
    fill(page, system, "ask/lamp", "state?")
    unfold(page, REQUEST)
    page.get_by_label("Response topics below").fill("answers/page")
    page.get_by_label("Wait for (seconds)").fill(timeout)
    page.get_by_role("button", name="Send as request").click()


def test_a_reply_is_matched_by_its_correlation_data(page: Page, system: System) -> None:
    """Among foreign messages the reply is found, with the time it took."""
    topics: list[str] = []

    def answer(client: paho.Client, topic: str, data: bytes) -> None:
        topics.append(topic)
        reply(client, topic, b"somebody else's", "foreign")
        reply(client, topic, None, "unmarked")
        reply(client, topic, data, "the lamp is on")
        reply(client, topic, data, "twice")

    with responder(system.broker.port, answer):
        ask(page, system)
        expect(page.get_by_text("answered", exact=True)).to_be_visible()
        expect(page.get_by_text("the lamp is on")).to_be_visible()
        expect(page.locator(".reply").first).to_contain_text("Reply after")
        expect(page.locator(".reply").nth(1)).to_contain_text("Another reply")
        expect(page.locator(".strays")).to_contain_text("foreign correlation data")
        expect(page.locator(".strays")).to_contain_text("without correlation data")
        page.get_by_role("button", name="Send as request").click()
        expect(page.get_by_text("answered", exact=True)).to_have_count(2)
    assert topics[0].startswith("answers/page/")
    assert topics[0] == topics[1]


def test_no_reply_is_said_and_a_late_one_is_shown_as_late(page: Page, system: System) -> None:
    """After the time is over the text says so; what comes later does not become the answer."""
    asked: list[tuple[paho.Client, str, bytes]] = []

    def note(client: paho.Client, topic: str, data: bytes) -> None:
        asked.append((client, topic, data))

    with responder(system.broker.port, note):
        ask(page, system, "0.5")
        expect(page.get_by_text("no reply", exact=True)).to_be_visible()
        expect(page.get_by_text("No reply with this correlation data")).to_be_visible()
        client, topic, data = asked[0]
        reply(client, topic, data, "sorry")
        expect(page.get_by_text("Late reply")).to_be_visible()
        expect(page.get_by_text("no reply", exact=True)).to_be_visible()


def test_unfolded_it_fits_a_phone_and_axe_finds_nothing(chromium: Browser, tmp_path: Path) -> None:
    """Everything open and filled in, at 390 px in German and wide in the dark."""
    with running_system(tmp_path) as system:
        shapes: tuple[dict[str, Any], ...] = (
            {"viewport": {"width": 390, "height": 844}, "locale": "de-DE"},
            {"viewport": {"width": 1280, "height": 844}, "color_scheme": "dark"},
        )
        for settings in shapes:
            with opened(chromium, system, **settings) as page:
                page.goto(f"{system.url}/publish?topic=a%2Fb&payload=1")
                for number in range(3):
                    page.locator("summary").nth(number).press("Enter")
                page.locator("#response-topic").fill("a/b/" + "long-level/" * 12)
                page.locator(".wide button").last.click()
                page.locator(".request button").click()
                expect(page.locator(".exchanges li")).to_have_count(1)
                width = settings["viewport"]["width"]
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                time.sleep(0.6)
                page.evaluate(AXE.read_text(encoding="utf-8"))
                report = page.evaluate(
                    "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
                )
                found = [(one["id"], one["nodes"][0]["html"]) for one in report["violations"]]
                assert found == []
