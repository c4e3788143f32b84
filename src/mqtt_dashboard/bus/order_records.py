"""The records of durable commands as a dashboard reads them."""

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import msgspec

from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.orders import CommandRecord, OrderSummary
from mqtt_dashboard.errors import BusError, ContractError

# How many records one list looks at when most of them are not to be seen.
MOST_LOOKED_AT: Final = 5000
PAGE: Final = 500

Seen = Callable[[OrderSummary], bool]


class OrderRecords:
    """Looks records up; errors are `BusError`."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._channels = channels
        self._address = address

    def one(self, command_id: str) -> CommandRecord | None:
        """Return a record; None when there is none (any more)."""
        with plain_errors(self._address):
            fields: Any = self._client.hgetall(self._channels.order_record(command_id))
        return record_of(command_id, fields)

    def many(self, ids: Sequence[str]) -> list[CommandRecord | None]:
        """Return records by their ids, in few round trips; None also for one that is broken."""
        found: list[CommandRecord | None] = []
        for start in range(0, len(ids), PAGE):
            with plain_errors(self._address):
                pipeline = self._client.pipeline(transaction=False)
                for command_id in ids[start : start + PAGE]:
                    pipeline.hgetall(self._channels.order_record(command_id))
                answers: Any = pipeline.execute(raise_on_error=False)
            found += [
                _whole(*pair) for pair in zip(ids[start : start + PAGE], answers, strict=True)
            ]
        return found

    def newest(self, limit: int, seen: Seen) -> list[CommandRecord]:
        """Return the newest records, newest first, of those that are to be seen."""
        found: list[CommandRecord] = []
        for window in (limit, MOST_LOOKED_AT):
            found = []
            ids = self._newest_ids(window)
            for start in range(0, len(ids), PAGE):
                wanted = self._wanted(ids[start : start + PAGE], seen)
                found += [one for one in self.many(wanted) if one is not None]
                if len(found) >= limit:
                    return found[:limit]
            if len(ids) < window:
                break
        return found

    def _newest_ids(self, count: int) -> list[str]:
        names = self._channels
        with plain_errors(self._address):
            found: list[tuple[bytes, float]] = []
            for name in (names.orders_recent, names.orders_keyed):
                found += cast(Any, self._client.zrevrange(name, 0, count - 1, withscores=True))
        newest = sorted(found, key=lambda pair: -pair[1])[:count]
        return [member.decode(errors="replace") for member, _ in newest]

    def _wanted(self, ids: Sequence[str], seen: Seen) -> Sequence[str]:
        """Return those that are to be seen, without reading more of the others than that takes."""
        with plain_errors(self._address):
            pipeline = self._client.pipeline(transaction=False)
            for command_id in ids:
                pipeline.hget(self._channels.order_record(command_id), "d")
            documents: Any = pipeline.execute(raise_on_error=False)
        return [one for one, document in zip(ids, documents, strict=True) if _is(document, seen)]


def _is(document: object, seen: Seen) -> bool:
    try:
        return isinstance(document, bytes) and seen(codec.decode(document, OrderSummary))
    except ContractError:
        return False


def _whole(command_id: str, answer: object) -> CommandRecord | None:
    try:
        return record_of(command_id, answer) if isinstance(answer, dict) else None
    except BusError:
        return None


def record_of(command_id: str, fields: dict[bytes, bytes]) -> CommandRecord | None:
    """Return the record a hash holds; None for an empty one."""
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
