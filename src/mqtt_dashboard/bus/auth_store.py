"""Users and API tokens in Redis: one script per change, so no reader ever sees half of one.

A change that takes rights to publish marks the sender in the same script: what it has sent before
and no bridge has taken is not sent any more.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeVar

from mqtt_dashboard.bus.auth_sessions import AuthSessions
from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.auth import TokenRecord, UserRecord
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.policy import publish_grant
from mqtt_dashboard.errors import BusError, ContractError

MAX_USERS: Final = 1000
MAX_TOKENS: Final = 1000

RecordT = TypeVar("RecordT", UserRecord, TokenRecord)
Outcome = Literal["done", "conflict", "last_administrator", "full"]

# Longer than any command waits for a bridge.
_REMEMBERED_MS: Final = 2 * 86_400_000

# The last two KEYS of each script: withdrawn, withdrawing.
_WITHDRAW: Final = """
local function withdraw(sender)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[#KEYS - 1], '-inf', now - REMEMBERED)
  redis.call('ZADD', KEYS[#KEYS - 1], now, sender)
  redis.call('SADD', KEYS[#KEYS], sender)
end
""".replace("REMEMBERED", str(_REMEMBERED_MS))

# KEYS users, tokens, version, withdrawn, withdrawing. ARGV name, new record or '', record that must
# be there now or '', limit, sender whose rights to publish shrink or '', then the ids of the tokens
# that end with the change.
_PUT_USER: Final = (
    _WITHDRAW
    + """
local old = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if old ~= ARGV[3] then return 'conflict' end
if old == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return 'full' end
local function counts(record)
  if record == '' then return 0 end
  local user = cjson.decode(record)
  return user.role == 'administrator' and user.disabled ~= true and 1 or 0
end
local administrators = 0
for _, record in ipairs(redis.call('HVALS', KEYS[1])) do
  administrators = administrators + counts(record)
end
if counts(old) == 1 and administrators - 1 + counts(ARGV[2]) < 1 then
  return 'last_administrator'
end
if ARGV[2] == '' then redis.call('HDEL', KEYS[1], ARGV[1])
else redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
for i = 6, #ARGV do
  if redis.call('HDEL', KEYS[2], ARGV[i]) == 1 then withdraw('token:' .. ARGV[i]) end
end
redis.call('INCR', KEYS[3])
if ARGV[5] ~= '' then withdraw(ARGV[5]) end
return 'done'
"""
)

# KEYS users, version. ARGV name, record. Only the very first user is written.
_FOUND: Final = """
if redis.call('HLEN', KEYS[1]) > 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('INCR', KEYS[2])
return 1
"""

# KEYS tokens, version, withdrawn, withdrawing. ARGV id, record or '', limit.
_KEEP_OR_DROP: Final = (
    _WITHDRAW
    + """
if ARGV[2] == '' then
  if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 'conflict' end
  redis.call('INCR', KEYS[2])
  withdraw('token:' .. ARGV[1])
  return 'done'
end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 'full' end
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 'conflict' end
return 'done'
"""
)


class AuthStore:
    """Who may sign in; errors are `BusError`."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._channels = channels
        self._address = address
        self._put_user = client.register_script(_PUT_USER)
        self._found = client.register_script(_FOUND)
        self._put_token = client.register_script(_KEEP_OR_DROP)
        self.sessions = AuthSessions(client, channels, address)

    def version(self) -> int:
        """Return a number that grows whenever rights may have shrunk."""
        with plain_errors(self._address):
            value: Any = self._client.get(self._channels.auth_version)
        return int(value or 0)

    def has_users(self) -> bool:
        """Tell whether there is any user."""
        with plain_errors(self._address):
            return int(self._client.hlen(self._channels.auth_users)) > 0

    def user(self, name: str) -> UserRecord | None:
        """Return one user."""
        with plain_errors(self._address):
            value: Any = self._client.hget(self._channels.auth_users, name)
        return None if value is None else _decoded(value, UserRecord)

    def users(self) -> list[UserRecord]:
        """Return all users by name."""
        with plain_errors(self._address):
            values: Any = self._client.hvals(self._channels.auth_users)
        return sorted((_decoded(one, UserRecord) for one in values), key=lambda one: one.name)

    def seen(self, name: str, now: float) -> None:
        """Keep when a user signed in last."""
        with plain_errors(self._address):
            self._client.hset(self._channels.auth_seen, name, repr(now))

    def all_seen(self) -> dict[str, float]:
        """Return when each user signed in last, as far as that is known."""
        with plain_errors(self._address):
            found: Any = self._client.hgetall(self._channels.auth_seen)
        times = {name.decode(errors="replace"): _time(value) for name, value in found.items()}
        return {name: value for name, value in times.items() if value is not None}

    def create_user(self, user: UserRecord) -> Outcome:
        """Add a user; ``conflict`` when the name is taken."""
        # Who came under this name through a proxy may have had more.
        return self._write_user(user.name, user, b"", shrinks=True)

    def replace_user(self, old: UserRecord, new: UserRecord, tokens: Sequence[str] = ()) -> Outcome:
        """Change a user, and end tokens in the same step.

        ``conflict`` when somebody else changed the user meanwhile.
        """
        return self._replace(old, new, tokens)

    def remove_user(self, old: UserRecord, tokens: Sequence[str] = ()) -> Outcome:
        """Remove a user, and end tokens in the same step; the last administrator stays."""
        return self._replace(old, None, tokens)

    def found(self, user: UserRecord) -> bool:
        """Write the first user; False when there is one already, whoever was quicker."""
        keys = [self._channels.auth_users, self._channels.auth_version]
        with plain_errors(self._address):
            return bool(self._found(keys=keys, args=[user.name, codec.encode(user)]))

    def token(self, identity: str) -> TokenRecord | None:
        """Return one token."""
        with plain_errors(self._address):
            value: Any = self._client.hget(self._channels.auth_tokens, identity)
        return None if value is None else _decoded(value, TokenRecord)

    def tokens(self) -> list[TokenRecord]:
        """Return all tokens, the oldest first."""
        with plain_errors(self._address):
            values: Any = self._client.hvals(self._channels.auth_tokens)
        records = (_decoded(one, TokenRecord) for one in values)
        return sorted(records, key=lambda one: one.created_at)

    def create_token(self, token: TokenRecord) -> Outcome:
        """Add a token."""
        return self._write_token(token.id, codec.encode(token))

    def remove_token(self, identity: str) -> Outcome:
        """Remove a token; ``conflict`` when there is none."""
        return self._write_token(identity, b"")

    def _replace(self, old: UserRecord, new: UserRecord | None, tokens: Sequence[str]) -> Outcome:
        """Write over the very bytes that were read; an earlier version wrote fewer fields."""
        with plain_errors(self._address):
            there: Any = self._client.hget(self._channels.auth_users, old.name)
        if there is None or _decoded(there, UserRecord) != old:
            return "conflict"
        shrinks = new is None or publish_shrinks(old, new)
        return self._write_user(old.name, new, there, tokens, shrinks=shrinks)

    def _write_user(
        self,
        name: str,
        new: UserRecord | None,
        there: bytes,
        tokens: Sequence[str] = (),
        *,
        shrinks: bool,
    ) -> Outcome:
        keys = [self._channels.auth_users, self._channels.auth_tokens, *self._shared_keys]
        document = b"" if new is None else codec.encode(new)
        arguments: list[str | int | bytes] = [
            name,
            document,
            there,
            MAX_USERS,
            f"user:{name}" if shrinks else "",
            *tokens,
        ]
        with plain_errors(self._address):
            answer: Any = self._put_user(keys=keys, args=arguments)
            if new is None and _outcome(answer) == "done":
                self._client.hdel(self._channels.auth_seen, name)
        return _outcome(answer)

    def _write_token(self, identity: str, document: bytes) -> Outcome:
        keys = [self._channels.auth_tokens, *self._shared_keys]
        arguments: list[str | int | bytes] = [identity, document, MAX_TOKENS]
        with plain_errors(self._address):
            answer: Any = self._put_token(keys=keys, args=arguments)
        return _outcome(answer)

    @property
    def _shared_keys(self) -> list[str]:
        names = self._channels
        return [names.auth_version, names.orders_withdrawn, names.orders_withdrawing]


def publish_shrinks(old: UserRecord, new: UserRecord) -> bool:
    """Tell whether a user may publish less after a change."""
    if new.disabled and not old.disabled:
        return True
    had, has = publish_grant(old.role, old.publish), publish_grant(new.role, new.publish)
    return not has.contains(had)


def _outcome(answer: bytes) -> Outcome:
    match answer.decode():
        case "done":
            return "done"
        case "last_administrator":
            return "last_administrator"
        case "full":
            return "full"
        case _:
            return "conflict"


def _time(value: bytes) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _decoded(value: bytes, kind: type[RecordT]) -> RecordT:
    try:
        return codec.decode(value, kind)
    except ContractError as error:
        raise BusError(f"a record of {kind.__name__} in Redis cannot be read") from error
