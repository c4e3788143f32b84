"""Passwords: argon2id hashes, computed off the event loop and only a few at a time."""

import secrets
import threading
from collections.abc import Callable
from typing import Final, TypeVar

import gevent
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from gevent import monkey

from mqtt_dashboard.dashboard.auth.principal import TooManyError

# OWASP's first choice: 19 MiB, two passes.
MEMORY_KIB: Final = 19_456
PASSES: Final = 2
AT_ONCE: Final = 4

ResultT = TypeVar("ResultT")


class Passwords:
    """Hashes and checks; an unknown user costs the same time as a known one."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(
            time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1
        )
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._decoy: str | None = None

    def hash(self, password: str) -> str:
        """Return the argon2id hash of a new password."""
        return self._run(lambda: self._hasher.hash(password))

    def fits(self, known: str | None, password: str) -> bool:
        """Tell whether a password fits a hash; None (no such user) takes as long and never does."""
        if self._decoy is None:
            self._decoy = self.hash(secrets.token_hex(16))
        against = self._decoy if known is None else known
        return self._run(lambda: self._verify(against, password)) and known is not None

    def outdated(self, known: str) -> bool:
        """Tell whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(known)

    def _verify(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False

    def _run(self, work: Callable[[], ResultT]) -> ResultT:
        if not self._places.acquire(blocking=False):
            raise TooManyError("too many people sign in at this moment; try again", 1)
        try:
            if monkey.is_module_patched("threading"):
                # A native thread: a hash takes tens of milliseconds and must not hold up others.
                return gevent.get_hub().threadpool.apply(work)
            return work()
        finally:
            self._places.release()


def generated() -> str:
    """Return a password of about 119 bits that can be read out and typed."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(6)) for _ in range(4))
