"""Sign-in through an OpenID Connect provider: authorization code with PKCE.

A sign-in that is under way is kept by the browser alone, in a cookie: one random secret, from
which state, nonce and PKCE verifier are made. So an answer is good only in the browser that asked,
no worker needs to be the one that was asked first, and strangers cannot fill any store.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

from mqtt_dashboard import logs
from mqtt_dashboard.bus.auth_store import AuthStore
from mqtt_dashboard.config_oidc import CALLBACK_PATH, OidcSettings
from mqtt_dashboard.contract.auth import SessionRecord
from mqtt_dashboard.dashboard.auth.oidc_claims import Expected, TokenError, Validate
from mqtt_dashboard.dashboard.auth.oidc_http import ProviderError
from mqtt_dashboard.dashboard.auth.oidc_provider import Provider
from mqtt_dashboard.dashboard.auth.oidc_realm import realm_of, role_of
from mqtt_dashboard.dashboard.auth.sessions import SignIn
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.errors import DashboardError

UNDER_WAY_S: Final = 600
MAX_NAME: Final = 64
MAX_CODE: Final = 4096
# A page of ours: a path that cannot be read as another host, another folder or a route.
PAGE: Final = re.compile(
    r"\A/(?!/|api/|api\Z)(?!(?i:.*(?:\.|%2e){2}))[A-Za-z0-9._~%!$&'()*+,;=:@/-]*"
    r"(\?[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*)?\Z"
)
MAX_PAGE: Final = 1500
# The secret, the page and, if there is one, what stands for the session that a new one replaces.
COOKIE: Final = re.compile(r"\A([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{0,2400})(?:\.([0-9a-f]{64}))?\Z")

Reason = Literal["denied", "expired", "no_role", "no_name", "invalid", "provider"]

_log = logs.get(__name__)


class OidcError(DashboardError):
    """A sign-in through the provider did not work; ``reason`` is what the page is told."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Visit:
    """From where somebody signs in; ``redirect_uri`` is where the provider sends them back to."""

    redirect_uri: str
    address: str
    agent: str


class OidcSignIn:
    """Turns a provider's word into a session."""

    def __init__(
        self,
        settings: OidcSettings,
        provider: Provider,
        store: AuthStore,
        sign_in: SignIn,
        counters: Counters,
        validate: Validate,
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._store = store
        self._sign_in = sign_in
        self._counters = counters
        self._validate = validate

    def begin(self, page: str, redirect_uri: str, session: str | None = None) -> tuple[str, str]:
        """Return what the browser's cookie keeps, and where to send the browser.

        ``session`` is the digest of the one the browser has now: on the way back from another site
        it does not send that cookie.
        """
        try:
            metadata = self._provider.metadata()
        except ProviderError as error:
            raise self._failed("provider", str(error)) from error
        secret = secrets.token_urlsafe(32)
        challenge = hashlib.sha256(_derived(secret, "verifier").encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id or "",
            "redirect_uri": redirect_uri,
            "scope": self._settings.oidc_scopes,
            "state": _derived(secret, "state"),
            "nonce": _derived(secret, "nonce"),
            "code_challenge": _text(challenge),
            "code_challenge_method": "S256",
        }
        endpoint = metadata.authorization_endpoint
        joint = "&" if "?" in endpoint else "?"
        kept = f"{secret}.{_text(safe_page(page).encode())}{f'.{session}' if session else ''}"
        return kept, f"{endpoint}{joint}{urlencode(query, quote_via=quote)}"

    def finish(self, answer: Mapping[str, str], kept: str, visit: Visit) -> tuple[str, str]:
        """Return the secret of a new session and the page to show; raise `OidcError`."""
        secret, page, before = self._under_way(kept, answer.get("state", ""))
        problem, code = answer.get("error"), answer.get("code", "")
        if problem is not None:
            reason: Reason = "denied" if problem == "access_denied" else "provider"
            raise self._failed(reason, f"the provider says {problem[:64]!a}")
        if not 0 < len(code) <= MAX_CODE:
            raise self._failed("invalid", "the answer holds no code")
        claims = self._claims(secret, code, answer.get("iss"), visit.redirect_uri)
        made = self._session(claims, visit)
        self._counters.add("sign_ins", "done")
        if before is not None:
            self._sign_in.end(before)
        return made, page

    def sign_out_at(self, redirect_uri: str) -> str | None:
        """Return where the provider's own sign-out is, if people are to be sent there."""
        if self._settings.oidc_logout != "provider":
            return None
        try:
            endpoint = self._provider.metadata().end_session_endpoint
        except ProviderError as error:
            _log.warning("oidc.no_provider", reason=str(error))
            return None
        if endpoint is None:
            return None
        query = {
            "client_id": self._settings.oidc_client_id or "",
            "post_logout_redirect_uri": f"{redirect_uri.removesuffix(CALLBACK_PATH)}/",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query, quote_via=quote)}"

    def _under_way(self, kept: str, state: str) -> tuple[str, str, str | None]:
        parts = COOKIE.match(kept)
        if parts is None:
            raise self._failed("expired", "this browser has no sign-in under way")
        expected = _derived(parts[1], "state")
        if not hmac.compare_digest(state.encode(errors="replace"), expected.encode()):
            raise self._failed("expired", "the answer belongs to another sign-in (state)")
        return parts[1], _page_of(parts[2]), parts[3]

    def _claims(
        self, secret: str, code: str, issuer: str | None, redirect_uri: str
    ) -> dict[str, Any]:
        nonce = _derived(secret, "nonce")
        expected = Expected(
            issuer=self._settings.oidc_issuer or "",
            client_id=self._settings.oidc_client_id or "",
            nonce=nonce,
            leeway=self._settings.oidc_leeway_s,
        )
        try:
            promised = self._provider.metadata().authorization_response_iss_parameter_supported
            if issuer != expected.issuer and (promised or issuer is not None):
                raise self._failed("invalid", "the answer comes from another provider (iss)")
            token = self._provider.redeem(code, _derived(secret, "verifier"), redirect_uri)
            claims = self._validate(token, lambda fresh: self._provider.keys(fresh=fresh), expected)
        except ProviderError as error:
            raise self._failed("provider", str(error)) from error
        except TokenError as error:
            raise self._failed("invalid", f"ID token: {error}") from error
        # The provider should refuse a code's second use; so do we.
        if not self._store.sessions.use_once(_digest(nonce), 2 * UNDER_WAY_S):
            raise self._failed("expired", "this answer was used already")
        return claims

    def _session(self, claims: dict[str, Any], visit: Visit) -> str:
        name = claims.get(self._settings.oidc_name_claim)
        if not isinstance(name, str) or not _is_name(name):
            claim = self._settings.oidc_name_claim
            raise self._failed("no_name", f"the claim {claim!a} is no name of 1 to {MAX_NAME}")
        role = role_of(claims, self._settings)
        if role is None:
            claim = self._settings.oidc_role_claim
            raise self._failed("no_role", f"nothing in the claim {claim!a} is in OIDC_ROLES")
        subject = _digest(f"{claims['iss']}\0{claims['sub']}")[:32]
        record = SessionRecord(
            # No local user has a colon in the name, so nobody gets anybody's rights by a name.
            user=f"oidc:{subject}",
            kind="oidc",
            created_at=0,
            expires_at=0,
            address=visit.address,
            agent=visit.agent,
            name=f"oidc:{name}",
            role=role,
            realm=realm_of(self._settings),
        )
        return self._sign_in.open(record)[0]

    def _failed(self, reason: Reason, text: str) -> OidcError:
        self._counters.add("sign_ins", "refused")
        _log.warning("oidc.refused", reason=reason, text=text)
        return OidcError(reason, text)


def safe_page(page: str) -> str:
    """Return the page to come back to; the first page when that could lead anywhere else."""
    return page if len(page) <= MAX_PAGE and PAGE.match(page) else "/"


def _page_of(packed: str) -> str:
    """Return the page that a cookie names; cookies are whatever the browser's owner likes."""
    try:
        page = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    except binascii.Error:
        return "/"
    return safe_page(page.decode("ascii", "replace"))


def _is_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable() and bool(name.strip())


def _derived(secret: str, purpose: str) -> str:
    return _text(hmac.digest(secret.encode(), purpose.encode(), "sha256"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
