"""Where a request really comes from: the peer, or what a trusted proxy says."""

import hashlib
import ipaddress
from collections.abc import Iterable
from typing import Any, Final

# Counts per address or name are kept in this many buckets, so that no flood can fill a store.
BUCKETS: Final = 65_536

Environ = dict[str, Any]


class Addresses:
    """Believes X-Forwarded-For and the user header from listed proxies only."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = [ipaddress.ip_network(one, strict=False) for one in trusted]

    def from_proxy(self, environ: Environ) -> bool:
        """Tell whether the peer itself is a trusted proxy."""
        return self._is_trusted(str(environ.get("REMOTE_ADDR") or ""))

    def of(self, environ: Environ) -> str:
        """Return the client's address: the last hop that is no trusted proxy."""
        peer = str(environ.get("REMOTE_ADDR") or "")
        if not self._is_trusted(peer):
            return peer
        hops = [one.strip() for one in str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")]
        for hop in reversed([one for one in hops if one]):
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


def bucket_of(kind: str, text: str) -> str:
    """Return one of a bounded number of names for a user name or an address.

    An IPv6 address counts with its /64: one customer owns that many addresses.
    """
    if kind == "address" and _is_address(text) and ":" in text:
        text = str(ipaddress.ip_network(f"{text.partition('%')[0]}/64", strict=False))
    number = int.from_bytes(hashlib.sha256(text.encode(errors="replace")).digest()[:4], "big")
    return f"{kind}:{number % BUCKETS}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
