"""MQTT_URL in its parts: mqtt://, mqtts://, ws:// and wss:// with user, password, port and path."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

Transport = Literal["tcp", "websockets"]

_SCHEMES: Final[dict[str, tuple[Transport, bool]]] = {
    "mqtt": ("tcp", False),
    "tcp": ("tcp", False),
    "mqtts": ("tcp", True),
    "ssl": ("tcp", True),
    "ws": ("websockets", False),
    "wss": ("websockets", True),
}
_WS_PATH: Final = re.compile(r"\A/[!-~]{0,1023}\Z")


@dataclass(frozen=True)
class BrokerUrl:
    """What a URL says; ``None`` where it says nothing."""

    host: str
    port: int | None
    transport: Transport
    tls: bool
    ws_path: str | None
    username: str | None
    password: str | None = field(repr=False)


def parse(url: str) -> BrokerUrl:
    """Read a URL; raise `ValueError`, whose words never hold the URL: it may bear a password."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError("MQTT_URL must look like mqtt://host:port or wss://host:port/path")
    transport, tls = _SCHEMES[parts.scheme]
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return BrokerUrl(
        host=parts.hostname,
        port=parts.port,
        transport=transport,
        tls=tls,
        # mqtt://host/ has always been taken, whatever follows the host.
        ws_path=check_ws_path(path) if path and transport == "websockets" else None,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def check_ws_path(path: str) -> str:
    """Return a path that can stand in an HTTP request; raise `ValueError`."""
    if not _WS_PATH.match(path):
        raise ValueError("the path must begin with / and hold ASCII without blanks")
    return path


def default_port(transport: Transport, *, tls: bool) -> int:
    """Return the port that goes without saying: MQTT's own, or that of HTTP."""
    if transport == "websockets":
        return 443 if tls else 80
    return 8883 if tls else 1883
