"""Sign-in with a password, and the sessions that follow from it."""

import secrets
from typing import Final

import msgspec

from mqtt_dashboard import logs
from mqtt_dashboard.bus.auth_store import AuthStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.contract.auth import LoginRequest, SessionRecord, UserRecord
from mqtt_dashboard.dashboard.auth.addresses import bucket_of
from mqtt_dashboard.dashboard.auth.passwords import Passwords
from mqtt_dashboard.dashboard.auth.principal import SignInError, TooManyError, digest_of
from mqtt_dashboard.dashboard.counters import Counters

# Failures that cost nothing, the longest wait, and how long failures are remembered, in seconds.
# The wait for a name stays short: a stranger must not be able to lock somebody out.
NAME_LIMITS: Final = (5, 30, 900)
ADDRESS_LIMITS: Final = (20, 300, 900)
AGENT_CHARACTERS: Final = 200

_log = logs.get(__name__)


class SignIn:
    """Turns a name and a password into a session."""

    def __init__(
        self,
        store: AuthStore,
        passwords: Passwords,
        settings: AuthSettings,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._settings = settings
        self._clock = clock
        self._counters = counters

    def login(self, request: LoginRequest, address: str, agent: str) -> tuple[str, SessionRecord]:
        """Return the secret of a new session; raise `SignInError` or `TooManyError`."""
        self._hold_back(request.name, address)
        user = self._store.user(request.name)
        if not self._passwords.fits(None if user is None else user.password, request.password):
            self._counters.add("sign_ins", "refused")
            _log.warning("sign_in.refused", address=address)
            raise SignInError("name or password is wrong")
        assert user is not None
        if user.disabled:
            self._counters.add("sign_ins", "disabled")
            raise SignInError("this user is disabled; an administrator can change that")
        self._pardon(user.name, address)
        self._counters.add("sign_ins", "done")
        self._store.seen(user.name, self._clock.now())
        return self.begin(user, address, agent)

    def begin(self, user: UserRecord, address: str, agent: str) -> tuple[str, SessionRecord]:
        """Begin a session with a new secret."""
        session = SessionRecord(
            user=user.name,
            kind="password",
            created_at=0,
            expires_at=0,
            address=address,
            agent=agent,
            generation=user.generation,
        )
        return self.open(session)

    def open(self, session: SessionRecord) -> tuple[str, SessionRecord]:
        """Keep a session from now on, under a new secret."""
        secret = secrets.token_urlsafe(32)
        now, lifetime = self._clock.now(), self._settings.session_lifetime_s
        session = msgspec.structs.replace(
            session,
            created_at=now,
            expires_at=now + lifetime,
            agent=session.agent[:AGENT_CHARACTERS],
        )
        self._store.sessions.begin(
            digest_of(secret), session, self._settings.session_idle_s, lifetime
        )
        return secret, session

    def end(self, digest: str) -> None:
        """End a session, whoever's it is; fine also when there is none any more."""
        found = self._store.sessions.resolve(digest, self._settings.session_idle_s)
        if found is not None:
            self._store.sessions.end(digest, found[0].user)

    def check_password(self, name: str, password: str, address: str) -> None:
        """Raise `SignInError` unless a password is that of a user; counted as an attempt."""
        self._hold_back(name, address)
        user = self._store.user(name)
        if not self._passwords.fits(None if user is None else user.password, password):
            self._counters.add("sign_ins", "refused")
            raise SignInError("the old password is wrong")
        self._pardon(name, address)

    def _hold_back(self, name: str, address: str) -> None:
        """Raise `TooManyError` when it is too early; the address first.

        From an address that has to wait nothing is counted against a name, else whoever guesses
        there could lock somebody out elsewhere.
        """
        for kind, text, limits in (
            ("address", address, ADDRESS_LIMITS),
            ("name", name, NAME_LIMITS),
        ):
            wait = self._store.sessions.attempt(bucket_of(kind, text), *limits)
            if wait:
                self._counters.add("sign_ins", "held_back")
                raise TooManyError(
                    f"too many attempts to sign in; try again in {wait} s", retry_after=wait
                )

    def _pardon(self, name: str, address: str) -> None:
        """Forget the failures of a name; of an address only this attempt, which was none."""
        self._store.sessions.forgive(bucket_of("name", name))
        self._store.sessions.take_back(bucket_of("address", address))
