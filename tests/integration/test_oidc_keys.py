"""A provider's keys: of every kind, changed at any time, and withdrawn."""

from collections.abc import Iterator

import pytest

from tests.support.oidc_browser import Browser
from tests.support.oidc_house import House, house_of
from tests.support.oidc_provider import OidcProvider, make_key
from tests.support.servers import wait_for


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Run a provider and a dashboard of one worker that trusts it."""
    with house_of(tmp_path_factory.mktemp("oidc"), 1) as running_one:
        yield running_one


@pytest.fixture
def provider(house: House) -> OidcProvider:
    """Return the provider as a good one."""
    return house.fresh()


@pytest.fixture
def browser(house: House, provider: OidcProvider) -> Browser:
    """Return a browser that was never here."""
    return house.browser()


def learn(browser: Browser) -> None:
    """Sign in; keys are asked for again at most every 2 s, so not always at the first attempt."""
    wait_for(lambda: browser.sign_in().reason is None, "the new key is known", 5)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "PS256", "RS512", "EdDSA"])
def test_keys_of_every_kind(provider: OidcProvider, browser: Browser, algorithm: str) -> None:
    """A new key of another kind is fetched when it is first needed: keys may change at any time."""
    learn(browser)
    provider.use_key(algorithm, f"new-{algorithm}")
    learn(browser)
    assert browser.me()["signed_in"]


def test_a_withdrawn_key_is_gone_once_keys_are_fetched(
    provider: OidcProvider, browser: Browser
) -> None:
    """After the keys were fetched anew, a token of an old key is not believed."""
    learn(browser)
    old = provider.signing
    provider.use_key("RS256", "second")
    learn(browser)
    provider.kid, provider.signing = "first", old
    assert browser.sign_in().reason == "invalid"


def test_without_a_key_id_the_only_key_is_meant(provider: OidcProvider, browser: Browser) -> None:
    """A token that names no key is fine while there is one; among several it fits none."""
    learn(browser)
    provider.kid = None
    assert browser.sign_in().reason is None
    other = make_key("RS256")
    provider.kid, provider.signing = "other", other
    provider.published["other"] = (other, "RS256")
    learn(browser)
    provider.kid = None
    assert browser.sign_in().reason == "invalid"
