"""No text of a stranger comes to life on any page, wherever it stands (P73)."""

import time
from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Browser, Error, Page, Route, expect

from mqtt_dashboard.contract.commands import CommandReply, PublishCommand
from mqtt_dashboard.contract.messages import (
    ClientInfo,
    ClientsUpdate,
    LogMessage,
    MessageProperties,
)
from mqtt_dashboard.contract.offers import AccountInfo, HeldFilter
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.hostile_texts import FOREIGN, RUN, TEXTS, in_topic, payloads
from tests.support.servers import wait_for
from tests.support.tripwire import Tripwire

pytestmark = pytest.mark.e2e

TOPICS = [f"x/{number}/{in_topic(text)}" for number, text in enumerate(TEXTS)]
# Frames of the fan-out hold so many messages of one moment; more would be left out.
AT_ONCE = 80
# Follows links inside the page as a click would, and waits for what each of them has to show.
FOLLOW = """async ([addresses, selector, marks]) => {
  for (const [index, address] of addresses.entries()) {
    history.pushState(null, "", address);
    dispatchEvent(new PopStateEvent("popstate", { state: null }));
    const give_up = performance.now() + 5000;
    do {
      await new Promise(requestAnimationFrame);
      if (performance.now() > give_up) throw new Error(`nothing is shown at ${address}`);
    } while (!document.querySelector(selector)?.textContent.includes(marks?.[index] ?? ""));
  }
}"""
# Opens row after row as the arrow keys and a click do; returns the numbers in the opened topics.
WALK = """async (count) => {
  const opened = [];
  const active = () => document.querySelector('[data-active="true"]');
  let row = document.body;
  for (let step = 0; step < count; step += 1) {
    const key = { key: "ArrowDown", bubbles: true, cancelable: true };
    const give_up = performance.now() + 5000;
    const before = row.textContent;
    (active() ?? document.body).dispatchEvent(new KeyboardEvent("keydown", key));
    do {
      await new Promise(requestAnimationFrame);
      row = active() ?? row;
      if (performance.now() > give_up) throw new Error(`no row ${step}`);
    } while (row.textContent === before);
    const name = row.textContent.match(/x\\/(\\d+)\\//)[1];
    row.click();
    while (!document.querySelector(".detail")?.textContent.includes(`x/${name}/`)) {
      await new Promise(requestAnimationFrame);
      if (performance.now() > give_up) throw new Error(`row ${step} does not open`);
    }
    opened.push(name);
  }
  return opened;
}"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard whose Redis holds every hostile text wherever a stranger may write one."""
    with running_stack(tmp_path_factory.mktemp("xss")) as running_one:
        feed = running_one.bridge.feed
        feed.topics(
            *((topic, payloads(TEXTS[number], number)) for number, topic in enumerate(TOPICS)),
            ("many", b"x"),
        )
        feed.stats(version=TEXTS[0], uptime=1)
        feed.announce(feed.channels.CLIENT_LIST, _clients())
        wait_for(
            lambda: running_one.dashboard.get("/api/clients")[1]["known"] == len(TEXTS), "clients"
        )
        yield running_one


@pytest.fixture
def wire(request: pytest.FixtureRequest, chromium: Browser, stack: Stack) -> Iterator[Tripwire]:
    """Watch a fresh context; whatever is noted fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1400})
    context.set_default_timeout(10_000)
    tripwire = Tripwire(context, f"{stack.dashboard.url}/")
    request.node.context = context
    yield tripwire
    context.close()


@pytest.fixture
def page(request: pytest.FixtureRequest, wire: Tripwire) -> Iterator[Page]:
    """Open a page of the watched context."""
    page: Page = request.node.context.new_page()
    yield page
    wire.check(page)


def test_the_texts_come_to_life_where_nothing_holds_them_back(chromium: Browser) -> None:
    """The corpus is sharp and the tripwire sees it: 60 texts run as soon as they are a page.

    The others want to stand in an attribute, a template or code, or to be clicked.
    """
    assert len(TEXTS) >= 200
    context = chromium.new_context()
    tripwire = Tripwire(context, "http://control.invalid/")

    def answer(route: Route) -> None:
        route.fulfill(body="<!doctype html>", content_type="text/html")

    context.route("**/*", answer)
    page = context.new_page()
    page.goto("http://control.invalid/")
    page.evaluate(
        """async (texts) => {
          for (const [index, text] of texts.entries()) {
            const frame = document.createElement("iframe");
            frame.name = `t${index}`;
            frame.srcdoc = text;
            document.body.append(frame);
            if (index % 20 === 19) await new Promise((done) => setTimeout(done, 100));
          }
        }""",
        list(TEXTS),
    )
    alive: set[str] = set()

    def enough_ran() -> bool:
        page.evaluate("() => new Promise(requestAnimationFrame)")
        alive.update(name for name, _ in tripwire.noted)
        return len(alive) >= 60

    wait_for(enough_ran, "60 texts run")
    context.close()


def test_the_policy_stops_what_gets_into_the_page(page: Page, stack: Stack, wire: Tripwire) -> None:
    """Even a mistake of ours would run nothing: markup from text is refused, so are handlers."""
    answer = page.goto(stack.dashboard.url)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "require-trusted-types-for 'script'; trusted-types vue" in policy
    expect(page.get_by_role("navigation").first).to_be_visible()
    for attempt in (
        f"document.body.innerHTML = '<img src=x onerror={RUN}>'",
        f"document.createElement('script').text = '{RUN}'",
        f"document.createElement('script').src = '{FOREIGN}'",
        f"document.createElement('iframe').srcdoc = '<script>{RUN}</script>'",
        "new Worker('/assets/x.js')",
        "trustedTypes.createPolicy('mine', {createHTML: (text) => text})",
        "trustedTypes.createPolicy('default', {createHTML: (text) => text})",
    ):
        with pytest.raises(Error, match=r"Trusted|[Pp]olicy"):
            page.evaluate(f"() => {{ {attempt} }}")
    page.evaluate(f"() => document.body.setAttribute('style', 'background:url({FOREIGN})')")

    def stopped() -> set[str]:
        page.evaluate("() => new Promise(requestAnimationFrame)")
        return {what.split()[1] for _, what in wire.noted}

    wanted = {"require-trusted-types-for", "trusted-types", "style-src-attr"}
    wait_for(lambda: wanted <= stopped(), f"all of {wanted} is reported: {wire.noted}")
    assert not [what for _, what in wire.noted if not what.startswith("policy: ")]
    wire.noted.clear()


def test_messages_on_the_monitor(page: Page, stack: Stack) -> None:
    """Topic, payload, every MQTT 5 property: all rows are walked and opened from the keyboard."""
    page.goto(f"{stack.dashboard.url}/monitor?f=x/%23")
    expect(page.locator("header").get_by_text("live")).to_be_visible()
    expect(page.get_by_role("list", name="Watched filters")).to_contain_text("x/#")
    footer = page.locator("main footer")
    # Of what came before it watched, a page is shown the last 50 only.
    stack.bridge.feed.messages(("x/first", "watching"))
    expect(footer).to_contain_text("1 shown")
    for start in range(0, len(TEXTS), AT_ONCE):
        part = range(start, min(start + AT_ONCE, len(TEXTS)))
        stack.bridge.feed.log([_message(TOPICS[number], number) for number in part])
        expect(footer).to_contain_text(f"{part.stop + 1} received")
    # Once somebody walks through the list, it stands still: all must be in it before.
    expect(footer).to_contain_text(f"{len(TEXTS) + 1} shown")
    opened = page.evaluate(WALK, len(TEXTS))
    assert {int(number) for number in opened} == set(range(len(TEXTS)))
    assert page.locator("main img:not([alt])").count() == 0


def test_topics_and_their_values(page: Page, stack: Stack) -> None:
    """200 topics are opened in the tree; values, past, difference and curve are shown."""
    page.goto(f"{stack.dashboard.url}/topics")
    opened = [number for number in range(len(TOPICS)) if number % 3]
    assert len(opened) >= 200
    _follow(
        page,
        [f"/topics?topic={quote(TOPICS[number], safe='')}" for number in opened],
        ".detail",
        [f"x/{number}/" for number in opened],
    )
    for start in range(0, len(TEXTS), AT_ONCE):
        part = range(start, min(start + AT_ONCE, len(TEXTS)))
        stack.bridge.feed.log([_message("many", number) for number in part])
    page.goto(f"{stack.dashboard.url}/topics?topic=many")
    show = page.get_by_role("group", name="Show of this topic")
    show.get_by_text("Messages", exact=True).click()
    expect(
        page.get_by_label("Last messages, newest first").get_by_role("listitem")
    ).not_to_have_count(0)
    for name in ("Difference", "Plot"):
        show.get_by_text(name, exact=True).click()
        choice = page.locator(".detail select").last
        if choice.count():
            for index in range(min(choice.locator("option").count(), 50)):
                choice.select_option(index=index)
    page.goto(f"{stack.dashboard.url}/topics?q=x")
    found = page.get_by_role("treeitem")
    expect(found.first).to_be_visible()
    for _ in range(12):
        page.keyboard.press("End")
        page.get_by_role("tree").evaluate("tree => tree.scrollBy(0, 1200)")
        page.evaluate("() => new Promise(requestAnimationFrame)")


def test_clients_filters_and_conditions_of_the_address(page: Page, stack: Stack) -> None:
    """Client ids and user names; and whatever a link puts into the address of any view."""
    page.goto(f"{stack.dashboard.url}/clients")
    expect(page.locator("tbody tr")).to_have_count(len(TEXTS))
    addresses = []
    for number, text in enumerate(TEXTS):
        where = {"f": [text, in_topic(text)], "where": text}
        addresses.append("/monitor?" + urlencode(where, doseq=True))
        named = f"{number} {text}"
        others = (
            "/publish?" + urlencode({"topic": text, "payload": text}),
            "/clients?" + urlencode({"id": named, "q": named}),
            "/topics?" + urlencode({"q": text, "topic": text}),
            "/?" + urlencode({"span": text}),
            "/clients?" + urlencode({"sort": text, "show": text, "q": named}),
            f"/{quote(text, safe='')}",
        )
        if number % 2:
            addresses.append(others[number // 2 % len(others)])
    _follow(page, addresses, "main")
    # A whole new page per address, too: what the server puts out, and what runs at its start.
    for text in TEXTS[:: len(TEXTS) // 6]:
        page.goto(f"{stack.dashboard.url}/monitor?{urlencode({'f': text, 'where': text})}")
        expect(page.get_by_role("heading", name="Monitor")).to_be_visible()
    page.goto(f"{stack.dashboard.url}/{quote(TEXTS[0], safe='')}?{quote(TEXTS[0])}#{TEXTS[0]}")
    for name in ("", "system"):
        page.goto(f"{stack.dashboard.url}/{name}")
        expect(page.locator("main h1").first).to_be_visible()


def test_what_the_broker_answers(page: Page, stack: Stack) -> None:
    """The reason of a refused publish is the broker's text, and is shown as text."""
    texts = iter(TEXTS[::30])

    def refused(command: PublishCommand) -> CommandReply:
        return CommandReply(id=command.id or "", state="failed", reason=next(texts))

    stack.bridge.answer = refused
    page.goto(f"{stack.dashboard.url}/publish?topic={quote('<b>x</b>')}&payload=x")
    send = page.get_by_role("button", name="Publish", exact=True)
    for text in TEXTS[::30]:
        expect(send).to_be_enabled()
        send.click()
        expect(page.locator(".side").get_by_text(text[:20]).first).to_be_visible()


def _follow(
    page: Page, addresses: Sequence[str], selector: str, marks: Sequence[str] | None = None
) -> None:
    page.evaluate(FOLLOW, [list(addresses), selector, list(marks) if marks else None])


def _message(topic: str, number: int) -> LogMessage:
    text = TEXTS[number]
    return LogMessage(
        topic=topic,
        payload=payloads(text, number),
        qos=1,
        retain=number % 2 == 0,
        dup=False,
        timestamp=time.time(),
        properties=MessageProperties(
            content_type=text if number % 3 else "text/html",
            response_topic=text,
            correlation_data=text.encode(),
            user_properties=[(text, text), ("href", text), (text, f"javascript:{RUN}")],
        ),
    )


def _clients() -> ClientsUpdate:
    return ClientsUpdate(
        timestamp=time.time(),
        clients=[
            ClientInfo(
                client_id=f"{number} {text}",
                connected=number % 2 == 0,
                address=text,
                protocol=text,
                username=text,
                last_reason=text,
                subscriptions=[HeldFilter(filter=text, qos=1)],
            )
            for number, text in enumerate(TEXTS)
        ],
        connected=len(TEXTS),
        known=len(TEXTS),
        source=TEXTS[0],
        hint=TEXTS[1],
        left_out={TEXTS[2]: 1},
        accounts=[AccountInfo(username=text, roles=[text], groups=[text]) for text in TEXTS],
        accounts_hint=TEXTS[3],
    )
