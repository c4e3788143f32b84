"""Durable commands as the dashboard sees them: accept, look up, list, follow results."""

from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import msgspec

from mqtt_dashboard.bus import order_scripts
from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.orders import (
    CommandRecord,
    CommandResult,
    Order,
    OrderSummary,
    fingerprint,
    key_digest,
)
from mqtt_dashboard.errors import BusError, BusRefusedError, ContractError

MAX_RECORDS: Final = 50_000
EXPIRY_GRACE_MS: Final = 250
NOT_TAKEN: Final = "its deadline passed before a bridge took it; it was not sent"

Verdict = Literal["new", "known", "differs", "full"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, and how long records are kept (seconds)."""

    commands: int
    bytes: int
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """What Redis said: ``told`` is the command's id, or what is full."""

    verdict: Verdict
    told: str


@dataclass(frozen=True, slots=True)
class Durability:
    """Whether Redis keeps what it accepted on disk; ``durable`` None: it does not say."""

    durable: bool | None
    reason: str


class DashboardOrders:
    """The dashboard's side; safe to use from several threads."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._channels = channels
        self._address = address
        self._accept = client.register_script(order_scripts.ACCEPT)
        self._expire = client.register_script(order_scripts.EXPIRE)

    def accept(
        self,
        command_id: str,
        order: Order,
        deadline_s: float,
        key: str | None,
        bounds: Bounds,
        durability: Durability,
    ) -> Accepted:
        """Write the record and the stream entry in one step; raise `BusError`.

        After a `BusError` it is not known whether the command was accepted.
        """
        names = self._channels
        summary = OrderSummary(
            topic=order.topic,
            qos=order.qos,
            retain=order.retain,
            mode=order.mode,
            size=len(order.payload),
            durable=durability.durable,
            durable_reason=durability.reason,
        )
        keys = [
            names.orders,
            names.order_record(command_id),
            names.order_key(key_digest(key or "")),
            names.orders_recent,
            names.orders_keyed,
            names.order_bytes,
        ]
        arguments: list[str | int | bytes] = [
            command_id,
            codec.pack(order),
            codec.encode(summary),
            fingerprint(order, deadline_s),
            round(deadline_s * 1000),
            round((deadline_s + bounds.ttl_s) * 1000),
            len(order.payload),
            int(key is not None),
            names.order_records,
            bounds.commands,
            bounds.bytes,
            MAX_RECORDS,
        ]
        with plain_errors(self._address):
            verdict, told = cast(list[bytes], self._accept(keys=keys, args=arguments))
        return Accepted(cast(Verdict, verdict.decode()), told.decode())

    def record(self, command_id: str) -> CommandRecord | None:
        """Return a record; None when there is none (any more)."""
        with plain_errors(self._address):
            fields: Any = self._client.hgetall(self._channels.order_record(command_id))
        return _record(command_id, fields)

    def recent(self, limit: int) -> list[CommandRecord]:
        """Return the newest records, newest first."""
        names = self._channels
        with plain_errors(self._address):
            found: list[tuple[bytes, float]] = []
            for name in (names.orders_recent, names.orders_keyed):
                found += cast(Any, self._client.zrevrange(name, 0, limit - 1, withscores=True))
            newest = sorted(found, key=lambda pair: -pair[1])[:limit]
            ids = [member.decode(errors="replace") for member, _ in newest]
            pipeline = self._client.pipeline(transaction=False)
            for command_id in ids:
                pipeline.hgetall(names.order_record(command_id))
            answers: Any = pipeline.execute() if ids else []
        records = [_record(name, fields) for name, fields in zip(ids, answers, strict=True)]
        return [record for record in records if record is not None]

    def waiting(self) -> tuple[int, int]:
        """Return how many commands wait for their result, and their payload bytes."""
        with plain_errors(self._address):
            count = int(self._client.xlen(self._channels.orders))
            used: Any = self._client.get(self._channels.order_bytes)
        return count, int(used or 0)

    def expire(self, record: CommandRecord, now: float) -> bool:
        """Record that a command expired, if its time is up and no bridge has taken it."""
        names = self._channels
        result = CommandResult(
            id=record.id,
            state="expired",
            reason=NOT_TAKEN,
            topic=record.topic,
            mode=record.mode,
            qos=record.qos,
            timestamp=now,
        )
        keys = [
            names.order_record(record.id),
            names.orders,
            names.order_results,
            names.order_bytes,
        ]
        arguments: list[str | int | bytes] = [
            EXPIRY_GRACE_MS,
            names.COMMAND_RESULTS,
            NOT_TAKEN,
            codec.encode(result),
        ]
        with plain_errors(self._address):
            return bool(self._expire(keys=keys, args=arguments))

    def read_results(self, after: str, block_s: float) -> list[tuple[str, CommandResult | None]]:
        """Wait for results behind a position; None for one that cannot be read."""
        with plain_errors(self._address):
            answer: Any = self._client.xread(
                {self._channels.order_results: after}, count=200, block=int(block_s * 1000)
            )
        entries = answer[0][1] if answer else []
        return [(str(position, "ascii"), _result(fields)) for position, fields in entries]

    def durability(self) -> Durability:
        """Ask Redis what it keeps; raise `BusError` when it does not answer."""
        try:
            with plain_errors(self._address):
                info: Any = self._client.info("persistence")
        except BusRefusedError:
            return Durability(None, "Redis does not tell whether it has an append-only file")
        if not info.get("aof_enabled"):
            return Durability(
                False, "Redis keeps no append-only file: a restart of it loses accepted commands"
            )
        if info.get("aof_last_write_status") == "err":
            return Durability(False, "Redis cannot write its append-only file")
        return _by_policy(self._policy())

    def _policy(self) -> str | None:
        try:
            with plain_errors(self._address):
                found: Any = self._client.config_get("appendfsync")
        except BusRefusedError:
            return None
        return str(found.get("appendfsync")) if found else None


def _by_policy(policy: str | None) -> Durability:
    match policy:
        case "always":
            return Durability(True, "on disk before it is accepted (appendfsync always)")
        case "everysec":
            reason = "kept when Redis dies; a power loss may take the last second"
            return Durability(True, f"{reason} (appendfsync everysec)")
        case "no":
            reason = "kept when Redis dies; a power loss may take the last half minute or more"
            return Durability(True, f"{reason} (appendfsync no)")
        case _:
            return Durability(True, "kept when Redis dies; it does not tell its appendfsync")


def _result(fields: dict[bytes, bytes]) -> CommandResult | None:
    try:
        return codec.decode(fields.get(b"d", b""), CommandResult)
    except ContractError:
        return None


def _record(command_id: str, fields: dict[bytes, bytes]) -> CommandRecord | None:
    if not fields:
        return None
    texts = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
    try:
        summary = codec.decode(fields.get(b"d", b""), OrderSummary)
        return msgspec.convert(
            {
                **msgspec.structs.asdict(summary),
                "id": command_id,
                "state": texts["s"],
                "reason": texts.get("r") or _progress(texts.get("p", "")),
                "phase": texts.get("p") or "queued",
                "accepted_at": float(texts["b"]) / 1000,
                "deadline": float(texts["t"]) / 1000,
                "finished_at": float(texts["f"]) / 1000 if texts.get("f") else None,
                "code": int(texts["k"]) if texts.get("k") else None,
                "attempts": int(texts.get("a", "0")),
            },
            CommandRecord,
        )
    except (ContractError, msgspec.ValidationError, KeyError, ValueError) as error:
        raise BusError(f"the record of the command {command_id} cannot be read: {error}") from error


def _progress(phase: str) -> str:
    return {
        "sent": "on its way to the broker",
        "received": "the broker has it; its last word is not there yet",
    }.get(phase, "accepted; waits for the bridge")
