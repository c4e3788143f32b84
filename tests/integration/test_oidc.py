"""Sign-in through a provider: the good way, and every way in which an answer can be wrong."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.dashboard_stack import Stack, running_stack
from tests.support.oidc_browser import START, Browser
from tests.support.oidc_provider import (
    CLIENT_ID,
    SECRET,
    Claims,
    OidcProvider,
    make_key,
    unsigned,
    with_shared_secret,
)
from tests.support.servers import free_port, wait_for
from tests.support.visitors import PASSWORD, Visitor, forgive_all, served, store_of

ROLES = "cooks=viewer,staff=operator,root=administrator"


def environ_of(provider: OidcProvider) -> dict[str, str]:
    return {
        "AUTH_MODE": "required",
        "ADMIN_PASSWORD": PASSWORD,
        "OIDC_ISSUER": provider.issuer,
        "OIDC_NAME": "Test House",
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": SECRET,
        "OIDC_ROLES": ROLES,
    }


@pytest.fixture(scope="module")
def house() -> Iterator[OidcProvider]:
    """Run a provider."""
    provider = OidcProvider().start()
    yield provider
    provider.stop()


@pytest.fixture(scope="module")
def stack(house: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard of two workers that trusts the provider."""
    folder = tmp_path_factory.mktemp("oidc")
    with running_stack(folder, WEB_CONCURRENCY="2", **environ_of(house)) as running_one:
        wait_for(lambda: store_of(running_one.redis.port).has_users(), "the first user")
        yield running_one


@pytest.fixture
def provider(house: OidcProvider, stack: Stack) -> Iterator[OidcProvider]:
    """Return the provider as a good one, and with the key every worker may know."""
    house.reset()
    forgive_all(stack.redis.client())
    yield house
    house.reset()


@pytest.fixture
def browser(stack: Stack) -> Browser:
    """Return a browser that was never here."""
    return Browser(stack.dashboard)


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


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "PS256", "RS512", "EdDSA"])
def test_keys_of_every_kind(provider: OidcProvider, browser: Browser, algorithm: str) -> None:
    """A new key of another kind is fetched when it is first needed: keys may change at any time."""
    _known(provider, browser)
    time.sleep(2.1)  # keys are asked for again at most every 2 s
    provider.use_key(algorithm, f"new-{algorithm}")
    assert browser.sign_in().reason is None
    assert browser.me()["signed_in"]


def test_a_withdrawn_key_is_gone_once_keys_are_fetched(
    provider: OidcProvider, browser: Browser
) -> None:
    """After the keys were fetched anew, a token of an old key is not believed."""
    _known(provider, browser)
    old = provider.signing
    time.sleep(2.1)
    provider.use_key("RS256", "second")
    for _ in range(6):  # both workers
        browser.sign_in()
    provider.kid, provider.signing = "first", old
    assert browser.sign_in().reason == "invalid"


def test_without_a_key_id_the_only_key_is_meant(provider: OidcProvider, browser: Browser) -> None:
    """A token that names no key is fine while there is one; among several it fits none."""
    _known(provider, browser)
    provider.kid = None
    assert browser.sign_in().reason is None
    time.sleep(2.1)
    provider.kid = "other"
    provider.published["other"] = (make_key("RS256"), "RS256")
    browser.sign_in(), browser.sign_in(), browser.sign_in(), browser.sign_in()
    provider.kid = None
    assert browser.sign_in().reason == "invalid"


def _claims(**changed: object) -> Callable[[Claims], Claims]:
    def bend(claims: Claims) -> Claims:
        bent = {**claims, **changed}
        return {name: value for name, value in bent.items() if value is not ...}

    return bend


def _now(seconds: float) -> int:
    return int(time.time() + seconds)


HOSTILE: dict[str, Callable[[Claims], Claims]] = {
    "wrong nonce": _claims(nonce="x" * 43),
    "no nonce": _claims(nonce=...),
    "nonce no text": _claims(nonce=["x"]),
    "wrong audience": _claims(aud="another-client"),
    "no audience": _claims(aud=...),
    "audience among others, no azp": _claims(aud=[CLIENT_ID, "another"]),
    "made for another party": _claims(aud=[CLIENT_ID, "another"], azp="another"),
    "azp of another, single audience": _claims(azp="another"),
    "another issuer": _claims(iss="https://evil.example"),
    "issuer with a slash more": lambda claims: {**claims, "iss": claims["iss"] + "/"},
    "no issuer": _claims(iss=...),
    "expired": lambda claims: {**claims, "exp": _now(-120), "iat": _now(-400)},
    "never expires": _claims(exp=...),
    "expiry no number": _claims(exp="soon"),
    "not yet valid": lambda claims: {**claims, "nbf": _now(600)},
    "from the future": lambda claims: {**claims, "iat": _now(600)},
    "no subject": _claims(sub=...),
    "empty subject": _claims(sub=""),
    "subject no text": _claims(sub=7),
}


@pytest.mark.parametrize("bend", HOSTILE.values(), ids=HOSTILE)
def test_claims_that_are_not_believed(
    provider: OidcProvider, browser: Browser, bend: Callable[[Claims], Claims]
) -> None:
    """A well-signed token with a wrong claim lets nobody in, and the page is told so."""
    provider.bend = bend
    assert browser.sign_in().reason == "invalid"
    assert not browser.me()["signed_in"]
    assert browser.cookies == {}


@pytest.mark.parametrize(
    "bend",
    [
        _claims(aud=[CLIENT_ID]),
        _claims(aud=[CLIENT_ID, "another"], azp=CLIENT_ID),
        lambda claims: {**claims, "exp": _now(-20)},
        lambda claims: {**claims, "iat": _now(20), "nbf": _now(20)},
    ],
    ids=["list", "several with azp", "20 s late", "20 s early"],
)
def test_claims_that_are_fine(
    provider: OidcProvider, browser: Browser, bend: Callable[[Claims], Claims]
) -> None:
    """What the standard allows works, with clocks that differ a little."""
    provider.bend = bend
    assert browser.sign_in().reason is None
    assert browser.me()["signed_in"]


def _other_key(provider: OidcProvider) -> None:
    provider.signing = make_key("RS256")


def _none(provider: OidcProvider) -> None:
    provider.sign = unsigned


def _public_key_as_secret(provider: OidcProvider) -> None:
    provider.sign = lambda claims: with_shared_secret(claims, provider.public_pem())


def _client_secret_as_key(provider: OidcProvider) -> None:
    provider.sign = lambda claims: with_shared_secret(claims, SECRET.encode())


def _not_a_token(provider: OidcProvider) -> None:
    provider.sign = lambda _claims: "a.b.c"


def _bent_after_signing(provider: OidcProvider) -> None:
    def sign(claims: Claims) -> str:
        head, _, signature = provider.signed(claims).split(".")
        _, other, _ = provider.signed({**claims, "groups": ["root"]}).split(".")
        return f"{head}.{other}.{signature}"

    provider.sign = sign


def _unknown_key(provider: OidcProvider) -> None:
    provider.kid = "never published"


def _huge(provider: OidcProvider) -> None:
    provider.claims["padding"] = "x" * 100_000


SIGNATURES = (
    _other_key,
    _none,
    _public_key_as_secret,
    _client_secret_as_key,
    _not_a_token,
    _bent_after_signing,
    _unknown_key,
    _huge,
)


@pytest.mark.parametrize("bend", SIGNATURES)
def test_signatures_that_are_not_believed(
    provider: OidcProvider, browser: Browser, bend: Callable[[OidcProvider], None]
) -> None:
    """Only what the provider's published private key signed counts."""
    bend(provider)
    assert browser.sign_in().reason == "invalid"
    assert browser.cookies == {}


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
    provider.claims.update(preferred_username="admin", groups=["cooks"])
    browser.sign_in()
    me = browser.me()
    assert (me["name"], me["role"]) == ("oidc:admin", "viewer")
    twin = Browser(stack.dashboard)
    provider.claims["sub"] = "another subject of the same name"
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
        "/api/auth/logout",
        "javascript:alert(1)",
        "/\r\nSet-Cookie: a=b",
        "/" + "x" * 3000,
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
    environ = {**environ_of(provider), "DASHBOARD_BASE_PATH": "/tools/mqtt"}
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
        port = dashboard.port
    environ = {**environ_of(provider), "OIDC_ROLES": "*=viewer", "DASHBOARD_PORT": str(port)}
    kept = browser.cookies
    with served(tmp_path, stack.redis.port, **environ) as dashboard:
        dashboard.port, dashboard.url = port, f"http://127.0.0.1:{port}"
        again = Browser(dashboard, cookies=dict(kept))
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


def _known(provider: OidcProvider, browser: Browser) -> None:
    """Let both workers learn the keys as they are."""
    for _ in range(6):
        assert browser.sign_in().reason is None
    browser.cookies.clear()


def test_a_provider_that_is_down(stack: Stack, tmp_path: Path) -> None:
    """Nobody answers: the page is told at once, passwords go on working, and it recovers."""
    provider = OidcProvider()
    with served(tmp_path, stack.redis.port, **environ_of(provider)) as dashboard:
        browser = Browser(dashboard)
        assert browser.open(START).headers["location"] == "../../../?sign_in=provider"
        Visitor(dashboard).login("admin")
        assert "cannot be reached" in dashboard.output()
        provider.start()
        wait_for(lambda: browser.open(START).reason is None, "it recovers")
        callback = browser.to_callback()
        provider.stop()
        assert browser.open(callback).reason == "provider"
        Visitor(dashboard).login("admin")


def _elsewhere(provider: OidcProvider) -> None:
    target = f"http://127.0.0.1:{free_port()}/realm/.well-known/openid-configuration"
    provider.answer = lambda _path: (302, b"", {"Location": target})


def _floods(provider: OidcProvider) -> None:
    provider.answer = lambda _path: (200, b'{"issuer": "' + b"x" * 5_000_000, {})


def _deep(provider: OidcProvider) -> None:
    provider.answer = lambda _path: (200, b'{"issuer": ' + b"[" * 100_000, {})


def _no_json(provider: OidcProvider) -> None:
    provider.answer = lambda _path: (200, b"\xff\xfe<html>", {})


def _fails(provider: OidcProvider) -> None:
    provider.answer = lambda _path: (500, b"", {})


def _other_issuer(provider: OidcProvider) -> None:
    provider.metadata["issuer"] = "https://evil.example"


def _plain_http(provider: OidcProvider) -> None:
    provider.metadata["token_endpoint"] = "http://10.0.0.1/token"


def _other_scheme(provider: OidcProvider) -> None:
    provider.metadata["authorization_endpoint"] = "javascript:alert(1)"


@pytest.mark.parametrize(
    "bend",
    [_elsewhere, _floods, _deep, _no_json, _fails, _other_issuer, _plain_http, _other_scheme],
)
def test_discovery_that_is_not_believed(
    stack: Stack, tmp_path: Path, bend: Callable[[OidcProvider], None]
) -> None:
    """Redirects, floods, nonsense, another issuer, addresses without TLS: said, never followed."""
    provider = OidcProvider().start()
    bend(provider)
    try:
        with served(tmp_path, stack.redis.port, **environ_of(provider)) as dashboard:
            started = Browser(dashboard).open(START)
            assert started.reason == "provider"
            assert started.location.startswith(dashboard.url)
            assert "Traceback" not in dashboard.output()
    finally:
        provider.stop()
