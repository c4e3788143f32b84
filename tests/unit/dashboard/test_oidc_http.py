"""A provider that takes its time is given up in time, whatever it does."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mqtt_dashboard import config
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.dashboard.auth.oidc_http import ProviderError, ProviderHttp
from mqtt_dashboard.errors import ConfigError


@contextmanager
def _listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    serve(connection)
                except OSError:
                    return

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(5)
        assert not thread.is_alive()


def _silent(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def _trickles_headers(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def _trickles_a_body(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


@pytest.mark.parametrize("serve", [_silent, _trickles_headers, _trickles_a_body])
def test_it_ends_in_time(serve: Callable[[socket.socket], None]) -> None:
    """No answer, or one byte at a time: an error within the time that was given."""
    with _listening(serve) as url:
        http = ProviderHttp(None, step_s=0.6, whole_s=1.0)
        before = time.monotonic()
        with pytest.raises(ProviderError):
            http.get(url, dict)
        assert time.monotonic() - before < 1.6


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "http://10.0.0.1/", "ftp://a/", "https://u:p@a/", "https://a/\r\nX: y"],
)
def test_only_https_is_asked(url: str) -> None:
    """Neither files nor plain http elsewhere, and no URL that says two things."""
    with pytest.raises(ProviderError, match="neither https"):
        ProviderHttp(None).get(url, dict)


GOOD = {
    "OIDC_ISSUER": "https://login.example/realm",
    "OIDC_CLIENT_ID": "x",
    "OIDC_ROLES": "staff=operator, *=viewer",
}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"OIDC_CLIENT_ID": ""}, "belong together"),
        ({"OIDC_ROLES": ""}, "OIDC_ROLES is needed"),
        ({"OIDC_ROLES": "staff=boss"}, "must look like group=role"),
        ({"OIDC_ISSUER": "http://login.example"}, "must look like https"),
        ({"OIDC_ISSUER": "login.example"}, "must look like https"),
        ({"OIDC_ISSUER": "https://login.example:0/"}, "must look like https"),
        ({"OIDC_SCOPES": "profile"}, "openid must be"),
        ({"OIDC_REDIRECT_URL": "https://a.example/other"}, "must end with"),
        ({"OIDC_LEEWAY": "301"}, "300"),
    ],
)
def test_settings_that_cannot_work_are_refused(changed: dict[str, str], text: str) -> None:
    """What would let nobody in, or anybody, is refused at the start."""
    with pytest.raises(ConfigError, match=text):
        config.load(AuthSettings, {**GOOD, **changed})


def test_groups_may_hold_equals_signs() -> None:
    """The last = separates; names from directories have some of their own."""
    settings = config.load(AuthSettings, {**GOOD, "OIDC_ROLES": "ou:a=b=operator,*=viewer"})
    assert settings.oidc_roles == {"ou:a=b": "operator", "*": "viewer"}
