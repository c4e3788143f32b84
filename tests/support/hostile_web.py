"""Bytes that no honest client sends: broken HTTP, broken upgrades, broken websockets and packets.

All cases are made from small tables, so that a failure names one of them.
"""

import base64
import gzip
import itertools
import os
import socket
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

PATHS = (
    "/",
    "/api/auth/me",
    "/api/auth/login",
    "/api/topics",
    "/socket.io/?EIO=4&transport=websocket",
)
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
SOCKET_PATH = "/socket.io/?EIO=4&transport=websocket"


@dataclass(frozen=True)
class Case:
    """Bytes to send; after ``upgrade`` they go over an open websocket."""

    name: str
    data: bytes
    upgrade: bool = False


def request(
    port: int,
    method: str = "GET",
    path: str = "/",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> bytes:
    """Return a request as it goes over the wire; headers are not checked."""
    named = {"Host": f"127.0.0.1:{port}", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace") + body


def frame(
    opcode: int,
    data: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """Return a websocket frame; ``length`` is what it claims, which may be a lie."""
    said = len(data) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    if said < 126:
        head += bytes([mask_bit | said])
    elif said < 65536:
        head += bytes([mask_bit | 126]) + struct.pack("!H", said)
    else:
        head += bytes([mask_bit | 127]) + struct.pack("!Q", said)
    if not masked:
        return head + data
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


def http_cases(port: int) -> Iterator[Case]:
    """Return broken and foreign requests."""
    hosts = (
        "", "evil.example", "127.0.0.1.nip.io", f"127.0.0.1:{port}@evil.example", "[::1", "a" * 5000,
        f"127.0.0.1:{port}\r\nHost: evil.example", "127.0.0.1:99999999", "\x00", "localhost/../x",
    )  # fmt: skip
    for host, path, method in itertools.product(hosts, PATHS, ("GET", "POST")):
        yield Case(
            f"host {host[:30]!a} {method} {path}", request(port, method, path, {"Host": host})
        )
    origins = (
        "null",
        "http://evil.example",
        f"http://127.0.0.1:{port}.evil.example",
        "",
        "*",
        "file://",
    )
    for origin, path, method in itertools.product(
        origins, PATHS, ("POST", "PUT", "PATCH", "DELETE")
    ):
        yield Case(
            f"origin {origin!a} {method} {path}", request(port, method, path, {"Origin": origin})
        )
    for site, path in itertools.product(("cross-site", "same-site", "x", "\xff"), PATHS):
        yield Case(f"site {site!a} {path}", request(port, "POST", path, {"Sec-Fetch-Site": site}))
    bomb = gzip.compress(b"[" * 1_000_000)
    for packing, path in itertools.product(
        ("gzip", "deflate", "br", "zstd", "x, gzip", "GZIP"), PATHS
    ):
        headers = {"Content-Encoding": packing, "Content-Length": str(len(bomb))}
        yield Case(f"packed {packing} {path}", request(port, "POST", path, headers, bomb))


def body_cases(port: int) -> Iterator[Case]:
    """Return bodies whose length, coding or content is a lie."""
    lengths = (
        "-1",
        "+1",
        "1e3",
        "9" * 30,
        "0x10",
        "1, 2",
        "",
        " ",
        "1\r\nContent-Length: 2",
        "\uff13",
    )
    for length, path in itertools.product(lengths, PATHS):
        headers = {"Content-Length": length, "Content-Type": "application/json"}
        yield Case(f"length {length!a} {path}", request(port, "POST", path, headers, b"{}"))
    codings = (
        "chunked, chunked",
        "gzip, chunked",
        "x",
        "chunked\r\nContent-Length: 3",
        "\x0bchunked",
        "CHUNKED",
    )
    chunks = (
        b"0\r\n\r\n",
        b"zz\r\n",
        b"-1\r\nx\r\n",
        b"ffffffffffffffff\r\nx",
        b"1" * 9000,
        b"5\r\nab",
    )
    for coding, chunk in itertools.product(codings, chunks):
        data = request(port, "POST", "/api/auth/login", {"Transfer-Encoding": coding}, chunk)
        yield Case(f"chunks {coding!a} {chunk[:8]!r}", data)
    for path in PATHS:
        for body in (
            b"[" * 15_000,
            b"{" * 15_000,
            b"\xff" * 999,
            b'{"name":1e999}',
            b"null",
            b'"\\ud800"',
            b"",
        ):
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            yield Case(f"body {body[:9]!r} {path}", request(port, "POST", path, headers, body))


def head_cases(port: int) -> Iterator[Case]:
    """Return broken request lines and headers."""
    lines = (
        b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 50, b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"\x16\x03\x01\x02\x00",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n",
        b"\xff" * 100, b"{}", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"GET / HTTP/1.1\r\n x: y\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET /%ff%fe%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /" + b"../" * 500 + b"etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    )  # fmt: skip
    for line in lines:
        yield Case(f"line {line[:30]!r}", line)
    yield Case("a long line", b"GET /" + b"x" * 100_000)
    yield Case("a long header", request(port, headers={"X": "x" * 100_000}))
    yield Case("many headers", request(port, headers={f"X-{n}": "x" for n in range(5000)}))
    yield Case("long headers", request(port, headers={f"X-{n}": "x" * 8000 for n in range(99)}))
    for name in (
        "Cookie",
        "Authorization",
        "User-Agent",
        "X-Forwarded-For",
        "Content-Type",
        "Range",
    ):
        for value in (
            "x" * 8000,
            "\x00",
            "\xff" * 100,
            "=;=;" * 1000,
            "bytes=0-0," * 500,
            "Bearer " * 99,
        ):
            yield Case(
                f"{name} {value[:9]!a}", request(port, path="/api/auth/me", headers={name: value})
            )


def upgrade_cases(port: int) -> Iterator[Case]:
    """Return upgrades that must not work, or must not harm."""
    for name, values in {
        "Sec-WebSocket-Version": ("12", "0", "", "13, 8", "x" * 4000),
        "Sec-WebSocket-Key": ("", "x", "x" * 4000, "\xff", "dGhlIHNhbXBsZSBub25jZQ==, x"),
        "Sec-WebSocket-Protocol": ("x", "x," * 1000, "\xff", ""),
        "Sec-WebSocket-Extensions": ("permessage-deflate", "permessage-deflate; server_max_window_bits=99", "x;" * 999),
        "Connection": ("close", "keep-alive, Upgrade", "Upgrade" * 500, ""),
        "Upgrade": ("h2c", "WebSocket", "websocket, h2c", "x"),
        "Origin": ("null", "http://evil.example", f"https://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", ""),
        "Sec-Fetch-Site": ("cross-site", "same-site"),
        "Host": ("evil.example", "", f"127.0.0.1:{port}.evil.example"),
    }.items():  # fmt: skip
        for value in values:
            data = request(port, path=SOCKET_PATH, headers={**UPGRADE, name: value})
            yield Case(f"upgrade {name} {value[:20]!a}", data)
    for query in (
        "", "EIO=3&transport=websocket", "EIO=4&transport=polling", "EIO=4&transport=x", "EIO=4&transport=websocket&sid=x",
        "EIO=4&transport=websocket&sid=" + "x" * 4000, "EIO=9", "EIO=4&transport=websocket&j=1", "EIO[]=4&transport[]=websocket",
    ):  # fmt: skip
        for method in ("GET", "POST", "OPTIONS", "DELETE"):
            data = request(port, method, f"/socket.io/?{query}", UPGRADE)
            yield Case(f"upgrade {method} {query[:40]}", data)
            yield Case(
                f"no upgrade {method} {query[:40]}", request(port, method, f"/socket.io/?{query}")
            )


def frame_cases() -> Iterator[Case]:
    """Return frames in every combination of head, over an open websocket."""
    contents = (b"", b"40", b"\xff\xfe", b"x" * 126, b"2probe")
    for opcode, fin, rsv, masked, data in itertools.product(
        range(16), (True, False), (0, 1, 4, 7), (True, False), contents
    ):
        name = f"frame {opcode:x} fin={fin} rsv={rsv} masked={masked} {data[:4]!r}"
        yield Case(name, frame(opcode, data, fin=fin, rsv=rsv, masked=masked), upgrade=True)
    for opcode, length in itertools.product(
        (0, 1, 2, 8, 9), (126, 65536, 2**31, 2**62, 2**63, 2**64 - 1)
    ):
        yield Case(
            f"claims {length} in {opcode:x}", frame(opcode, b"x", length=length), upgrade=True
        )
    for code in (0, 999, 1000, 1004, 1005, 1006, 1015, 2999, 5000, 65535):
        yield Case(f"close {code}", frame(8, struct.pack("!H", code) + b"\xff"), upgrade=True)
    broken = (b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\xfe\xff")
    for data in broken:
        yield Case(f"utf-8 {data!r}", frame(1, b"42" + data), upgrade=True)
        split = frame(1, b"42" + data[:1], fin=False) + frame(0, data[1:])
        yield Case(f"utf-8 in two {data!r}", split, upgrade=True)
    yield Case("empty fragments", frame(1, fin=False) + frame(0, fin=False) * 20_000, upgrade=True)
    yield Case("text in a fragment", frame(1, b"4", fin=False) + frame(1, b"0"), upgrade=True)
    yield Case("pings", frame(9, b"x" * 125) * 5000, upgrade=True)
    yield Case("half a frame", b"\x81", upgrade=True)


def packet_cases() -> Iterator[Case]:
    """Return Engine.IO and Socket.IO packets that no client of ours sends, before and after 40."""
    texts = [
        "", " ", "4", "5", "6", "7", "9", "99", "a", "-1", "1", "1x", "2", "2probe", "3probe", "4\x00", "b", "bAAAA",
        "b" + "A" * 5000, "b!!!", "\ufeff40", "40", "40{}", '40{"token":1}', "40[", "40/x,", "40/x,{}", "40" + "{" * 9000,
        "41", "41/x,", "42", "42[", "42[]", "42{}", "42null", "42[1]", "42[null,1]", '42["x"', '42["x",]', '42["connect"]',
        '42["disconnect"]', '42["__proto__",{}]', '42["subscribe"]', '42["subscribe",{"filter":1}]', '42["message",NaN]',
        '42["subscribe",{"filter":"#"},1,2,3]', '42/x,["subscribe",{}]', '429999999999999999999["subscribe",{}]',
        "42" + "9" * 5000, "42" + "9" * 5000 + "[]", "42" + "[" * 9000, '42["x",' + "[" * 9000 + "]" * 9000 + "]",
        '42["x","' + "\\ud800" * 999 + '"]', '42["credit",{}]', '42["credit",{"frames":1e99}]', '42["credit",{"frames":-1}]',
        '42["credit",', '42["credit",' + "[" * 9000, '42["publish",{"topic":"a"}]', "43[]", "431[]", "43/x,1[]", '44{"message":"x"}',
        "44", '451-["x",{"_placeholder":true,"num":0}]', '4599999999-["x",{"_placeholder":true,"num":0}]', "45-[]", "450-[]",
        '4510000000000000-["x"]', '451-["x",{"_placeholder":true,"num":-1}]', "46", "461-[]", "47", "48", "49", "4a", "4\ud7ff",
        '451-["subscribe",{"_placeholder":true,"num":99}]', '42["subscribe",{"filter":"' + "a/" * 9000 + '"}]',
    ]  # fmt: skip
    first = frame(1, b"40")
    for text, before, twice in itertools.product(texts, (b"", first), (1, 3)):
        data = frame(1, text.encode())
        where = "joined" if before else "new"
        yield Case(f"packet {text[:30]!a} {where} x{twice}", before + data * twice, upgrade=True)
    for data, before in itertools.product((b"", b"\x00", b"\x04" * 100, b"40"), (b"", first)):
        yield Case(f"binary {data[:4]!r}", before + frame(2, data), upgrade=True)
    for texts_of in (('451-["x",{"_placeholder":true,"num":0}]', "40"), ("40", "40"), ("41", "40")):
        sent = b"".join(frame(1, one.encode()) for one in texts_of)
        yield Case(f"packets {texts_of}", first + sent, upgrade=True)


def deflate_bomb(size: int) -> bytes:
    """Return a compressed frame of about a thousandth of what it becomes."""
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeezed.compress(b"x" * size) + squeezed.flush(zlib.Z_SYNC_FLUSH)
    return frame(1, data.removesuffix(b"\x00\x00\xff\xff"), rsv=4)


def opened(
    port: int,
    *,
    extensions: str = "",
    timeout: float = 5.0,
    headers: dict[str, str] | None = None,
) -> socket.socket:
    """Return a connection that was upgraded to a websocket, and nothing else was said."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    key = base64.b64encode(os.urandom(16)).decode()
    more = {"Sec-WebSocket-Extensions": extensions} if extensions else {}
    more |= headers or {}
    connection.sendall(
        request(port, path=SOCKET_PATH, headers={**UPGRADE, "Sec-WebSocket-Key": key, **more})
    )
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(1)
        assert part, head
        head += part
    assert head.startswith(b"HTTP/1.1 101"), head
    assert b"permessage-deflate" not in head
    return connection
