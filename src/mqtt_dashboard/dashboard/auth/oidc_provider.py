"""What is known of the OpenID Connect provider: its addresses and keys, kept for a while."""

import base64
import threading
from typing import Any, Final
from urllib.parse import quote_plus

from msgspec import Struct

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.config_oidc import OidcSettings, is_safe_url
from mqtt_dashboard.dashboard.auth.oidc_claims import KeySet
from mqtt_dashboard.dashboard.auth.oidc_http import ProviderError, ProviderHttp

DISCOVERY: Final = "/.well-known/openid-configuration"
# A key that was withdrawn is believed for at most this long.
KEEP_S: Final = 600.0
# Asked for earlier, because a key is missing, at most this often.
KEYS_AGAIN_S: Final = 2.0
# After a failure nobody waits for the next one.
FAILED_S: Final = 3.0
AT_ONCE: Final = 8


class Discovery(Struct):
    """The part of a provider's metadata that is used (OpenID Connect Discovery, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool = False


class _TokenAnswer(Struct):
    id_token: str


class Provider:
    """Asks the provider, few at a time; all errors are `ProviderError`."""

    def __init__(self, settings: OidcSettings, http: ProviderHttp, clock: Clock) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._asking = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._metadata: tuple[float, Discovery] | None = None
        self._keys: tuple[float, list[dict[str, Any]]] | None = None
        self._failure: tuple[float, str] | None = None

    def metadata(self) -> Discovery:
        """Return the provider's addresses."""
        with self._lock:
            if self._metadata is None or self._age(self._metadata[0]) > KEEP_S:
                self._metadata = (self._clock.monotonic(), self._once(self._discover))
            return self._metadata[1]

    def keys(self, *, fresh: bool = False) -> list[dict[str, Any]]:
        """Return the provider's public keys; ``fresh`` when one is missing among those known."""
        url = self.metadata().jwks_uri
        with self._lock:
            oldest = KEYS_AGAIN_S if fresh else KEEP_S
            if self._keys is None or self._age(self._keys[0]) > oldest:
                found = self._once(lambda: self._http.get(url, KeySet).keys)
                self._keys = (self._clock.monotonic(), found)
            return self._keys[1]

    def redeem(self, code: str, verifier: str, redirect_uri: str) -> str:
        """Return the ID token for a code."""
        metadata = self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        more, headers = self._credentials(metadata)
        if not self._asking.acquire(blocking=False):
            raise ProviderError(f"{AT_ONCE} sign-ins wait for the provider already")
        try:
            url = metadata.token_endpoint
            return self._http.post(url, {**form, **more}, headers, _TokenAnswer).id_token
        finally:
            self._asking.release()

    def _credentials(self, metadata: Discovery) -> tuple[dict[str, str], dict[str, str]]:
        """Return how this client shows who it is: in the form, or in a header."""
        identity = self._settings.oidc_client_id or ""
        if self._settings.oidc_client_secret is None:
            return {"client_id": identity}, {}
        secret = self._settings.oidc_client_secret.get_secret_value()
        methods = metadata.token_endpoint_auth_methods_supported or ["client_secret_basic"]
        if "client_secret_basic" not in methods and "client_secret_post" in methods:
            return {"client_id": identity, "client_secret": secret}, {}
        pair = f"{quote_plus(identity)}:{quote_plus(secret)}".encode()
        return {}, {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def _discover(self) -> Discovery:
        issuer = self._settings.oidc_issuer or ""
        found = self._http.get(f"{issuer.rstrip('/')}{DISCOVERY}", Discovery)
        if found.issuer != issuer:
            raise ProviderError(f"the provider calls itself {found.issuer!a}, not {issuer!a}")
        addresses = (
            found.authorization_endpoint,
            found.token_endpoint,
            found.jwks_uri,
            found.end_session_endpoint or found.jwks_uri,
        )
        for address in addresses:
            if not is_safe_url(address):
                raise ProviderError(f"the provider names {address!a}, which is not https")
        return found

    def _once(self, ask: Any) -> Any:
        """Ask, unless that failed a moment ago: then fail at once."""
        if self._failure is not None and self._age(self._failure[0]) < FAILED_S:
            raise ProviderError(self._failure[1])
        try:
            return ask()
        except ProviderError as error:
            self._failure = (self._clock.monotonic(), str(error))
            raise

    def _age(self, since: float) -> float:
        return self._clock.monotonic() - since
