"""What a provider may not say: hostile tokens, hostile metadata, and none at all."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mqtt_dashboard import config
from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.dashboard.auth.oidc_http import ProviderError, ProviderHttp
from mqtt_dashboard.dashboard.auth.oidc_provider import Provider
from tests.support.oidc_browser import START, Browser
from tests.support.oidc_house import House, environ_of, house_of
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


def test_a_provider_that_is_down(house: House, tmp_path: Path) -> None:
    """Nobody answers: the page is told at once, passwords go on working, and it recovers."""
    provider = OidcProvider()
    with served(tmp_path, house.stack.redis.port, **environ_of(provider)) as dashboard:
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
def test_discovery_that_is_not_believed(bend: Callable[[OidcProvider], None]) -> None:
    """Redirects, floods, nonsense, another issuer, addresses without TLS: said, never followed."""
    house = OidcProvider().start()
    bend(house)
    settings = config.load(AuthSettings, environ_of(house))
    try:
        with pytest.raises(ProviderError):
            Provider(settings, ProviderHttp(None), ManualClock()).metadata()
        assert house.asked == ["/realm/.well-known/openid-configuration"]
    finally:
        house.stop()
