"""Where a request really comes from, and by which scheme: the peer, or what a trusted proxy says.

The only place that judges it: cookies, origins, redirects, limits and sessions follow.
"""

import hashlib
import ipaddress
from collections.abc import Iterable
from typing import Any, Final

# Counts per address or name are kept in this many buckets, so that no flood can fill a store.
BUCKETS: Final = 65_536

MAPPED_BITS: Final = 96
# What proxies call the scheme of a request; of a websocket some say ws.
SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

Environ = dict[str, Any]


class Addresses:
    """Believes X-Forwarded-For, X-Forwarded-Proto and the user header from listed proxies only."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = [_network(one) for one in trusted]

    def from_proxy(self, environ: Environ) -> bool:
        """Tell whether the peer itself is a trusted proxy."""
        return self._is_trusted(_peer(environ))

    def scheme(self, environ: Environ) -> str:
        """Return http or https, as the browser came: the peer's last word when it is a proxy."""
        own = str(environ.get("wsgi.url_scheme") or "http")
        if not self.from_proxy(environ):
            return own
        said = str(environ.get("HTTP_X_FORWARDED_PROTO", "")).rpartition(",")[2]
        return SCHEMES.get(said.strip().lower(), own)

    def of(self, environ: Environ) -> str:
        """Return the client's address: the last hop that is no trusted proxy."""
        peer = _peer(environ)
        if not self._is_trusted(peer):
            return peer
        hops = [one.strip() for one in str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")]
        for hop in reversed([plain(one) for one in hops if one]):
            if not _is_address(hop):
                return peer
            if not self._is_trusted(hop):
                return hop
        return peer

    def _is_trusted(self, text: str) -> bool:
        if not _is_address(text):
            return False
        address = ipaddress.ip_address(text)
        return any(address in network for network in self._trusted)


def plain(text: str) -> str:
    """Return an address as people know it: a listener on `::` sees IPv4 as `::ffff:a.b.c.d`."""
    if not text.lower().startswith("::ffff:") or not _is_address(text):
        return text
    mapped = ipaddress.IPv6Address(text).ipv4_mapped
    return text if mapped is None else str(mapped)


def bucket_of(kind: str, text: str) -> str:
    """Return one of a bounded number of names for a user name or an address.

    An IPv6 address counts with its /64: one customer owns that many addresses.
    """
    if kind == "address":
        text = plain(text)
    if kind == "address" and _is_address(text) and ":" in text:
        text = str(ipaddress.ip_network(f"{text.partition('%')[0]}/64", strict=False))
    number = int.from_bytes(hashlib.sha256(text.encode(errors="replace")).digest()[:4], "big")
    return f"{kind}:{number % BUCKETS}"


def _peer(environ: Environ) -> str:
    return plain(str(environ.get("REMOTE_ADDR") or ""))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    network = ipaddress.ip_network(text, strict=False)
    first = network.network_address
    if isinstance(first, ipaddress.IPv6Address) and network.prefixlen >= MAPPED_BITS:
        mapped = first.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED_BITS))
    return network


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
