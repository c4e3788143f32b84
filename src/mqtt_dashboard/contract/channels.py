"""Names in Redis: pub/sub channels, keys and streams. No other module spells one out.

All names share a prefix (default ``mqtt:``, setting ``REDIS_PREFIX``), one prefix per broker.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

DEFAULT_PREFIX: Final = "mqtt:"


@dataclass(frozen=True)
class RedisChannels:
    """The names below one prefix.

    Channels are public: one JSON document per PUBLISH. Keys and streams are the product's own and
    are described in ``docs/reference/redis.md``.
    """

    prefix: str = DEFAULT_PREFIX

    # Public channels -------------------------------------------------------------------------
    @cached_property
    def BROKER_STATS(self) -> str:  # noqa: N802 - public name
        """Channel of `StatsUpdate`, every 5 s."""
        return f"{self.prefix}broker:stats"

    @cached_property
    def BROKER_STATUS(self) -> str:  # noqa: N802 - public name
        """Channel of `StatusChange`, on each change."""
        return f"{self.prefix}broker:status"

    @cached_property
    def MQTT_MESSAGES(self) -> str:  # noqa: N802 - public name
        """Channel of `MessageReceived`, one document per MQTT message."""
        return f"{self.prefix}messages"

    @cached_property
    def CLIENT_LIST(self) -> str:  # noqa: N802 - public name
        """Channel of `ClientsUpdate`, every 10 s."""
        return f"{self.prefix}clients"

    @cached_property
    def TOPIC_LIST(self) -> str:  # noqa: N802 - public name
        """Channel of `TopicsUpdate`, every 10 s."""
        return f"{self.prefix}topics"

    @cached_property
    def COMMANDS(self) -> str:  # noqa: N802 - public name
        """Channel of `Command`, towards the bridge."""
        return f"{self.prefix}commands"

    @cached_property
    def COMMAND_RESULTS(self) -> str:  # noqa: N802 - public name
        """Channel of `CommandResult`, one document per durable command."""
        return f"{self.prefix}commands:results"

    # Keys and streams ------------------------------------------------------------------------
    @cached_property
    def message_log(self) -> str:
        """Stream of packed batches, field ``b`` = `Batch` in MessagePack."""
        return f"{self.prefix}log"

    @cached_property
    def log_end(self) -> str:
        """String ``<epoch>:<seq>``: the last message that was written to the message log."""
        return f"{self.prefix}log:end"

    @cached_property
    def events(self) -> str:
        """Stream of state documents, fields ``c`` = public channel, ``d`` = JSON document."""
        return f"{self.prefix}events"

    @cached_property
    def bridge_status(self) -> str:
        """String `BridgeStatus` in JSON with a TTL: gone means the bridge is silent."""
        return f"{self.prefix}bridge:status"

    @cached_property
    def bridge_lease(self) -> str:
        """String: the instance id of the active bridge, with a TTL."""
        return f"{self.prefix}bridge:lease"

    @cached_property
    def bridge_epoch(self) -> str:
        """Integer: the epoch of the newest active bridge; fences older ones."""
        return f"{self.prefix}bridge:epoch"

    @cached_property
    def bridge_beat(self) -> str:
        """Integer: how often the active bridge has renewed its lease."""
        return f"{self.prefix}bridge:beat"

    def latest(self, channel: str) -> str:
        """Return the key that keeps the newest document of a state channel."""
        return f"{self.prefix}latest:{channel.removeprefix(self.prefix)}"

    @cached_property
    def topic_names(self) -> str:
        """Sorted set of all known topics with NUL for ``/``, score 0: ordered level by level."""
        return f"{self.prefix}index:names"

    @cached_property
    def topic_values(self) -> str:
        """Hash topic -> `TopicEntry` in MessagePack."""
        return f"{self.prefix}index:values"

    @cached_property
    def topic_state(self) -> str:
        """Hash: how many writes the index has seen, and up to which message it is whole."""
        return f"{self.prefix}index:state"

    @cached_property
    def status_history(self) -> str:
        """Stream of `StatusChange` documents, field ``d``: the story of the connection."""
        return f"{self.prefix}history:status"

    def stats_history(self, span: str) -> str:
        """Return the stream of `StatsPoint` in MessagePack, field ``p``, of a span."""
        return f"{self.prefix}history:stats:{span}"

    @cached_property
    def bridge_about(self) -> str:
        """String `BridgeAbout` in JSON: versions and settings of the active bridge."""
        return f"{self.prefix}bridge:about"

    @cached_property
    def workers(self) -> str:
        """Hash worker -> `WorkerReport` in JSON; old entries are removed by the other workers."""
        return f"{self.prefix}workers"

    @cached_property
    def subscriptions(self) -> str:
        """Hash filter -> `WantedFilter` in JSON: what the bridge must keep subscribed."""
        return f"{self.prefix}subscriptions"

    @cached_property
    def session_filters(self) -> str:
        """Hash filter -> `SessionFilter` in JSON: what the broker holds in the kept session."""
        return f"{self.prefix}session:filters"

    def reply(self, command_id: str) -> str:
        """Return the list that receives the one `CommandReply` of a command; it expires."""
        return f"{self.prefix}reply:{command_id}"

    @cached_property
    def orders(self) -> str:
        """Stream of commands without result: ``i`` = id, ``b`` = `Order`, ``n`` = its bytes."""
        return f"{self.prefix}order:queue"

    @cached_property
    def order_bytes(self) -> str:
        """Integer: the payload bytes of `orders`."""
        return f"{self.prefix}order:bytes"

    @cached_property
    def order_results(self) -> str:
        """Stream of `CommandResult`, field ``d`` in JSON: what the dashboards follow."""
        return f"{self.prefix}order:results"

    @cached_property
    def orders_recent(self) -> str:
        """Sorted set of the ids of records without an Idempotency-Key, by acceptance (ms)."""
        return f"{self.prefix}order:recent"

    @cached_property
    def orders_keyed(self) -> str:
        """Sorted set of the ids of records with an Idempotency-Key, by acceptance (ms)."""
        return f"{self.prefix}order:keyed"

    @cached_property
    def orders_open(self) -> str:
        """Sorted set of the ids of commands without result, by when to look at them next (ms)."""
        return f"{self.prefix}order:open"

    @cached_property
    def orders_kept(self) -> str:
        """Sorted set of the ids of all records, by when they may go (ms)."""
        return f"{self.prefix}order:kept"

    @cached_property
    def orders_kept_bytes(self) -> str:
        """Integer: the bytes of all records, as they are counted."""
        return f"{self.prefix}order:kept:bytes"

    @cached_property
    def order_senders(self) -> str:
        """Hash sender -> how many records with an Idempotency-Key are kept of it."""
        return f"{self.prefix}order:senders"

    @cached_property
    def orders_withdrawn(self) -> str:
        """Sorted set of senders by when their rights were withdrawn (ms)."""
        return f"{self.prefix}order:withdrawn"

    @cached_property
    def orders_withdrawing(self) -> str:
        """Set of senders whose commands were not looked through since."""
        return f"{self.prefix}order:withdrawing"

    @cached_property
    def order_opening(self) -> str:
        """String, there while it is open whether the broker kept the session of sent orders."""
        return f"{self.prefix}order:opening"

    @cached_property
    def order_burnt(self) -> str:
        """Set of packet ids that must rest until the broker forgets the session."""
        return f"{self.prefix}order:burnt"

    @cached_property
    def order_records(self) -> str:
        """Prefix of the hashes that hold one durable command each."""
        return f"{self.prefix}order:record:"

    def order_record(self, command_id: str) -> str:
        """Return the hash of one durable command; removed a while after its end."""
        return f"{self.order_records}{command_id}"

    @cached_property
    def order_keys(self) -> str:
        """Prefix of the strings that keep what an Idempotency-Key stands for."""
        return f"{self.prefix}order:key:"

    def order_key(self, digest: str) -> str:
        """Return the string with the id an Idempotency-Key stands for; it goes with the record."""
        return f"{self.order_keys}{digest}"

    # Sign-in ---------------------------------------------------------------------------------
    @cached_property
    def auth_version(self) -> str:
        """Integer: grows when rights may have shrunk; each worker looks twice a second."""
        return f"{self.prefix}auth:version"

    @cached_property
    def auth_users(self) -> str:
        """Hash user name -> `UserRecord` in JSON."""
        return f"{self.prefix}auth:users"

    @cached_property
    def auth_tokens(self) -> str:
        """Hash token id -> `TokenRecord` in JSON."""
        return f"{self.prefix}auth:tokens"

    def auth_session(self, digest: str) -> str:
        """Return the string with a `SessionRecord`; expires when idle or at its end."""
        return f"{self.prefix}auth:session:{digest}"

    def auth_sessions_of(self, user: str) -> str:
        """Return the set of the digests of a user's sessions."""
        return f"{self.prefix}auth:sessions:{user}"

    @cached_property
    def auth_accounts(self) -> str:
        """Sorted set of the accounts that have sessions, by when the last one must end."""
        return f"{self.prefix}auth:accounts"

    @cached_property
    def auth_seen(self) -> str:
        """Hash user name -> Unix time of the last sign-in with a password."""
        return f"{self.prefix}auth:seen"

    def auth_failures(self, bucket: str) -> str:
        """Return the hash that counts failed sign-ins of a bucket of names or addresses."""
        return f"{self.prefix}auth:failures:{bucket}"

    def auth_used(self, digest: str) -> str:
        """Return the string that marks a provider's answer as used; expires."""
        return f"{self.prefix}auth:used:{digest}"

    # Audit -----------------------------------------------------------------------------------
    @cached_property
    def audit(self) -> str:
        """Stream of `AuditEntry` in JSON, field ``d``; ``l`` its link, ``b`` that before it."""
        return f"{self.prefix}audit"

    @cached_property
    def audit_head(self) -> str:
        """Hash with ``seq`` and ``link`` of the newest entry, and what the record takes."""
        return f"{self.prefix}audit:head"

    @cached_property
    def audit_sweep(self) -> str:
        """String: the worker that tells the outcomes nobody told, with a TTL."""
        return f"{self.prefix}audit:sweep"

    @cached_property
    def audit_open(self) -> str:
        """Hash command id -> entry: published, and the outcome is not in the audit record yet."""
        return f"{self.prefix}audit:open"
