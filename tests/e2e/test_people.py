"""Administrators keep users, tokens and the audit record; everybody keeps their own account."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, Visitor, add_user, forgive_all, store_of

pytestmark = pytest.mark.e2e
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard that asks for sign-in."""
    folder: Path = tmp_path_factory.mktemp("people")
    with running_stack(folder, AUTH_MODE="required", ADMIN_PASSWORD=PASSWORD) as running_one:
        port = running_one.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        add_user(port, "vera", "viewer")
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


def sign_in(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    page.goto(url)
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_user_is_added_changed_and_removed(page: Page, stack: Stack) -> None:
    """With a password made up and shown once; the new user gets in, with these filters."""
    sign_in(page, f"{stack.dashboard.url}/people", "admin")
    page.get_by_role("button", name="Add a user").click()
    form = page.get_by_role("dialog", name="Add a user")
    form.get_by_label("Name").fill("otto")
    form.get_by_text("Operator", exact=True).click()
    form.get_by_label("May publish").fill("lamps/#\na//+")
    form.get_by_role("button", name="Make one up").click()
    password = form.get_by_label("Password").input_value()
    assert len(password) == 20
    expect(form).to_contain_text(password)
    form.get_by_role("button", name="Save").click()
    users = page.get_by_role("list", name="Users")
    expect(users).to_contain_text("lamps/#, a//+")
    me = Visitor(stack.dashboard).login("otto", password).get("/api/auth/me")[1]
    assert (me["role"], me["publish"]["filters"]) == ("operator", ["lamps/#", "a//+"])

    page.get_by_role("button", name="Change otto").click()
    form = page.get_by_role("dialog", name="Change otto")
    form.get_by_label("May publish").fill("lamps/#/x")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("#")
    form.get_by_label("May publish").fill("-")
    form.get_by_role("button", name="Save").click()
    expect(users).to_contain_text("nothing")

    expect(users).not_to_contain_text("disabled")
    visitor = Visitor(stack.dashboard).login("otto", password)
    page.get_by_role("button", name="Sign out otto everywhere").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("otto is signed out everywhere.")).to_be_visible()
    assert visitor.get("/api/topics")[0] == 401
    visitor.login("otto", password)
    page.get_by_role("button", name="Change otto").click()
    form.get_by_text("Disabled: cannot sign in").click()
    form.get_by_role("button", name="Save").click()
    expect(users).to_contain_text("disabled")
    assert visitor.get("/api/topics")[0] == 401

    page.get_by_role("button", name="Remove otto").click()
    page.get_by_role("button", name="Yes").click()
    expect(users).not_to_contain_text("otto")
    page.get_by_role("button", name="Remove admin").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("alert")).to_contain_text("last administrator")


def test_a_token_is_made_used_and_revoked(page: Page, stack: Stack) -> None:
    """Shown once, it works; revoked, it does not."""
    sign_in(page, f"{stack.dashboard.url}/people", "admin")
    page.get_by_label("What it is for").fill("nightly job")
    page.get_by_role("button", name="Make a token").click()
    shown = page.get_by_text(re.compile(r"^mqd_\S+$"))
    token = shown.inner_text()
    program = Visitor(stack.dashboard, token)
    assert program.get("/api/topics")[0] == 200
    page.get_by_role("button", name="Revoke nightly job").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("button", name="Revoke nightly job")).to_have_count(0)
    assert program.get("/api/topics")[0] == 401


def test_sessions_and_tokens_end_with_who_had_them(page: Page, stack: Stack) -> None:
    """An administrator sees who is signed in, ends one session, and is told which tokens end."""
    add_user(stack.redis.port, "ada", "administrator")
    add_user(stack.redis.port, "nora", "viewer")
    ada, nora = (Visitor(stack.dashboard).login(name) for name in ("ada", "nora"))
    made = ada.ask("POST", "/api/tokens", {"label": "ada's job", "role": "viewer"})[1]
    sign_in(page, f"{stack.dashboard.url}/people", "admin")
    held = page.get_by_role("list", name="Who is signed in")
    expect(held).to_contain_text("nora")
    expect(held).to_contain_text("this one")
    held.get_by_role("button", name=re.compile("End the session of nora")).first.click()
    expect(held).not_to_contain_text("nora")
    assert nora.get("/api/topics")[0] == 401
    page.get_by_label("Role").last.select_option("administrator")
    page.get_by_text("For users and tokens, too").click()
    page.get_by_label("What it is for").fill("keeper")
    page.get_by_role("button", name="Make a token").click()
    token = page.get_by_text(re.compile(r"^mqd_\S+$")).inner_text()
    assert Visitor(stack.dashboard, token).get("/api/users")[0] == 200
    page.get_by_role("button", name="Remove ada").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("These API tokens ended with it: ada's job.")).to_be_visible()
    assert Visitor(stack.dashboard, made["token"]).get("/api/topics")[0] == 401


def test_ones_own_password_and_sessions(page: Page, stack: Stack) -> None:
    """A viewer sees the own account only, ends other sessions and changes the password."""
    add_user(stack.redis.port, "pia", "viewer")
    other = Visitor(stack.dashboard).login("pia")
    sign_in(page, f"{stack.dashboard.url}/people", "pia")
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_role("heading", name="API tokens")).to_have_count(0)
    expect(page.get_by_role("link", name="Audit")).to_have_count(0)
    page.get_by_role("button", name="End all others").click()
    expect(page.get_by_role("list", name="Sessions").get_by_role("listitem")).to_have_count(1)
    assert other.get("/api/topics")[0] == 401
    page.get_by_label("Old password").fill("not the old one")
    page.get_by_label("New password").fill("a better passphrase")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("alert")).to_contain_text("old password is wrong")
    page.get_by_label("Old password").fill(PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("status").filter(has_text="is changed")).to_be_visible()
    Visitor(stack.dashboard).login("pia", "a better passphrase")


def test_the_audit_record_is_searched_and_checked(page: Page, stack: Stack) -> None:
    """What was done is found by who and topic, the chain is checked, and a change is seen."""
    boss = Visitor(stack.dashboard).login("admin")
    boss.ask("POST", "/api/commands", {"topic": f"hall/{HOSTILE}", "payload": "secret", "qos": 1})
    boss.ask("POST", "/api/commands", {"topic": "yard/lamp", "qos": 1})
    sign_in(page, f"{stack.dashboard.url}/audit", "admin")
    table = page.get_by_role("table", name="Entries, newest first")
    expect(table).to_contain_text("yard/lamp")
    expect(table).to_contain_text("<img src=x")
    expect(table).not_to_contain_text("secret")
    assert page.locator("main img").count() == 0
    page.get_by_label("Part of the topic").fill("yard")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("topic=yard"))
    page.reload()
    expect(table.locator("tbody tr")).to_have_count(1)
    page.get_by_label("What", exact=True).select_option("sign_in")
    expect(page.get_by_text("No such entry")).to_be_visible()
    page.get_by_role("button", name="Check the chain").click()
    expect(page.get_by_text(re.compile("^Whole: entries 1 to"))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert b"yard/lamp" in Path(download.value.path()).read_bytes()
    client = stack.redis.client()
    client.xdel("mqtt:audit", "2-0")
    page.get_by_role("button", name="Check the chain").click()
    expect(page.get_by_text("Broken at entry 2")).to_be_visible()
    assert "owned" not in page.title()
