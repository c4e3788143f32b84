"""What a browser does at sign-in through a provider: follows redirects and keeps cookies."""

import http.client
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import msgspec

from tests.support.dashboard_server import DashboardServer

START = "/api/auth/oidc/start"


@dataclass
class Answer:
    """One answer, with where it leads to as an absolute URL."""

    status: int
    location: str
    cookies: SimpleCookie
    headers: dict[str, str]
    body: bytes

    @property
    def reason(self) -> str | None:
        """Return why a sign-in did not work, as the page is told."""
        return parse_qs(urlsplit(self.location).query).get("sign_in", [None])[0]


@dataclass
class Browser:
    """One browser on one dashboard; the provider gets no cookies."""

    server: DashboardServer
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def open(self, url: str, method: str = "GET") -> Answer:
        """Send one request, without following where it leads."""
        url = urljoin(self.server.url, url)
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        ours = parts.port == self.server.port
        sent = {**self.headers} if ours else {}
        if ours and self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, f"{parts.path}?{parts.query}", headers=sent)
            answer = connection.getresponse()
            body = answer.read()
            jar = SimpleCookie()
            for header in answer.headers.get_all("Set-Cookie") or []:
                jar.load(header)
        finally:
            connection.close()
        if ours:
            self._keep(jar)
        location = answer.getheader("Location") or ""
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, urljoin(url, location) if location else "", jar, named, body)

    def to_callback(self, page: str = "/") -> str:
        """Begin a sign-in, let the provider agree, and return the address it leads back to."""
        started = self.open(f"{START}?next={page}")
        assert started.status == 302, started.body
        assert started.reason is None, started.reason
        agreed = self.open(started.location)
        assert agreed.status == 302, agreed.body
        return agreed.location

    def sign_in(self, page: str = "/") -> Answer:
        """Go all the way; return the dashboard's answer to the provider's."""
        return self.open(self.to_callback(page))

    def me(self) -> Any:
        """Return who the dashboard says this is."""
        return msgspec.json.decode(self.open("/api/auth/me").body)

    def _keep(self, jar: SimpleCookie) -> None:
        for name, morsel in jar.items():
            if morsel["max-age"] == "0" or not morsel.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value
