"""Sign-in sessions and failed sign-ins in Redis. Secrets are known here by their SHA-256 only."""

from typing import Any, Final

from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.auth import SessionRecord
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.errors import BusError, ContractError

MAX_SESSIONS_PER_USER: Final = 50

# KEYS session, users. ARGV idle seconds. Answers the session and its user, and counts as use.
# A session never outlives `expires_at`, however often it is used.
_RESOLVE: Final = """
local document = redis.call('GET', KEYS[1])
if not document then return {false, false} end
local session = cjson.decode(document)
local left = session.expires_at - tonumber(redis.call('TIME')[1])
if left <= 0 then redis.call('DEL', KEYS[1]) return {false, false} end
redis.call('EXPIRE', KEYS[1], math.ceil(math.min(left, tonumber(ARGV[1]))))
return {document, redis.call('HGET', KEYS[2], session.user)}
"""

# KEYS session, sessions of the user, accounts. ARGV document, digest, idle seconds, lifetime, user.
_BEGIN: Final = """
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[4])
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 1)
redis.call('ZADD', KEYS[3], 'GT', now + tonumber(ARGV[4]), ARGV[5])
return 1
"""

# KEYS failures. ARGV free attempts, longest wait, window: all in seconds but the first.
# Counts an attempt before it is judged, so that parallel attempts count, too.
_ATTEMPT: Final = """
local now = tonumber(redis.call('TIME')[1])
local till = tonumber(redis.call('HGET', KEYS[1], 'till') or '0')
if till > now then return till - now end
local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
local over = count - tonumber(ARGV[1])
if over >= 0 then
  local wait = math.min(tonumber(ARGV[2]), 2 ^ math.min(over, 20))
  redis.call('HSET', KEYS[1], 'till', now + wait)
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 0
"""

# KEYS failures. An attempt that was counted beforehand turned out to be none.
_TAKE_BACK: Final = """
if tonumber(redis.call('HGET', KEYS[1], 'count') or '0') > 0 then
  redis.call('HINCRBY', KEYS[1], 'count', -1)
end
return 1
"""


class AuthSessions:
    """Sessions by the digest of their secret; errors are `BusError`."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._channels = channels
        self._address = address
        self._resolve = client.register_script(_RESOLVE)
        self._begin = client.register_script(_BEGIN)
        self._attempt = client.register_script(_ATTEMPT)
        self._take_back = client.register_script(_TAKE_BACK)

    def begin(self, digest: str, session: SessionRecord, idle_s: int, lifetime_s: int) -> None:
        """Keep a new session; the user's oldest ones end when there are too many."""
        names = self._channels
        user = session.user
        keys = [names.auth_session(digest), names.auth_sessions_of(user), names.auth_accounts]
        arguments: list[Any] = [
            codec.encode(session),
            digest,
            min(idle_s, lifetime_s),
            lifetime_s,
            user,
        ]
        with plain_errors(self._address):
            self._begin(keys=keys, args=arguments)
        known = sorted(self.of_user(user), key=lambda one: one[1].created_at)
        for oldest, _ in known[:-MAX_SESSIONS_PER_USER]:
            self.end(oldest, user)

    def resolve(self, digest: str, idle_s: int) -> tuple[SessionRecord, bytes | None] | None:
        """Return a session with its user's record in JSON, and count this as use of it."""
        names = self._channels
        keys = [names.auth_session(digest), names.auth_users]
        with plain_errors(self._address):
            document, user = self._resolve(keys=keys, args=[idle_s])
        return None if document is None else (_session(document), user)

    def end(self, digest: str, user: str) -> None:
        """End a session and let every worker know."""
        with plain_errors(self._address), self._client.pipeline(transaction=True) as pipe:
            pipe.delete(self._channels.auth_session(digest))
            pipe.srem(self._channels.auth_sessions_of(user), digest)
            pipe.incr(self._channels.auth_version)
            pipe.execute()

    def of_user(self, user: str) -> list[tuple[str, SessionRecord]]:
        """Return the live sessions of a user with their digests; forgets those that ended."""
        index = self._channels.auth_sessions_of(user)
        with plain_errors(self._address):
            members: Any = self._client.smembers(index)
            digests = sorted(str(one, "ascii") for one in members)
            keys = [self._channels.auth_session(one) for one in digests]
            documents: Any = self._client.mget(keys) if keys else []
            gone = [d for d, doc in zip(digests, documents, strict=True) if doc is None]
            if gone:
                self._client.srem(index, *gone)
        return [
            (digest, _session(document))
            for digest, document in zip(digests, documents, strict=True)
            if document is not None
        ]

    def accounts(self, limit: int) -> list[str]:
        """Return accounts that have or had sessions lately, the newest first."""
        with plain_errors(self._address):
            found: Any = self._client.zrevrange(self._channels.auth_accounts, 0, limit - 1)
        return [one.decode(errors="replace") for one in found]

    def use_once(self, digest: str, remember_s: int) -> bool:
        """Mark something as used; False when it was used already."""
        with plain_errors(self._address):
            key = self._channels.auth_used(digest)
            return bool(self._client.set(key, b"1", nx=True, ex=remember_s))

    def attempt(self, bucket: str, free: int, longest_s: int, window_s: int) -> int:
        """Count an attempt to sign in; return the seconds to wait when it is too early, else 0."""
        key = self._channels.auth_failures(bucket)
        with plain_errors(self._address):
            return int(self._attempt(keys=[key], args=[free, longest_s, window_s]))  # type: ignore[arg-type,unused-ignore]

    def take_back(self, bucket: str) -> None:
        """Take back the one attempt that worked; failures before it stay."""
        with plain_errors(self._address):
            self._take_back(keys=[self._channels.auth_failures(bucket)])

    def forgive(self, bucket: str) -> None:
        """Forget the failures of a bucket, after a sign-in that worked."""
        with plain_errors(self._address):
            self._client.delete(self._channels.auth_failures(bucket))


def _session(document: bytes) -> SessionRecord:
    try:
        return codec.decode(document, SessionRecord)
    except ContractError as error:
        raise BusError("a sign-in session in Redis cannot be read") from error
