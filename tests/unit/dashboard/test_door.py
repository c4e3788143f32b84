"""Hostile Host names and origins."""

import pytest

from mqtt_dashboard.dashboard.security import Door

OWN = {"wsgi.url_scheme": "http", "HTTP_HOST": "127.0.0.1:8082"}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:8082", "localhost:1", "[::1]:8082", "LOCALHOST", "10.1.2.3:80",
        "dash.example:443", "Dash.Example",
    ],
)  # fmt: skip
def test_our_hosts_are_served(host: str) -> None:
    """Loopback names, addresses and listed names are ours, in any case, on any port."""
    assert Door(["dash.example"], []).host_allowed(host)


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "127.0.0.1@evil.example",
        "user@localhost", "[::1", "dash.example.evil", "xdash.example", "localhost/../evil",
        "evil.example#localhost", "0x7f.1.evil", "127.0.0.1 evil.example", "löcalhost",
        "127.0.0.1:99999999", "127.0.0.1:x", "localhost:-1",
    ],
)  # fmt: skip
def test_p58_foreign_hosts_are_refused(host: str) -> None:
    """P58: everything else may be DNS rebinding."""
    environ = {**OWN, "HTTP_HOST": host, "REQUEST_METHOD": "GET"}
    refusal = Door(["dash.example"], []).refusal(environ)
    assert refusal is not None
    assert "DASHBOARD_ALLOWED_HOSTS" in refusal


@pytest.mark.parametrize(
    "origin",
    [
        "null", "", "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:80",
        "http://127.0.0.1:8083", "https://127.0.0.1:8082", "http://127.0.0.1:8082/",
        "http://127.0.0.1:8082.evil.example", "http://user@127.0.0.1:8082",
        "http://127.0.0.1:8082@evil.example", "http://localhost:8082", "file://", "ws://127.0.0.1:8082",
        "http://127.0.0.1:08082", " http://127.0.0.1:8082", "http://127.0.0.1:8082\t",
        "http://trusted.example.evil", "https://trusted.example:444", "http://trusted.example",
        "http://[::1]:8082", "http://127.1:8082", "http://2130706433:8082", "http://127.0.0.1:8082?",
        "http://127.0.0.1:8082#x", "http://127.0.0.1:8082,http://evil.example", "*", "undefined",
        "chrome-extension://abc", "http://xn--127-0.example", "HTTP//127.0.0.1:8082",
    ],
)  # fmt: skip
@pytest.mark.parametrize("upgrade", [True, False])
def test_p58_foreign_origins_may_not_write(origin: str, *, upgrade: bool) -> None:
    """P58: only exactly our own and the listed origins may write or open the channel."""
    environ = {**OWN, "REQUEST_METHOD": "GET" if upgrade else "POST", "HTTP_ORIGIN": origin}
    if upgrade:
        environ["HTTP_UPGRADE"] = "WebSocket"
    assert Door([], ["https://trusted.example"]).refusal(environ) is not None


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8082", "https://trusted.example"])
def test_own_and_listed_origins_may_write(origin: str) -> None:
    """The page itself and listed origins pass."""
    environ = {**OWN, "REQUEST_METHOD": "POST", "HTTP_ORIGIN": origin}
    assert Door([], ["https://trusted.example/"]).refusal(environ) is None


def test_reading_needs_no_origin() -> None:
    """A plain GET from anywhere is answered; the browser keeps the answer from foreign pages."""
    environ = {**OWN, "REQUEST_METHOD": "GET", "HTTP_ORIGIN": "http://evil.example"}
    assert Door([], []).refusal(environ) is None


def test_the_refusal_names_the_setting_that_helps() -> None:
    """Our own page by https is foreign only because nobody listed its proxy; that is said."""
    environ = {**OWN, "REQUEST_METHOD": "POST", "HTTP_ORIGIN": "https://127.0.0.1:8082"}
    assert "TRUSTED_PROXIES" in str(Door([], []).refusal(environ))
    environ["HTTP_ORIGIN"] = "https://evil.example"
    assert "DASHBOARD_ALLOWED_ORIGINS" in str(Door([], []).refusal(environ))
