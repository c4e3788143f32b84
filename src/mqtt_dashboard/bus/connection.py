"""The only importer of redis-py: opens clients with deadlines, turns their errors into ours.

Deadlines are short (2 s) so that a frozen Redis is noticed, and no command is retried in here: the
caller knows what may be repeated. A patient client is for what takes long to send over a slow line.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import hiredis
import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.retry import Retry

from mqtt_dashboard.bus.shares import Shares, asking
from mqtt_dashboard.config import RedisSettings
from mqtt_dashboard.errors import BusError, BusRefusedError, BusStateError, BusTimeoutError

CONNECT_TIMEOUT_S: Final = 2.0
ANSWER_TIMEOUT_S: Final = 2.0
PATIENT_TIMEOUT_S: Final = 20.0
# Arguments from which on a command is a batch of ours.
LONG_COMMAND: Final = 64

# Beginnings of refusals that redis-py has no class for. The last is how a script lacks a right.
_STATES: Final = (
    "WRONGTYPE",
    "MISCONF",
    "NOREPLICAS",
    "BUSY",
    "UNKILLABLE",
    "The user executing the script",
)

Client = redis.Redis
PubSub = redis.client.PubSub
Pipeline = redis.client.Pipeline
WatchError = redis.WatchError


class SharedPool(redis.BlockingConnectionPool):
    """Connections that visitors have to share; see `shares`."""

    def __init__(self, *arguments: Any, shares: Shares | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call,unused-ignore]
        self._shares = shares
        self._taken: dict[int, str] = {}

    def get_connection(self, *arguments: Any, **options: Any) -> Any:
        """Return a connection, once it is the visitor's turn."""
        visitor = asking.get()
        if visitor is None or self._shares is None:
            return super().get_connection(*arguments, **options)  # type: ignore[no-untyped-call,unused-ignore]
        self._shares.take(visitor)
        try:
            connection = super().get_connection(*arguments, **options)  # type: ignore[no-untyped-call,unused-ignore]
        except BaseException:
            self._shares.give(visitor)
            raise
        self._taken[id(connection)] = visitor
        return connection

    def release(self, connection: Any) -> None:
        """Take a connection back."""
        visitor = self._taken.pop(id(connection), None)
        super().release(connection)  # type: ignore[no-untyped-call,unused-ignore]
        if visitor is not None and self._shares is not None:
            self._shares.give(visitor)


class BatchPacker(HiredisRespSerializer):
    """Hands batches to hiredis as they are; redis-py looks at each argument first.

    That adds two thirds to the time. What it looks for are memory views, which hiredis refuses.
    """

    def pack(self, *arguments: Any) -> list[bytes]:
        """Return a command as it goes over the line."""
        if len(arguments) >= LONG_COMMAND and " " not in arguments[0]:
            with suppress(TypeError):
                return [hiredis.pack_command(arguments)]
        packed: list[bytes] = super().pack(*arguments)
        return packed


def open_client(
    settings: RedisSettings,
    name: str,
    *,
    answer_timeout: float = ANSWER_TIMEOUT_S,
    max_connections: int = 16,
    shares: Shares | None = None,
) -> Client:
    """Return a client that connects on first use; ``name`` shows in CLIENT LIST.

    Whoever finds all connections in use waits for one as long as for an answer.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": answer_timeout,
        "socket_keepalive": True,
        "client_name": name,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": max_connections,
        "decode_responses": False,
        "command_packer": BatchPacker(),
    }
    waiting: dict[str, Any] = {"timeout": answer_timeout, "shares": shares}
    if settings.url is not None:
        address = settings.url.get_secret_value()
        pool = SharedPool.from_url(address, **options, **waiting)
    else:
        pool = SharedPool(
            host=settings.host,
            port=settings.port,
            db=settings.db,
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            **options,
            **waiting,
        )
    return redis.Redis.from_pool(pool)


def lets_strangers_in(settings: RedisSettings) -> bool:
    """Tell whether Redis shows our keys to somebody without a password; raise `BusError`."""
    bare = settings.model_copy(
        update={"username": None, "password": None, "url": _without_secrets(settings.url)}
    )
    client = open_client(bare, "mqtt-dashboard-stranger", max_connections=1)
    try:
        with plain_errors(settings.address):
            client.exists(f"{settings.prefix}bridge:status")
    except BusError as error:
        if isinstance(error.__cause__, redis.AuthenticationError | redis.ResponseError):
            return False
        raise
    finally:
        client.close()
    return True


def _without_secrets(url: SecretStr | None) -> SecretStr | None:
    if url is None:
        return None
    parts = urlsplit(url.get_secret_value())
    kept = [one for one in parse_qsl(parts.query) if one[0] not in {"username", "password"}]
    host = parts.netloc.rpartition("@")[2]
    return SecretStr(urlunsplit(parts._replace(netloc=host, query=urlencode(kept))))


def open_pubsub(client: Client) -> PubSub:
    """Return a subscriber of its own connection; nothing is sent before its first use."""
    return client.pubsub()  # type: ignore[no-untyped-call,no-any-return,unused-ignore]


@contextmanager
def plain_errors(address: str) -> Iterator[None]:
    """Raise `BusError` with a sentence for the operator instead of redis-py's errors."""
    try:
        yield
    except redis.AuthenticationError as error:
        raise BusError(f"Redis at {address} refused the password: {error}") from error
    except redis.TimeoutError as error:
        raise BusTimeoutError(f"Redis at {address} does not answer in time") from error
    except redis.ConnectionError as error:
        raise BusError(f"Redis at {address} cannot be reached: {error}") from error
    except redis.ResponseError as error:
        kind = BusStateError if _is_state(error) else BusRefusedError
        raise kind(f"Redis at {address} refused a command: {error}") from error
    except redis.RedisError as error:
        raise BusError(f"Redis at {address}: {error}") from error


def _is_state(error: redis.ResponseError) -> bool:
    """Tell whether a refusal is about Redis or our rights, not about what was sent."""
    return type(error) is not redis.ResponseError or str(error).startswith(_STATES)
