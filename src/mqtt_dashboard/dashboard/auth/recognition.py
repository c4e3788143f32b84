"""Tells from a request who is asking: token, session cookie, or a trusted proxy's word."""

import dataclasses
import hmac
import re
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

from mqtt_dashboard.bus.auth_store import AuthStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.config import DashboardSettings
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.auth import SessionRecord, TokenRecord, UserRecord
from mqtt_dashboard.dashboard.auth.accounts import TOKEN_MARK
from mqtt_dashboard.dashboard.auth.addresses import Addresses
from mqtt_dashboard.dashboard.auth.oidc_realm import realm_of
from mqtt_dashboard.dashboard.auth.principal import (
    ANONYMOUS,
    Principal,
    SignInError,
    digest_of,
    make,
)
from mqtt_dashboard.errors import BusError, ContractError

Environ = dict[str, Any]

TOKEN: Final = re.compile(rf"\A{TOKEN_MARK}_([0-9a-f]{{16}})_([A-Za-z0-9_-]{{43}})\Z")
# A token of ours, well formed or not; others' credentials are none of our business.
OURS: Final = re.compile(rf"\Abearer\s+{TOKEN_MARK}_", re.IGNORECASE)
TOKEN_TOLD: Final = "send a token as `Authorization: Bearer mqd_…`"  # noqa: S105 - words
SECRET: Final = re.compile(r"\A[A-Za-z0-9_-]{43}\Z")
PROXY_NAME: Final = re.compile(r"\A[^\x00-\x1f\x7f]{1,64}\Z")


class Recognition:
    """Recognises people and programs; asks Redis each time, so what was revoked is gone."""

    def __init__(
        self, store: AuthStore, settings: DashboardSettings, auth: AuthSettings, clock: Clock
    ) -> None:
        self._store = store
        self._auth = auth
        self._clock = clock
        self._port = settings.port
        self.realm = realm_of(auth) if auth.oidc_issuer else None
        self.required = settings.sign_in
        self.addresses = Addresses(auth.trusted_proxies)

    def of(self, environ: Environ) -> Principal:
        """Return who sends a request; raise `SignInError` when nobody known does."""
        return _with(self._who(environ), address=self.addresses.of(environ))

    def _who(self, environ: Environ) -> Principal:
        if not self.required:
            return ANONYMOUS
        authorization = environ.get("HTTP_AUTHORIZATION")
        if authorization is not None and OURS.match(str(authorization)):
            return self._by_token(str(authorization))
        # What else is passed on may be the proxy's own, or left from an earlier visit.
        told = "sign in first" if authorization is None else TOKEN_TOLD
        secret = self.session_secret(environ)
        if secret is not None:
            try:
                return self._by_session(digest_of(secret))
            except SignInError as error:
                told = str(error)
        found = self._by_proxy(environ)
        if found is None:
            raise SignInError(told)
        return found

    def is_shown_something(self, environ: Environ) -> bool:
        """Tell whether a request claims to be somebody's, without asking whether that is so."""
        ours = OURS.match(str(environ.get("HTTP_AUTHORIZATION", ""))) is not None
        return ours or self.session_secret(environ) is not None or bool(self._named(environ))

    def version(self) -> int | None:
        """Return a number that grows whenever rights may have shrunk; None if nobody signs in."""
        return self._store.version() if self.required else None

    def again(self, principal: Principal) -> Principal | None:
        """Return somebody recognised before as that one is now; None when no more."""
        try:
            return _with(self._now(principal), address=principal.address)
        except SignInError:
            return None

    def _now(self, principal: Principal) -> Principal:
        if principal.token is not None:
            return self._token_principal(self._store.token(principal.token))
        if principal.session is not None:
            return self._by_session(principal.session)
        if principal.kind == "proxy":
            return self._proxy_principal(principal.name)
        return principal

    def by_secret(self, secret: str) -> Principal:
        """Return whose session has this secret; raise `SignInError` when nobody's has."""
        return self._by_session(digest_of(secret))

    def cookie_name(self, environ: Environ) -> str:
        """Return the session cookie's name: `__Host-` where the browser came by https.

        Cookies do not tell ports apart, so the plain name does.
        """
        if environ.get("wsgi.url_scheme") == "https":
            return "__Host-mqtt-dashboard"
        return f"mqtt-dashboard-{self._port}"

    def session_secret(self, environ: Environ) -> str | None:
        """Return the secret in the session cookie, if there is one."""
        try:
            cookies = SimpleCookie(str(environ.get("HTTP_COOKIE", "")))
        except CookieError:
            return None
        morsel = cookies.get(self.cookie_name(environ))
        return morsel.value if morsel is not None and SECRET.match(morsel.value) else None

    def _by_token(self, authorization: str) -> Principal:
        scheme, _, text = authorization.partition(" ")
        parts = TOKEN.match(text.strip())
        if scheme.lower() != "bearer" or parts is None:
            raise SignInError(TOKEN_TOLD)
        record = self._store.token(parts[1])
        known = "" if record is None else record.digest
        if not hmac.compare_digest(digest_of(parts[2]), known):
            raise SignInError("this token is not known; it may have been revoked")
        return self._token_principal(record)

    def _token_principal(self, record: TokenRecord | None) -> Principal:
        if record is None:
            raise SignInError("this token is not known; it may have been revoked")
        if record.expires_at <= self._clock.now():
            raise SignInError("this token has expired")
        made = make(f"token:{record.label}", record.role, "token", (record.read, record.publish))
        facts = {"expires_at": record.expires_at, "accounts": record.accounts}
        return _with(made, token=record.id, **facts)

    def _by_session(self, digest: str) -> Principal:
        found = self._store.sessions.resolve(digest, self._auth.session_idle_s)
        if found is not None and found[0].kind == "oidc":
            return self._by_provider(digest, found[0])
        if found is None or found[1] is None:
            raise SignInError("you were signed out; sign in again")
        session, user = found[0], _user(found[1])
        if user.disabled:
            raise SignInError("this user is disabled; an administrator can change that")
        if session.generation != user.generation or session.expires_at <= self._clock.now():
            raise SignInError("you were signed out; sign in again")
        return session_principal(digest, session, user)

    def _by_provider(self, digest: str, session: SessionRecord) -> Principal:
        """Return who came through the provider, while the settings are those of that sign-in."""
        late = session.expires_at <= self._clock.now()
        if session.realm != self.realm or session.role is None or session.name is None or late:
            raise SignInError("you were signed out; sign in again")
        made = make(session.name, session.role, session.kind)
        return _with(made, session=digest, expires_at=session.expires_at, owner=session.user)

    def _by_proxy(self, environ: Environ) -> Principal | None:
        name = self._named(environ)
        return self._proxy_principal(name) if PROXY_NAME.match(name) else None

    def _named(self, environ: Environ) -> str:
        """Return whom a trusted proxy names; empty when none does."""
        header = self._auth.proxy_user_header
        if header is None or not self.addresses.from_proxy(environ):
            return ""
        return str(environ.get(f"HTTP_{header.upper().replace('-', '_')}", ""))

    def _proxy_principal(self, name: str) -> Principal:
        user = self._store.user(name)
        if user is None:
            return make(name, self._auth.proxy_default_role, "proxy")
        if user.disabled:
            raise SignInError("this user is disabled; an administrator can change that")
        return make(name, user.role, "proxy", (user.read, user.publish))


def session_principal(digest: str, session: SessionRecord, user: UserRecord) -> Principal:
    """Return the principal of a session."""
    made = make(user.name, user.role, session.kind, (user.read, user.publish))
    return _with(made, session=digest, expires_at=session.expires_at)


def _with(principal: Principal, **fields: Any) -> Principal:
    return dataclasses.replace(principal, **fields)


def _user(document: bytes) -> UserRecord:
    try:
        return codec.decode(document, UserRecord)
    except ContractError as error:
        raise BusError("a user's record in Redis cannot be read") from error
