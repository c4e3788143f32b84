"""Sign-in through a provider: the good way, and every way in which an answer can be wrong."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.dashboard_stack import Stack
from tests.support.oidc_browser import START, Browser
from tests.support.oidc_house import House, environ_of, house_of
from tests.support.oidc_provider import CLIENT_ID, SECRET, Claims, OidcProvider
from tests.support.visitors import Visitor, served


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Run a provider and a dashboard of two workers that trusts it."""
    with house_of(tmp_path_factory.mktemp("oidc"), 2) as running_one:
        yield running_one


@pytest.fixture
def provider(house: House) -> OidcProvider:
    """Return the provider as a good one."""
    return house.fresh()


@pytest.fixture
def browser(house: House, provider: OidcProvider) -> Browser:
    """Return a browser that was never here."""
    return house.browser()


@pytest.fixture
def stack(house: House) -> Stack:
    """Return the dashboard and what is behind it."""
    return house.stack


def test_the_good_way(provider: OidcProvider, browser: Browser, stack: Stack) -> None:
    """Code with PKCE, state and nonce leads to a session with the highest role that matches."""
    assert browser.me()["provider"] == "Test House"
    started = browser.open(f"{START}?next=/monitor%3Ffilter%3Da%252F%2523")
    query = {name: values[0] for name, values in parse_qs(urlsplit(started.location).query).items()}
    assert query["code_challenge_method"] == "S256"
    assert query["response_type"] == "code"
    assert query["scope"] == "openid profile email"
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
    kept = started.cookies[f"mqtt-dashboard-{stack.dashboard.port}-oidc"]
    assert (kept["samesite"], kept["httponly"], kept["max-age"]) == ("Lax", True, "600")
    agreed = browser.open(started.location)
    back = browser.open(agreed.location)
    # Relative, so that it stays below any path a proxy adds.
    assert back.headers["location"] == "../../../monitor?filter=a%2F%23"
    assert back.headers["cache-control"] == "no-store"
    session = back.cookies[f"mqtt-dashboard-{stack.dashboard.port}"]
    assert (session["samesite"], session["httponly"], session["max-age"]) == ("Strict", True, "")
    assert list(browser.cookies) == [f"mqtt-dashboard-{stack.dashboard.port}"]
    me = browser.me()
    assert (me["name"], me["role"], me["kind"]) == ("oidc:ada", "operator", "oidc")
    assert browser.open("/api/topics").status == 200
    assert browser.open("/api/users").status == 403
    assert len(browser.open("/api/auth/sessions").body) > 50
    assert SECRET not in stack.dashboard.output()


def test_a_live_channel_ends_with_the_sign_out(
    provider: OidcProvider, browser: Browser, stack: Stack
) -> None:
    """Signing out ends the session and cuts its socket within a second."""
    browser.sign_in()
    visitor = Visitor(stack.dashboard)
    visitor.cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    visitor.connect()
    assert visitor.call("subscribe", {"filter": "a/#"})["ok"]
    kept = dict(browser.cookies)
    left = browser.open("/api/auth/logout", "POST")
    assert b'"sign_out_at":null' in left.body
    assert visitor.is_cut(1.5)
    browser.cookies = kept
    assert browser.open("/api/topics").status == 401
    visitor.close()


def test_an_answer_belongs_to_the_browser_that_asked(
    provider: OidcProvider, browser: Browser, stack: Stack
) -> None:
    """Swapped state, no cookie, another browser's cookie: refused before the provider is asked."""
    victim = Browser(stack.dashboard)
    callback = browser.to_callback()
    provider.asked.clear()
    assert victim.open(callback).reason == "expired"
    victim.to_callback()
    assert victim.open(callback).reason == "expired"
    assert "/realm/token" not in provider.asked
    assert victim.me()["signed_in"] is False
    own = browser.to_callback()
    state = parse_qs(urlsplit(own).query)["state"][0]
    assert browser.open(own.replace(state, "A" * 43)).reason == "expired"
    # One attempt used it up.
    assert browser.open(own).reason == "expired"


def test_an_answer_counts_once(provider: OidcProvider, browser: Browser) -> None:
    """A replayed code is refused, by the provider and, when that is careless, by us."""
    for careful, reason in ((True, "provider"), (False, "expired")):
        provider.one_use = careful
        callback = browser.to_callback()
        kept = dict(browser.cookies)
        assert browser.open(callback).reason is None
        browser.cookies = kept
        assert browser.open(callback).reason == reason
        browser.cookies = {}


def test_a_cookie_that_somebody_made_up_is_no_failure_of_ours(browser: Browser) -> None:
    """The page in the cookie may be anything: what is no base64 leads to the first page."""
    callback = browser.to_callback()
    (name,) = (one for one in browser.cookies if one.endswith("-oidc"))
    secret = browser.cookies[name].partition(".")[0]
    browser.cookies[name] = f"{secret}.A"
    back = browser.open(callback)
    assert (back.status, back.reason) == (302, None)
    assert back.location == f"{browser.server.url}/"


def test_a_new_sign_in_ends_the_session_before(
    provider: OidcProvider, browser: Browser, stack: Stack
) -> None:
    """Once more through the provider: what this browser had before opens nothing any more."""
    before = Visitor(stack.dashboard).login("admin").cookie
    assert before is not None
    browser.cookies = dict([before.split("=", 1)])
    for _ in range(2):
        kept = dict(browser.cookies)
        callback = browser.to_callback()
        # The provider's site leads here: a browser sends no SameSite=Strict cookie then.
        browser.cookies = {n: v for n, v in browser.cookies.items() if n.endswith("-oidc")}
        assert browser.open(callback).reason is None
        assert browser.open("/api/topics").status == 200
        old = Browser(stack.dashboard, kept)
        assert old.open("/api/topics").status == 401


def test_administrators_end_a_providers_sessions(
    provider: OidcProvider, browser: Browser, stack: Stack
) -> None:
    """One session, or all of one account, although there is no user of that name here."""
    boss = Visitor(stack.dashboard).login("admin")
    provider.claims.update(sub="bob's subject", preferred_username="bob")
    twice = Browser(stack.dashboard)
    for one in (browser, twice):
        assert one.sign_in().reason is None
    held = [one for one in boss.get("/api/sessions")[1]["sessions"] if one["name"] == "oidc:bob"]
    assert {one["kind"] for one in held} == {"oidc"}
    assert {one["role"] for one in held} == {"operator"}
    (account,) = {one["account"] for one in held}
    newest = max(held, key=lambda one: float(one["created_at"]))
    path = f"/api/sessions?account={account}"
    assert boss.ask("DELETE", f"{path}&id={newest['id']}")[0] == 200
    assert twice.open("/api/topics").status == 401
    assert browser.open("/api/topics").status == 200
    visitor = Visitor(stack.dashboard)
    visitor.cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    visitor.connect()
    status, left = boss.ask("DELETE", path)
    assert (status, "oidc:bob" in str(left)) == (200, False)
    assert visitor.is_cut(2)
    assert browser.open("/api/topics").status == 401
    assert boss.ask("DELETE", path)[0] == 404
    assert boss.ask("DELETE", "/api/sessions")[0] == 400
    assert boss.get("/api/topics")[0] == 200
    assert "sessions_end" in str(boss.get("/api/audit?limit=5")[1]["entries"])


def test_answers_that_are_refusals(provider: OidcProvider, browser: Browser) -> None:
    """The provider's errors become one of a few words of ours; nothing of theirs is repeated."""
    for error, reason in (("access_denied", "denied"), ("<script>", "provider")):
        state = parse_qs(urlsplit(browser.to_callback()).query)["state"][0]
        back = browser.open(f"/api/auth/oidc/callback?state={state}&error={error}")
        assert back.headers["location"] == f"../../../?sign_in={reason}"
    state = parse_qs(urlsplit(browser.to_callback()).query)["state"][0]
    assert browser.open(f"/api/auth/oidc/callback?state={state}").reason == "invalid"
    assert browser.open("/api/auth/oidc/callback").reason == "expired"


def test_the_answer_may_name_its_issuer(provider: OidcProvider, browser: Browser) -> None:
    """RFC 9207: an answer that names another provider is refused, the right one is fine."""
    assert browser.open(browser.to_callback() + "&iss=https://evil.example").reason == "invalid"
    assert browser.open(f"{browser.to_callback()}&iss={provider.issuer}").reason is None


@pytest.mark.parametrize(
    ("claims", "reason", "role"),
    [
        ({"groups": ["staff"]}, None, "operator"),
        ({"groups": "root"}, None, "administrator"),
        ({"groups": ["cooks", "nobody", 7]}, None, "viewer"),
        ({"groups": ["strangers"]}, "no_role", None),
        ({"groups": []}, "no_role", None),
        ({"groups": {"staff": 1}}, "no_role", None),
        ({"groups": None}, "no_role", None),
        ({"preferred_username": ""}, "no_name", None),
        ({"preferred_username": "x" * 65}, "no_name", None),
        ({"preferred_username": "a\nb"}, "no_name", None),
        ({"preferred_username": "evil\u202egnp.exe"}, "no_name", None),
        ({"preferred_username": ["ada"]}, "no_name", None),
    ],
    ids=str,
)
def test_who_gets_which_role(
    provider: OidcProvider,
    browser: Browser,
    claims: Claims,
    reason: str | None,
    role: str | None,
) -> None:
    """Who has no role here is refused with the reason; a name must be fit to be shown."""
    provider.claims.update(claims)
    assert browser.sign_in().reason == reason
    assert browser.me()["role"] == role


def test_a_name_gives_nobody_elses_rights(
    provider: OidcProvider, browser: Browser, stack: Stack
) -> None:
    """Called admin at the provider: still only that role, and no look at admin's sessions."""
    Visitor(stack.dashboard).login("admin")
    provider.claims.update(sub="one", preferred_username="admin", groups=["cooks"])
    browser.sign_in()
    me = browser.me()
    assert (me["name"], me["role"]) == ("oidc:admin", "viewer")
    twin = Browser(stack.dashboard)
    provider.claims["sub"] = "another, of the same name"
    twin.sign_in()
    for one in (browser, twin):
        assert one.open("/api/auth/sessions").body.count(b'"current":true') == 1
        assert b'"current":false' not in one.open("/api/auth/sessions").body


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/%5Cevil.example/..%2f",
        "///evil.example",
        "/../../etc",
        "/.%2e/x",
        "/%2E%2e/x",
        "/x/%2e./y",
        "/api/auth/logout",
        "javascript:alert(1)",
        "/\r\nSet-Cookie: a=b",
        "/" + "x" * 2000,
        "",
    ],
)
def test_there_is_no_open_redirect(provider: OidcProvider, browser: Browser, page: str) -> None:
    """Whatever a link asks for, one ends on a page of the dashboard."""
    quoted = "".join(f"%{byte:02x}" for byte in page.encode())
    back = browser.sign_in(quoted)
    assert back.location.startswith(browser.server.url + "/")
    ours = urlsplit(back.location)
    assert ours.netloc == f"127.0.0.1:{browser.server.port}"
    assert ours.path in {"/", "/%5Cevil.example/..%2f"}
    assert "set-cookie: a" not in str(back.headers).lower()


def test_below_a_path_and_behind_https(
    provider: OidcProvider, stack: Stack, tmp_path: Path
) -> None:
    """The address for the way back holds scheme and base path; by https cookies are `__Host-`."""
    environ = {
        **environ_of(provider),
        "DASHBOARD_BASE_PATH": "/tools/mqtt",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    with served(tmp_path, stack.redis.port, **environ) as dashboard:
        browser = Browser(dashboard, headers={"X-Forwarded-Proto": "https"})
        started = browser.open(f"/tools/mqtt{START}")
        query = parse_qs(urlsplit(started.location).query)
        callback = f"https://127.0.0.1:{dashboard.port}/tools/mqtt/api/auth/oidc/callback"
        assert query["redirect_uri"] == [callback]
        assert started.cookies["__Host-mqtt-dashboard-oidc"]["secure"]
        agreed = browser.open(started.location)
        back = browser.open(agreed.location.replace("https://", "http://", 1))
        assert back.reason is None
        assert back.location == f"{dashboard.url}/tools/mqtt/"
        assert back.cookies["__Host-mqtt-dashboard"]["secure"]
    environ = {
        **environ_of(provider),
        "OIDC_REDIRECT_URL": "https://mqtt.example/x/api/auth/oidc/callback",
        "OIDC_LOGOUT": "provider",
    }
    with served(tmp_path, stack.redis.port, **environ) as dashboard:
        browser = Browser(dashboard)
        started = browser.open(START)
        query = parse_qs(urlsplit(started.location).query)
        assert query["redirect_uri"] == ["https://mqtt.example/x/api/auth/oidc/callback"]
        agreed = browser.open(started.location)
        back = browser.open("/api/auth/oidc/callback?" + urlsplit(agreed.location).query)
        assert back.reason is None
        left = browser.open("/api/auth/logout", "POST").body.decode()
        assert f"{provider.issuer}/logout?client_id={CLIENT_ID}&post_logout" in left
        assert "https%3A%2F%2Fmqtt.example%2Fx%2F" in left


def test_other_settings_end_sessions(provider: OidcProvider, stack: Stack, tmp_path: Path) -> None:
    """Whoever came under other rules has to come again: a role taken away is not kept."""
    with served(tmp_path, stack.redis.port, **environ_of(provider)) as dashboard:
        browser = Browser(dashboard)
        browser.sign_in()
        assert browser.me()["role"] == "operator"
        (secret,) = browser.cookies.values()
    environ = {**environ_of(provider), "OIDC_ROLES": "*=viewer"}
    with served(tmp_path, stack.redis.port, **environ) as dashboard:
        again = Browser(dashboard, cookies={f"mqtt-dashboard-{dashboard.port}": secret})
        assert again.me()["signed_in"] is False
        provider.claims["groups"] = ["strangers"]
        again.sign_in()
        assert again.me()["role"] == "viewer"


def test_public_clients_and_secrets_in_the_form(
    provider: OidcProvider, stack: Stack, tmp_path: Path
) -> None:
    """Without a secret PKCE alone protects; a provider that wants it in the form gets it there."""
    with served(
        tmp_path, stack.redis.port, **{**environ_of(provider), "OIDC_CLIENT_SECRET": ""}
    ) as dashboard:
        provider.secret = None
        assert Browser(dashboard).sign_in().reason is None
    provider.secret = SECRET
    provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    with served(tmp_path, stack.redis.port, **environ_of(provider)) as dashboard:
        assert Browser(dashboard).sign_in().reason is None


def test_nothing_is_offered_without_a_provider(stack: Stack, tmp_path: Path) -> None:
    """Not set up: no name on the page, and the routes say so."""
    with served(tmp_path, stack.redis.port, AUTH_MODE="required") as dashboard:
        browser = Browser(dashboard)
        assert browser.me()["provider"] is None
        assert browser.open(START).status == 404
        assert browser.open("/api/auth/oidc/callback").status == 404
