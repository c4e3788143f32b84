"""Signing in on the page: words for what is wrong, and back to where one was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from mqtt_dashboard.contract.auth import UserChange
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import wait_for
from tests.support.visitors import (
    PASSWORD,
    accounts_of,
    add_user,
    forgive_all,
    store_of,
)

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard that asks for sign-in, with a viewer and an operator of few topics."""
    folder: Path = tmp_path_factory.mktemp("page")
    with running_stack(folder, AUTH_MODE="required", ADMIN_PASSWORD=PASSWORD) as running_one:
        port = running_one.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        add_user(port, "vera", "viewer")
        add_user(port, "otto", "operator", publish=["lamps/#"])
        yield running_one


@pytest.fixture
def page(chromium: Browser, stack: Stack) -> Iterator[Page]:
    """Open a page whose errors fail the test."""
    forgive_all(stack.redis.client())
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(10_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_sign_in_leads_to_where_one_wanted(page: Page, stack: Stack) -> None:
    """The address stays, the first field has the focus, Enter is enough, and the page goes live."""
    page.goto(f"{stack.dashboard.url}/publish")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_label("User name")).to_be_focused()
    assert page.get_by_role("navigation").count() == 0
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Publish", exact=True)).to_be_visible()
    expect(page.get_by_text("Administrator")).to_be_visible()
    expect(page.locator("header").get_by_text("live")).to_be_visible()


def test_what_is_wrong_is_said_in_words(page: Page, stack: Stack) -> None:
    """A wrong password is told without a hint who exists; after a few there is a wait."""
    page.goto(stack.dashboard.url)
    sign_in(page, "admin", "not the password")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()

    def held_back() -> bool:
        page.get_by_label("Password", exact=True).fill("not the password")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        expect(page.get_by_role("alert")).not_to_be_empty()
        return "Too many attempts" in page.get_by_role("alert").inner_text()

    # The wait doubles with each attempt, so a slow machine gets there, too.
    assert any(held_back() for _ in range(12))


def test_signing_out_shows_nothing_any_more(page: Page, stack: Stack) -> None:
    """After sign-out the page holds nothing, and going back does not bring it back."""
    page.goto(stack.dashboard.url)
    sign_in(page, "vera")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_session_that_ends_leads_back_to_sign_in(page: Page, stack: Stack) -> None:
    """Revoked from elsewhere: the page notices by itself, says so, and goes on after signing in."""
    page.goto(f"{stack.dashboard.url}/monitor")
    sign_in(page, "vera")
    expect(page.get_by_text("Viewer", exact=True)).to_be_visible()
    expect(page.locator("header").get_by_text("live")).to_be_visible()
    accounts_of(stack.redis.port).change("vera", UserChange(password=PASSWORD))
    expect(page.get_by_text("You were signed out")).to_be_visible()
    sign_in(page, "vera")
    expect(page.get_by_text("Viewer", exact=True)).to_be_visible()
    assert page.url.endswith("/monitor")
    expect(page.locator("header").get_by_text("live")).to_be_visible()


def test_who_may_not_publish_is_told_why(page: Page, stack: Stack) -> None:
    """A viewer sees the reason; an operator is told which topics are allowed."""
    page.goto(f"{stack.dashboard.url}/publish")
    sign_in(page, "vera")
    expect(page.get_by_text("Publishing needs the role operator")).to_be_visible()
    expect(page.get_by_role("button", name="Publish", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "otto")
    page.get_by_label("Topic", exact=True).fill("doors/1")
    expect(page.locator("#topic-help")).to_contain_text("lamps/#")
    expect(page.get_by_role("button", name="Publish", exact=True)).to_be_disabled()
    page.get_by_label("Topic", exact=True).fill("lamps/1")
    expect(page.get_by_role("button", name="Publish", exact=True)).to_be_enabled()
    stack.bridge.feed.topics(("doors/1", b"shut"), ("lamps/1", b"on"))
    again = page.get_by_role("button", name="Publish again")
    page.goto(f"{stack.dashboard.url}/topics?topic=doors/1")
    expect(page.get_by_label("Topic", exact=True)).to_contain_text("You may publish to: lamps/#")
    expect(again).to_be_disabled()
    page.goto(f"{stack.dashboard.url}/topics?topic=lamps/1")
    expect(again).to_be_enabled()


def test_the_sign_in_page_fits_a_phone(page: Page, stack: Stack) -> None:
    """At 390 px nothing is cut off or has to be scrolled sideways."""
    page.set_viewport_size({"width": 390, "height": 760})
    page.goto(stack.dashboard.url)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    sign_in(page, "otto")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_loopback_nobody_is_asked(chromium: Browser, tmp_path: Path) -> None:
    """Without sign-in the page opens as it always did, and shows no user."""
    with running_stack(tmp_path) as open_stack:
        page = chromium.new_context().new_page()
        page.goto(open_stack.dashboard.url)
        expect(page.get_by_role("navigation").first).to_be_visible()
        assert page.get_by_role("button", name="Sign out").count() == 0
        page.context.close()
