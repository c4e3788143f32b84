"""What is small on the wire and large inside, and what is large in the first place."""

import contextlib
import gzip
import socket
from collections.abc import Callable

from tests.support import hostile_web
from tests.support.hostile_site import Site
from tests.support.hostile_web import deflate_bomb, frame, request

INFLATED = 200_000_000


def _over_websocket(site: Site, data: bytes, extensions: str = "") -> None:
    with site.opened(extensions) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        connection.settimeout(3)
        while connection.recv(65536):
            pass


def _over_http(site: Site, data: bytes) -> None:
    with (
        socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection,
        contextlib.suppress(OSError),
    ):
        connection.sendall(data)
        connection.settimeout(2)
        connection.recv(4096)


def deflate(site: Site) -> None:
    """Send a compressed frame before anything else."""
    _over_websocket(site, deflate_bomb(INFLATED), "permessage-deflate")


def deflate_of_a_stranger(site: Site) -> None:
    """Send a compressed frame behind a handshake that is refused."""
    headers = {**hostile_web.UPGRADE, "Sec-WebSocket-Extensions": "permessage-deflate"}
    asked = request(site.port, path=hostile_web.SOCKET_PATH, headers=headers)
    _over_http(site, asked + deflate_bomb(INFLATED))


def deflate_after_join(site: Site) -> None:
    """Send a compressed frame on the live channel."""
    _over_websocket(site, frame(1, b"40") + deflate_bomb(INFLATED), "permessage-deflate")


def oversize(site: Site) -> None:
    """Send one frame that is too large."""
    _over_websocket(site, frame(1, b"4" * 8_000_000))


def fragments(site: Site) -> None:
    """Send a message that is too large in parts."""
    part = frame(0, b"x" * 100_000, fin=False)
    _over_websocket(site, frame(1, b"4", fin=False) + part * 60)


def attachments(site: Site) -> None:
    """Announce attachments and send them."""
    head = frame(1, b"40") + frame(1, b'45999-["x",{"_placeholder":true,"num":0}]')
    _over_websocket(site, head + frame(2, b"x" * 500_000) * 8)


def gzip_body(site: Site) -> None:
    """Send a compressed body to where strangers may send one."""
    body = gzip.compress(b"[" * INFLATED)
    headers = {"Content-Encoding": "gzip", "Content-Length": str(len(body))}
    _over_http(site, request(site.port, "POST", "/api/auth/login", headers, body))


def large_body(site: Site) -> None:
    """Send a body that is too large, plainly."""
    headers = {"Content-Type": "application/json", "Content-Length": "100000000"}
    _over_http(site, request(site.port, "POST", "/api/auth/login", headers, b"x" * 20_000_000))


def large_body_of_a_user(site: Site) -> None:
    """Send a body that is too large to a route for users."""
    headers = {"Content-Type": "application/json", "Content-Length": "100000000", **site.known}
    _over_http(site, request(site.port, "POST", "/api/commands", headers, b"x" * 20_000_000))


def chunked_body(site: Site) -> None:
    """Send the same in chunks."""
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    _over_http(site, request(site.port, "POST", "/api/auth/login", headers, chunk * 20))


def many_headers(site: Site) -> None:
    """Send thousands of long headers."""
    headers = {f"X-{number}": "x" * 8000 for number in range(2000)}
    _over_http(site, request(site.port, headers=headers))


BOMBS: tuple[Callable[[Site], None], ...] = (
    deflate,
    deflate_of_a_stranger,
    deflate_after_join,
    oversize,
    fragments,
    attachments,
    gzip_body,
    large_body,
    large_body_of_a_user,
    chunked_body,
    many_headers,
)
