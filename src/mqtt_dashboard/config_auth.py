"""Settings of sign-in, rate limits and the audit record."""

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from mqtt_dashboard.clock import DAY_S
from mqtt_dashboard.config_base import split_list
from mqtt_dashboard.config_oidc import OIDC_SECRETS, OidcSettings
from mqtt_dashboard.contract.policy import Role

AUTH_SECRETS = ("ADMIN_PASSWORD", "AUDIT_KEY", *OIDC_SECRETS)


class AuthSettings(OidcSettings):
    """Sign-in to the dashboard."""

    admin_password: SecretStr | None = Field(
        None,
        alias="ADMIN_PASSWORD",
        min_length=12,
        description="Password of the first user, admin; without it one is made and printed once.",
    )
    session_idle_s: int = Field(
        3600,
        ge=1,
        alias="SESSION_IDLE",
        description="Seconds without any use after which a sign-in ends; an open page is use.",
    )
    session_lifetime_s: int = Field(
        43_200,
        ge=1,
        alias="SESSION_LIFETIME",
        description="Seconds after which a sign-in ends in any case.",
    )
    requests_per_minute: int = Field(
        6000,
        ge=10,
        alias="REQUESTS_PER_MINUTE",
        description="HTTP requests one user, or one address without a user, may send per worker.",
    )
    publishes_per_topic: int | None = Field(
        None,
        ge=1,
        alias="PUBLISHES_PER_TOPIC",
        description="Publishes to one topic, from everybody, a worker takes per minute; "
        "none = REQUESTS_PER_MINUTE.",
    )
    publishes_per_minute: int = Field(
        1200,
        ge=1,
        alias="PUBLISHES_PER_MINUTE",
        description="Messages one user, or one address without a user, may publish per worker.",
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        [],
        alias="TRUSTED_PROXIES",
        description="Addresses or networks of proxies; commas. Their X-Forwarded-For and "
        "X-Forwarded-Proto are believed.",
    )
    proxy_user_header: str | None = Field(
        None,
        alias="PROXY_USER_HEADER",
        description="Header in which a trusted proxy names the signed-in user; none = off.",
    )
    proxy_default_role: Role = Field(
        "viewer",
        alias="PROXY_DEFAULT_ROLE",
        description="Role of a proxy's user who is not a user here; else the user's own role.",
    )

    audit_limit: int = Field(
        100_000,
        ge=100,
        le=10_000_000,
        alias="AUDIT_LIMIT",
        description="Entries of the audit record that are kept.",
    )
    audit_bytes: int = Field(
        67_108_864,
        ge=1024 * 1024,
        alias="AUDIT_BYTES",
        description="Bytes of the audit record that are kept; the oldest entries go first.",
    )
    audit_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        alias="AUDIT_DAYS",
        description="Days audit entries are kept at most; none = until AUDIT_LIMIT is reached.",
    )
    audit_key: SecretStr | None = Field(
        None,
        alias="AUDIT_KEY",
        min_length=16,
        description="Secret that ties audit entries together; without it no secret is needed.",
    )

    @property
    def audit_secret(self) -> bytes | None:
        """Return the key of the audit record's chain."""
        return None if self.audit_key is None else self.audit_key.get_secret_value().encode()

    @property
    def audit_age_s(self) -> float | None:
        """Return how old audit entries may become, in seconds."""
        return None if self.audit_days is None else self.audit_days * DAY_S

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split_list(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: list[str]) -> list[str]:
        for entry in value:
            try:
                ipaddress.ip_network(entry, strict=False)
            except ValueError as error:
                raise ValueError(f"{entry!r} is neither an address nor a network") from error
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.proxy_user_header and not self.trusted_proxies:
            raise ValueError("PROXY_USER_HEADER needs TRUSTED_PROXIES: who may send the header")
        return self


AuthMode = Literal["auto", "required", "anonymous"]
