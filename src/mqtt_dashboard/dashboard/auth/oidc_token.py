"""Whether an ID token is signed by the provider and still holds (OpenID Connect Core, 3.1.3.7).

The only importer of PyJWT, and imported only where a provider is set: with its cryptography it is
a tenth of a worker's memory.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import jwt

from mqtt_dashboard.dashboard.auth.oidc_claims import Expected, TokenError, check_party

# Only what is signed with a key that the provider alone holds: no "none", no shared secret. The
# value is the kind of key that belongs to it, so that no key serves for another method.
ALGORITHMS: Final = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
MIN_RSA_BITS: Final = 2048
MAX_TOKEN_CHARACTERS: Final = 64 * 1024


def validate(
    token: str, keys: Callable[[bool], Sequence[dict[str, Any]]], expected: Expected
) -> dict[str, Any]:
    """Return the claims of a token; raise `TokenError` unless all is as it must be.

    ``keys`` returns the provider's keys; asked with True it fetches them anew, which happens once
    when none fits: the provider may have changed its keys.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise TokenError("it is too long")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenError(f"it is no token: {error}") from error
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenError(f"it is signed by {algorithm!a}, which is not accepted")
    key = _fitting(keys(False), header, algorithm) or _fitting(keys(True), header, algorithm)
    if key is None:
        raise TokenError("the provider has no key for it")
    claims = _decoded(token, key, algorithm, expected)
    check_party(claims, expected)
    return claims


def _decoded(token: str, key: jwt.PyJWK, algorithm: str, expected: Expected) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            audience=expected.client_id,
            issuer=expected.issuer,
            leeway=expected.leeway,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
        raise TokenError(f"{type(error).__name__}: {error}") from error


def _fitting(
    keys: Sequence[dict[str, Any]], header: dict[str, Any], algorithm: str
) -> jwt.PyJWK | None:
    """Return the one key a token may be signed with; without a key id only a single one fits."""
    kid = header.get("kid")
    usable = [one for one in keys if _usable(one, algorithm) and kid in {None, one.get("kid")}]
    if not usable or (kid is None and len(usable) > 1):
        return None
    try:
        key = jwt.PyJWK(usable[0], algorithm)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise TokenError(f"the provider's key cannot be used: {error}") from error
    if ALGORITHMS[algorithm] == "RSA" and key.key.key_size < MIN_RSA_BITS:
        raise TokenError(f"the provider's key has only {key.key.key_size} bits")
    return key


def _usable(key: dict[str, Any], algorithm: str) -> bool:
    return (
        key.get("kty") == ALGORITHMS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    )
