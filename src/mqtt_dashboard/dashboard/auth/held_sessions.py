"""Everybody's sessions as administrators handle them, whoever vouched for the sign-in."""

from typing import Final

from mqtt_dashboard.bus.auth_store import AuthStore
from mqtt_dashboard.contract.auth import HeldSession, HeldSessionsReply, SessionRecord, UserRecord
from mqtt_dashboard.dashboard.auth.accounts import UnknownAccountError

MAX_LISTED: Final = 1000
PUBLIC_ID_CHARACTERS: Final = 16


class HeldSessions:
    """Lists and ends sessions by account: a user's name, or what stands for one at a provider."""

    def __init__(self, store: AuthStore, realm: str | None) -> None:
        self._store = store
        self._realm = realm

    def all(self, own: str | None = None) -> HeldSessionsReply:
        """Return the newest sessions; ``own`` is the digest of the one that asks."""
        users = {one.name: one for one in self._store.users()}
        accounts = self._store.sessions.accounts(MAX_LISTED + 1)
        found = [
            _shown(digest, session, users.get(account), own)
            for account in accounts[:MAX_LISTED]
            for digest, session in self._store.sessions.of_user(account)
            if self._opens(session, users.get(account))
        ]
        found.sort(key=lambda one: one.created_at, reverse=True)
        more = len(accounts) > MAX_LISTED or len(found) > MAX_LISTED
        return HeldSessionsReply(sessions=found[:MAX_LISTED], more=more)

    def end(self, account: str, identity: str | None = None) -> int:
        """End one session of an account, or all; return how many ended."""
        chosen = [
            digest
            for digest, _ in self._store.sessions.of_user(account)
            if identity is None or public_id(digest) == identity
        ]
        if not chosen:
            raise UnknownAccountError("there is no such session")
        for digest in chosen:
            self._store.sessions.end(digest, account)
        return len(chosen)

    def _opens(self, session: SessionRecord, user: UserRecord | None) -> bool:
        """Tell whether a session still opens anything; some lie there until they expire."""
        if session.kind == "oidc":
            return session.realm == self._realm
        return user is not None and user.generation == session.generation


def public_id(digest: str) -> str:
    """Return what names a session and opens nothing."""
    return digest[:PUBLIC_ID_CHARACTERS]


def _shown(
    digest: str, session: SessionRecord, user: UserRecord | None, own: str | None
) -> HeldSession:
    return HeldSession(
        id=public_id(digest),
        account=session.user,
        name=session.name or session.user,
        kind=session.kind,
        role=session.role or (None if user is None else user.role),
        created_at=session.created_at,
        expires_at=session.expires_at,
        address=session.address,
        agent=session.agent,
        current=digest == own,
    )
