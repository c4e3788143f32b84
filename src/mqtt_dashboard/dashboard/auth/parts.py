"""What sign-in consists of in one worker, built in one place."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from mqtt_dashboard.bus.auth_store import AuthStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.config import DashboardSettings
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.auth.accounts import Accounts
from mqtt_dashboard.dashboard.auth.crowd import Crowd
from mqtt_dashboard.dashboard.auth.founding import Founding
from mqtt_dashboard.dashboard.auth.guard import Guard
from mqtt_dashboard.dashboard.auth.held_sessions import HeldSessions
from mqtt_dashboard.dashboard.auth.limiting import RequestLimits
from mqtt_dashboard.dashboard.auth.oidc import OidcSignIn
from mqtt_dashboard.dashboard.auth.oidc_http import ProviderHttp
from mqtt_dashboard.dashboard.auth.oidc_provider import Provider
from mqtt_dashboard.dashboard.auth.passwords import Passwords
from mqtt_dashboard.dashboard.auth.recognition import Recognition
from mqtt_dashboard.dashboard.auth.sessions import SignIn
from mqtt_dashboard.dashboard.counters import Counters


@dataclass(frozen=True)
class AuthParts:
    """The parts of sign-in."""

    settings: AuthSettings
    store: AuthStore
    recognition: Recognition
    limits: RequestLimits
    guard: Guard
    crowd: Crowd
    accounts: Accounts
    held_sessions: HeldSessions
    sign_in: SignIn
    founding: Founding
    oidc: OidcSignIn | None

    @property
    def provider_name(self) -> str | None:
        """Return what the page calls the provider; None when one cannot sign in with one."""
        if self.oidc is None:
            return None
        return self.settings.oidc_name or urlsplit(self.settings.oidc_issuer or "").hostname

    def turn(self) -> None:
        """Do what is due twice a second: the first user, then whose rights have shrunk."""
        self.founding.turn()
        self.crowd.turn()


def build(
    settings: DashboardSettings,
    auth: AuthSettings,
    store: AuthStore,
    clock: Clock,
    counters: Counters,
    auditor: Auditor,
    cut: Callable[[str], None],
    stopping: threading.Event,
) -> AuthParts:
    """Return all parts; nothing is started and Redis is not asked."""
    recognition = Recognition(store, settings, auth, clock)
    passwords = Passwords()
    accounts = Accounts(store, passwords, clock)
    sign_in = SignIn(store, passwords, auth, clock, counters)
    limits = RequestLimits(auth.requests_per_minute, auth.publishes_per_topic, counters)
    oidc = None
    if recognition.required and auth.oidc_issuer is not None:
        # Only here, because the cryptography it needs is a tenth of a worker's memory.
        from mqtt_dashboard.dashboard.auth.oidc_token import validate  # noqa: PLC0415

        provider = Provider(auth, ProviderHttp(auth.oidc_ca_file), clock)
        oidc = OidcSignIn(auth, provider, store, sign_in, counters, validate)
    return AuthParts(
        settings=auth,
        store=store,
        recognition=recognition,
        limits=limits,
        guard=Guard(recognition, limits, counters, auditor),
        crowd=Crowd(store, recognition, clock, counters, auditor, cut, stopping),
        accounts=accounts,
        held_sessions=HeldSessions(store, recognition.realm),
        sign_in=sign_in,
        founding=Founding(accounts, auth.admin_password, sys.stderr, required=recognition.required),
        oidc=oidc,
    )
