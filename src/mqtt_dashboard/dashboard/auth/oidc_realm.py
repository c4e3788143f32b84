"""Which role a provider's claims stand for, and under which settings that was decided."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from mqtt_dashboard.config_oidc import OidcSettings
from mqtt_dashboard.contract.policy import RANK, Role


def role_of(claims: Mapping[str, Any], settings: OidcSettings) -> Role | None:
    """Return the highest role that the role claim stands for; None when there is none."""
    value: Any = claims.get(settings.oidc_role_claim)
    if value is None:
        value = claims
        for part in settings.oidc_role_claim.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    values = value if isinstance(value, list) else [value]
    known = settings.oidc_roles
    found = {known[one] for one in values if isinstance(one, str) and one in known and one != "*"}
    if "*" in known:
        found.add(known["*"])
    return max(found, key=RANK.__getitem__, default=None)


def realm_of(settings: OidcSettings) -> str:
    """Return what stands for the settings that decide who gets in; sessions of others end."""
    facts = (
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_role_claim,
        sorted(settings.oidc_roles.items()),
    )
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:32]
