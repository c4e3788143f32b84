"""What an ID token must say before it is believed (OpenID Connect Core, 3.1.3.7)."""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from mqtt_dashboard.errors import DashboardError


class TokenError(DashboardError):
    """An ID token cannot be believed; the text is for the log."""


class KeySet(Struct):
    """A provider's public keys (RFC 7517)."""

    keys: list[dict[str, Any]]


@dataclass(frozen=True)
class Expected:
    """What must be in a token; ``leeway`` in seconds."""

    issuer: str
    client_id: str
    nonce: str
    leeway: int


# See `oidc_token.validate`.
Validate = Callable[[str, Callable[[bool], Sequence[dict[str, Any]]], Expected], dict[str, Any]]


def check_party(claims: dict[str, Any], expected: Expected) -> None:
    """Check who it was made for beyond the audience, and that it answers this very sign-in."""
    audience, party = claims["aud"], claims.get("azp")
    if party is None and isinstance(audience, list) and len(audience) > 1:
        raise TokenError("it is for several parties and does not say which one asked (azp)")
    if party is not None and party != expected.client_id:
        raise TokenError("it was made for another party (azp)")
    nonce, subject = claims.get("nonce"), claims["sub"]
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(errors="replace"), expected.nonce.encode()
    ):
        raise TokenError("it does not belong to this sign-in (nonce)")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise TokenError("its subject cannot be used (sub)")
