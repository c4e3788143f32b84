"""G20: no text of a stranger comes to life where administrators look at people and the record."""

import hashlib
import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config import RedisSettings, load
from mqtt_dashboard.contract.api import PublishRequest
from mqtt_dashboard.contract.auth import SessionRecord, TokenCreate, UserCreate
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.auth.principal import make
from mqtt_dashboard.dashboard.auth.sessions import AGENT_CHARACTERS
from mqtt_dashboard.dashboard.counters import Counters
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.hostile_texts import TEXTS, in_topic
from tests.support.servers import wait_for
from tests.support.tripwire import Tripwire
from tests.support.visitors import PASSWORD, accounts_of, make_token, store_of

pytestmark = pytest.mark.e2e

# What a provider may say as a name, and what fits into a label.
NAMES = [text for text in TEXTS if text.isprintable() and len(text) <= 64]
LABELS = [text for text in TEXTS if re.fullmatch(r"[^\x00-\x1f\x7f]{1,64}", text)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard with tokens, sessions, users and a record full of hostile texts."""
    folder = tmp_path_factory.mktemp("people")
    with running_stack(folder, AUTH_MODE="required", ADMIN_PASSWORD=PASSWORD) as running_one:
        port = running_one.redis.port
        wait_for(lambda: store_of(port).has_users(), "the first user")
        _tokens_and_users(port)
        _sessions(port)
        _record(port)
        yield running_one


def _tokens_and_users(port: int) -> None:
    accounts = accounts_of(port)
    for label in LABELS:
        accounts.create_token(TokenCreate(label=label, role="operator"), created_by=label)
    for number in range(0, len(TEXTS), 60):
        filters = [in_topic(text) for text in TEXTS[number : number + 60]]
        good = [one for one in filters if not re.search(r"[\x00-\x1f\x7f]", one)]
        name = f"user{number}"
        accounts.add(UserCreate(name=name, password=PASSWORD, read=good, publish=good[::-1]))


def _sessions(port: int) -> None:
    sessions, now = store_of(port).sessions, time.time()
    for number, text in enumerate(TEXTS):
        name = NAMES[number % len(NAMES)]
        record = SessionRecord(
            user=f"oidc:{number}",
            kind="oidc",
            created_at=now - number,
            expires_at=now + 3600,
            address="192.0.2.1",
            agent=text[:AGENT_CHARACTERS],
            name=f"oidc:{name}",
            role="viewer",
        )
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        sessions.begin(digest, record, 3600, 3600)


def _record(port: int) -> None:
    settings = load(RedisSettings, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)})
    store = DashboardStore(settings, name="test")
    auditor = Auditor(store.audit(None, 10_000), store.orders, SystemClock(), Counters())
    for number, text in enumerate(TEXTS):
        who = make(f"token:{text}", "operator", "token")
        with auditor.deed(who, "user_change", text, text):
            auditor.publishing(who, PublishRequest(topic=in_topic(text)), f"c{number}")
    store.close()


@pytest.fixture
def page(chromium: Browser, stack: Stack) -> Iterator[Page]:
    """Open a page of an administrator; whatever comes to life on it fails the test."""
    token = make_token(stack.redis.port, "administrator")
    context = chromium.new_context(
        viewport={"width": 1280, "height": 1400},
        extra_http_headers={"Authorization": f"Bearer {token}"},
    )
    context.set_default_timeout(20_000)
    tripwire = Tripwire(context, f"{stack.dashboard.url}/")
    page = context.new_page()
    yield page
    tripwire.check(page)
    context.close()


def test_tokens_sessions_and_users(page: Page, stack: Stack) -> None:
    """Labels, makers, names at a provider, browsers' names and filters: all in the lists."""
    assert min(len(NAMES), len(LABELS)) >= 200
    page.goto(f"{stack.dashboard.url}/people")
    tokens = page.get_by_role("list", name="API tokens")
    # Each test of this file has made one more, to look with.
    listed = tokens.get_by_role("listitem")
    wait_for(lambda: listed.count() > len(LABELS), "all tokens are listed", 20)
    held = page.get_by_role("list", name="Who is signed in")
    expect(held.get_by_role("listitem")).to_have_count(len(TEXTS))
    shown = held.inner_text()
    assert sum(f"oidc:{name}" in shown for name in NAMES) >= 200
    users = page.get_by_role("list", name="Users")
    expect(users).to_contain_text("user240")
    assert page.locator("main img:not([alt])").count() == 0
    # A question that holds the text, and an answer.
    page.get_by_role("button", name=f"Revoke {LABELS[0]}").first.click()
    expect(tokens.get_by_role("alert")).to_contain_text(LABELS[0])
    page.get_by_role("button", name="Change user60").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_the_audit_record(page: Page, stack: Stack) -> None:
    """Who, topic, target and detail, as many as there are texts; and what is searched for."""
    page.goto(f"{stack.dashboard.url}/audit")
    rows = page.get_by_role("table", name="Entries, newest first").locator("tbody tr")
    expect(rows.first).to_be_visible()
    while (older := page.get_by_role("button", name="Older entries")).is_visible():
        before = rows.count()
        older.click()
        expect(rows.nth(before)).to_be_visible()
    assert rows.count() >= 3 * len(TEXTS)
    shown = page.locator("main").inner_text()
    assert sum(f"token:{text}" in shown for text in TEXTS) >= 200
    assert page.locator("main img").count() == 0
    for text in TEXTS[::60]:
        page.get_by_label("Who", exact=True).fill(text)
        page.get_by_label("Part of the topic").fill(text)
    page.get_by_role("button", name="Check the chain").click()
    expect(page.get_by_role("status").first).to_be_visible()


def test_the_name_of_who_is_signed_in(page: Page, stack: Stack) -> None:
    """A token's label, which is shown as the user's name on every page, is text, too."""
    port = stack.redis.port
    for label in LABELS[::18]:
        request = TokenCreate(label=label, role="operator", lifetime_s=600)
        token, _ = accounts_of(port).create_token(request, "test")
        page.set_extra_http_headers({"Authorization": f"Bearer {token}"})
        page.goto(stack.dashboard.url)
        expect(page.locator(".user .name")).to_have_text(f"token:{label}")
