"""Settings of sign-in through an OpenID Connect provider."""

from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from mqtt_dashboard.config_base import Settings
from mqtt_dashboard.contract.policy import RANK, Role

OIDC_SECRETS: Final = ("OIDC_CLIENT_SECRET",)
CALLBACK_PATH: Final = "/api/auth/oidc/callback"
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


class OidcSettings(Settings):
    """Sign-in through an OpenID Connect provider; off without OIDC_ISSUER."""

    oidc_issuer: str | None = Field(
        None,
        alias="OIDC_ISSUER",
        description="OpenID Connect provider, spelled exactly as in its tokens' iss; none = off.",
    )
    oidc_name: str | None = Field(
        None,
        alias="OIDC_NAME",
        max_length=60,
        description="What the page calls the provider: Sign in with …; else its host name.",
    )
    oidc_client_id: str | None = Field(
        None, alias="OIDC_CLIENT_ID", description="Client id at the provider."
    )
    oidc_client_secret: SecretStr | None = Field(
        None, alias="OIDC_CLIENT_SECRET", description="Client secret; none for a public client."
    )
    oidc_scopes: str = Field(
        "openid profile email",
        alias="OIDC_SCOPES",
        description="Scopes to ask for, spaces between; openid is one of them.",
    )
    oidc_redirect_url: str | None = Field(
        None,
        alias="OIDC_REDIRECT_URL",
        description="Where the provider sends browsers back: https://host/…"
        f"{CALLBACK_PATH}; by default made from the address the browser used.",
    )
    oidc_name_claim: str = Field(
        "preferred_username",
        min_length=1,
        alias="OIDC_NAME_CLAIM",
        description="Claim with the user's name; must be unique at the provider.",
    )
    oidc_role_claim: str = Field(
        "groups",
        min_length=1,
        alias="OIDC_ROLE_CLAIM",
        description="Claim that says the role, a text or a list; realm_access.roles looks inside.",
    )
    oidc_roles: Annotated[dict[str, Role], NoDecode] = Field(
        {},
        alias="OIDC_ROLES",
        description="Roles by value of that claim: staff=operator,root=administrator; "
        "*=viewer is everybody; no match = no entry.",
    )
    oidc_logout: Literal["local", "provider"] = Field(
        "local",
        alias="OIDC_LOGOUT",
        description="provider: signing out here leads to the provider's own sign-out, too.",
    )
    oidc_leeway_s: int = Field(
        60,
        ge=0,
        le=300,
        alias="OIDC_LEEWAY",
        description="Seconds by which the provider's clock may differ.",
    )
    oidc_ca_file: str | None = Field(
        None,
        alias="OIDC_CA_FILE",
        description="CA certificates (PEM) to trust for the provider; else the system's.",
    )

    @field_validator("oidc_issuer", "oidc_redirect_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not is_safe_url(value) or urlsplit(value).query:
            raise ValueError(f"{value!r} must look like https://host/path (http on loopback only)")
        return value

    @field_validator("oidc_redirect_url")
    @classmethod
    def _check_callback(cls, value: str | None) -> str | None:
        if value is not None and not value.endswith(CALLBACK_PATH):
            raise ValueError(f"must end with {CALLBACK_PATH}")
        return value

    @field_validator("oidc_scopes")
    @classmethod
    def _check_scopes(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError("openid must be one of the scopes")
        return " ".join(value.split())

    @field_validator("oidc_roles", mode="before")
    @classmethod
    def _split_roles(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found: dict[str, str] = {}
        for part in value.split(","):
            name, _, role = (text.strip() for text in part.rpartition("="))
            if part.strip() and (not name or role not in RANK):
                raise ValueError(f"{part!r} must look like group=role, role one of {_roles()}")
            if part.strip():
                found[name] = role
        return found

    @model_validator(mode="after")
    def _check_oidc(self) -> Self:
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise ValueError("OIDC_ISSUER and OIDC_CLIENT_ID belong together")
        if self.oidc_issuer and not self.oidc_roles:
            raise ValueError("OIDC_ROLES is needed: without it nobody from the provider gets in")
        return self


def is_safe_url(url: str) -> bool:
    """Tell whether a URL is https, or http on this machine, without anything odd in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment or port == 0:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _roles() -> str:
    return ", ".join(RANK)
